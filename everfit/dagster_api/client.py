"""Dagster's webserver, asked by GraphQL over HTTP: the one client of everything here that asks it."""

import time
from types import TracebackType
from typing import Any, Self

import httpx

from everfit.environment import http_client
from everfit.errors import ServiceError

TIMEOUT_SECONDS = 60.0
# After a restart of Postgres its pools hold connections of before: each failure clears one of its pools.
RETRY_AFTER_SECONDS = (0.0, 0.5, 2.0)


class UnansweredError(ServiceError):
    """Dagster did not answer a question; whether a mutation was carried out is not known."""


class GraphQL:
    """One webserver; :meth:`close` gives the connection back, as does the end of a ``with``."""

    def __init__(self, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._url = url
        self._client = http_client.client(url, timeout=timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def ask(self, query: str, *, repeatable: bool = True, **variables: Any) -> Any:
        """The data of an answer.

        Args:
            query: a query, or a mutation.
            repeatable: whether asking twice does no harm; only then is a question that failed asked again.
            variables: of the query.

        Raises:
            UnansweredError: when the webserver does not answer, or fails.
            ServiceError: when it refuses the question.
        """
        answer = self._answer({"query": query, "variables": variables}, RETRY_AFTER_SECONDS if repeatable else ())
        if "errors" in answer:
            raise ServiceError(f"Dagster at {self._url} refused a question: {answer['errors'][0]['message']}")
        return answer["data"]

    def _answer(self, question: dict[str, Any], waits: tuple[float, ...]) -> Any:
        for wait in waits:
            try:
                return self._post(question)
            except (httpx.HTTPError, ValueError) as error:
                if not _may_pass(error):
                    raise self._unanswered(error) from error
                time.sleep(wait)
        try:
            return self._post(question)
        except (httpx.HTTPError, ValueError) as error:
            raise self._unanswered(error) from error

    def _unanswered(self, error: Exception) -> UnansweredError:
        how = f"status {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else str(error)
        return UnansweredError(f"Dagster does not answer at {self._url} ({how or type(error).__name__}); see `everfit doctor`")

    def _post(self, question: dict[str, Any]) -> Any:
        return self._client.post("/graphql", json=question).raise_for_status().json()


def _may_pass(error: Exception) -> bool:
    """Whether the webserver was reached, and failed in a way that asking again may mend."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.is_server_error
    return isinstance(error, (httpx.RemoteProtocolError, httpx.ReadError))
