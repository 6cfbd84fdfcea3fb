"""A webhook on loopback that keeps what is posted to it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class _Inbox(BaseHTTPRequestHandler):
    server: "Hook"

    def do_POST(self) -> None:
        self.server.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.end_headers()

    def do_GET(self) -> None:
        self.server.gets += 1
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        return


class Hook(HTTPServer):
    """Answers every post with ``status``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Inbox)
        self.posted: list[dict[str, Any]] = []
        self.gets = 0
        self.status = 200

    @property
    def url(self) -> str:
        """Where to post, with something secret in its path."""
        return f"http://127.0.0.1:{self.server_port}/secret"


@contextmanager
def listening() -> Iterator[Hook]:
    """A hook that answers until the block ends."""
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
