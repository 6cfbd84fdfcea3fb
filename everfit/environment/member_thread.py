"""A thread for each installed member that runs beside the loop: where it raises or hangs, its caller goes on."""

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from everfit.errors import EverfitError, ServiceError

T = TypeVar("T")
Calls = SimpleQueue[tuple[Callable[[], Any], Future[Any]]]


class MemberThread:
    """Calls one member; all calls in one thread, as clients may keep their state by thread.

    Args:
        name: of the member, as in ``tracker diary``.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: Calls = SimpleQueue()
        self._thread: Thread | None = None
        self._last: tuple[str, Future[Any]] | None = None

    def call(self, method: str, work: Callable[[], T], seconds: float) -> T:
        """What the work returns.

        Raises:
            ServiceError: when it raises, or takes longer than ``seconds``. While it then runs on, further calls are refused.
        """
        if self._last and not self._last[1].done():
            raise ServiceError(f"{self._name} is still busy with an earlier {self._last[0]}")
        if self._thread is None:
            self._thread = Thread(target=_serve, args=(self._calls,), name=self._name, daemon=True)
            self._thread.start()
        done: Future[T] = Future()
        self._last = method, done
        self._calls.put((work, done))
        try:
            error = done.exception(seconds)
        except TimeoutError:
            raise ServiceError(f"{self._name} takes more than {seconds:g} s for {method}") from None
        if error:
            reason = str(error) if isinstance(error, EverfitError) else f"{type(error).__name__}: {error}"
            raise ServiceError(f"{self._name} fails at {method}: {reason}") from error
        return done.result()


def _serve(calls: Calls) -> None:
    while True:
        work, done = calls.get()
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whatever it is, the caller gets it
            done.set_exception(error)
