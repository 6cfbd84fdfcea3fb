"""A client of serving on one kept-alive connection; it adds about 0.1 ms to a call."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult

import msgspec

from everfit.environment import http_client
from everfit.errors import ServiceError
from everfit.replay.timeline import Request
from everfit.stack.parts_in_use import Uses
from everfit.timing import format_time

TIMEOUT_SECONDS = 30.0


class Answer(msgspec.Struct):
    """The fields of an answer to ``POST /predict/{model}`` that a replay reads."""

    version: int
    degraded: bool = False


class Roles(msgspec.Struct):
    """The versions that answer a model's requests now, by role."""

    champion: int | None = None
    challenger: int | None = None
    share: float = 0.0
    unit: str = ""
    shadows: list[int] = []


class _Metadata(msgspec.Struct):
    roles: Roles


@dataclass(slots=True)
class Reply:
    """Status and body of one exchange."""

    status: int
    body: bytes


def _connection(address: SplitResult) -> http.client.HTTPConnection:
    host = str(address.hostname)
    if address.scheme == "https":
        return http.client.HTTPSConnection(host, address.port, timeout=TIMEOUT_SECONDS, context=http_client.authorities())
    return http.client.HTTPConnection(host, address.port, timeout=TIMEOUT_SECONDS)


class ServingClient:
    """Sends requests to serving at ``url``, with the token where one is required; close it when done.

    ``https`` is TLS with verified certificates (:mod:`everfit.environment.http_client`); a path in the address is put before
    every other.

    Raises:
        SettingsError: when ``url`` is not the address of a server.
    """

    def __init__(self, url: str, token: str = "") -> None:
        address = http_client.server(url)
        self._path = address.path.rstrip("/")
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._url = url
        self._connection = _connection(address)
        self._answers = msgspec.json.Decoder(Answer)

    def predict(self, model: str, request: Request) -> Answer | Reply:
        """Request a prediction; returns the answer, or the reply where serving refused."""
        body = {"request_id": request.request_id, "event_time": format_time(request.event_time), "inputs": request.inputs}
        reply = self._exchange("POST", f"/predict/{model}", body)
        return self._answers.decode(reply.body) if reply.status == 200 else reply

    def flush(self) -> None:
        """Return when every prediction answered so far is in Kafka."""
        self._require_ok("POST", "/flush", {})

    def roles(self, model: str) -> Roles:
        """The versions that answer now."""
        return msgspec.json.decode(self._require_ok("GET", f"/v2/models/{model}").body, type=_Metadata).roles

    def refresh(self, model: str) -> None:
        """Let serving read who serves now; returns when it has loaded them, or could not."""
        self._require_ok("POST", f"/refresh/{model}", {})

    def uses(self) -> Uses:
        """The Postgres, Kafka and MLflow that serving uses."""
        return msgspec.json.decode(self._require_ok("GET", "/uses").body, type=Uses)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _require_ok(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        reply = self._exchange(method, path, body)
        if reply.status >= 300:
            message = reply.body.decode(errors="replace")[:300]
            raise ServiceError(f"serving at {self._url} answers {method} {path} with {reply.status}: {message}")
        return reply

    def _exchange(self, method: str, path: str, body: Mapping[str, Any] | None) -> Reply:
        """One exchange; a connection that serving has closed is opened once more.

        A repeated request has the same id, so that it becomes one row in the log.
        """
        payload = None if body is None else msgspec.json.encode(body)
        try:
            return self._send(method, path, payload)
        except (http.client.RemoteDisconnected, ConnectionError):
            self._connection.close()
        except OSError as error:
            raise self._silent(error) from error
        try:
            return self._send(method, path, payload)
        except (OSError, http.client.HTTPException) as error:
            raise self._silent(error) from error

    def _send(self, method: str, path: str, payload: bytes | None) -> Reply:
        self._connection.request(method, self._path + path, payload, self._headers)
        response = self._connection.getresponse()
        return Reply(response.status, response.read())

    def _silent(self, error: Exception) -> ServiceError:
        return ServiceError(f"serving does not answer at {self._url} ({error!r}); see `everfit status`, then resume the replay")
