"""Steady traffic: so many requests a second, each by itself, and what came of every one."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx

from tests.serving_over_http import NAME

PER_SECOND = 30
AT_ONCE = 60  # so many that a slow answer delays no other request


class Asked(NamedTuple):
    """What came of one request: 0 stands for no answer at all."""

    status: int
    version: int | None
    seconds: float


@dataclass
class Traffic:
    """What was asked so far."""

    asked: list[Asked] = field(default_factory=list)

    @property
    def failed(self) -> list[Asked]:
        """The requests without an answer."""
        return [one for one in self.asked if one.status != 200]

    def await_version(self, version: int, seconds: float = 10.0) -> float:
        """Return when this version answers; the seconds until then."""
        began, seen = time.monotonic(), len(self.asked)
        while all(one.version != version for one in self.asked[seen:]):
            assert time.monotonic() < began + seconds, f"version {version} has not answered in {seconds:g} s"
            time.sleep(0.02)
        return time.monotonic() - began


@contextmanager
def traffic(url: str, body: Callable[[int], dict[str, Any]]) -> Iterator[Traffic]:
    """Ask for predictions at a steady rate until the block ends; ``body`` makes the request of a number."""
    counted, over = Traffic(), threading.Event()
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)

    def ask(client: httpx.Client, number: int) -> None:
        began = time.monotonic()
        try:
            answer = client.post(f"/predict/{NAME}", json=body(number))
            status, version = answer.status_code, answer.json().get("version")
        except httpx.HTTPError:
            status, version = 0, None
        counted.asked.append(Asked(status, version, time.monotonic() - began))

    def run(client: httpx.Client, pool: ThreadPoolExecutor) -> None:
        number = 0
        while not over.wait(1 / PER_SECOND):
            pool.submit(ask, client, number)
            number += 1

    with (
        httpx.Client(base_url=url, trust_env=False, timeout=30, limits=limits) as client,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        thread = threading.Thread(target=run, args=(client, pool))
        thread.start()
        try:
            yield counted
        finally:
            over.set()
            thread.join()
