"""The client of Dagster's webserver: GraphQL over HTTP, used wherever Dagster must not be imported."""

import time
from types import TracebackType
from typing import Any, Self

import httpx

from everfit.environment import http_client
from everfit.errors import ServiceError

TIMEOUT_SECONDS = 60.0
# After a restart of Postgres, Dagster's pools still hold dead connections; each failed query clears one pool.
RETRY_AFTER_SECONDS = (0.0, 0.5, 2.0)


class UnansweredError(ServiceError):
    """Dagster did not answer; a mutation may or may not have been carried out."""


class GraphQL:
    """A connection to one webserver; closed by :meth:`close` or at the end of a ``with``."""

    def __init__(self, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._url = url
        self._client = http_client.client(url, timeout=timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def execute(self, query: str, *, repeatable: bool = True, **variables: Any) -> Any:
        """Run a query and return the data of the answer.

        Args:
            query: a query, or a mutation.
            repeatable: whether the query may be sent twice; only then is it retried after a failure.
            variables: the query's variables.

        Raises:
            UnansweredError: when the webserver does not answer, or fails.
            ServiceError: when it rejects the query.
        """
        answer = self._answer({"query": query, "variables": variables}, RETRY_AFTER_SECONDS if repeatable else ())
        if "errors" in answer:
            raise ServiceError(f"Dagster at {self._url} rejected a query: {answer['errors'][0]['message']}")
        return answer["data"]

    def _answer(self, payload: dict[str, Any], waits: tuple[float, ...]) -> Any:
        for wait in waits:
            try:
                return self._post(payload)
            except (httpx.HTTPError, ValueError) as error:
                if not _may_pass(error):
                    raise self._unanswered(error) from error
                time.sleep(wait)
        try:
            return self._post(payload)
        except (httpx.HTTPError, ValueError) as error:
            raise self._unanswered(error) from error

    def _unanswered(self, error: Exception) -> UnansweredError:
        how = f"status {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else str(error)
        return UnansweredError(f"Dagster does not answer at {self._url} ({how or type(error).__name__}); see `everfit doctor`")

    def _post(self, payload: dict[str, Any]) -> Any:
        return self._client.post("/graphql", json=payload).raise_for_status().json()


def _may_pass(error: Exception) -> bool:
    """Whether the webserver was reached and failed in a way that a retry may overcome."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.is_server_error
    return isinstance(error, (httpx.RemoteProtocolError, httpx.ReadError))
