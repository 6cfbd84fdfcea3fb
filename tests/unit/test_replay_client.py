"""The client of serving against a small HTTP server."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from everfit.errors import ServiceError
from everfit.replay.serving_client import Answer, Reply, ServingClient
from everfit.replay.timeline import Request

ASKED = Request("m-1", "a", datetime(2024, 1, 1, 0, 30, tzinfo=UTC), {"meter": "a"})


@dataclass
class Heard:
    """A server that writes down what it hears and answers as it is told."""

    url: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    status: int = 200
    hang_up: bool = False
    token: str | None = None


@pytest.fixture
def heard() -> Iterator[Heard]:
    heard = Heard()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer({"name": "m", "versions": ["3", "1"], "roles": {"champion": 3, "shadow": 1}})

        def do_POST(self) -> None:
            self.answer({"request_id": "m-1", "version": 2, "score": 0.5, "degraded": True})

        def answer(self, told: dict[str, Any]) -> None:
            heard.token = self.headers.get("Authorization")
            length = int(self.headers.get("Content-Length") or 0)
            heard.calls.append((self.command, self.path, json.loads(self.rfile.read(length) or b"null")))
            body = json.dumps(told).encode()
            self.send_response(heard.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = heard.hang_up  # without saying so beforehand

        def log_message(self, *_: object) -> None:
            """Keep the tests quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        heard.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield heard
        server.shutdown()
        thread.join()


@pytest.fixture
def client(heard: Heard) -> Iterator[ServingClient]:
    client = ServingClient(heard.url)
    yield client
    client.close()


def test_a_prediction_is_asked_for_as_serving_wants_it(heard: Heard, client: ServingClient) -> None:
    assert client.predict("m", ASKED) == Answer(version=2, degraded=True)
    assert heard.calls == [
        ("POST", "/predict/m", {"request_id": "m-1", "event_time": "2024-01-01T00:30:00Z", "inputs": {"meter": "a"}})
    ]


def test_a_token_is_sent_by_whoever_has_one(heard: Heard, client: ServingClient) -> None:
    client.flush()
    assert heard.token is None
    with closing(ServingClient(heard.url, "windmill")) as trusted:
        trusted.flush()
    assert heard.token == "Bearer windmill"


def test_a_refusal_is_handed_back(heard: Heard, client: ServingClient) -> None:
    heard.status = 422
    reply = client.predict("m", ASKED)
    assert isinstance(reply, Reply)
    assert reply.status == 422


def test_a_connection_that_serving_closed_is_opened_again(heard: Heard, client: ServingClient) -> None:
    heard.hang_up = True
    assert [client.predict("m", ASKED) for _ in range(3)] == [Answer(version=2, degraded=True)] * 3


def test_the_version_that_answers_is_read(client: ServingClient) -> None:
    assert client.roles("m").champion == 3


def test_a_flush_that_fails_says_so(heard: Heard, client: ServingClient) -> None:
    heard.status = 503
    with pytest.raises(ServiceError, match=r"answers POST /flush with 503"):
        client.flush()


def test_a_serving_that_is_down_is_told_as_such() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        client = ServingClient(f"http://127.0.0.1:{reserved.getsockname()[1]}")
        with pytest.raises(ServiceError, match="serving does not answer at http://127"):
            client.predict("m", ASKED)
        client.close()
