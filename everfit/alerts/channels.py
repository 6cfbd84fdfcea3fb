"""Alert channels: the log, the webhook where one is set, and those of installed packages. Every notice goes to each of them.

A package adds a channel by an entry point of the group ``everfit.alert_channels`` (:mod:`everfit.environment.extensions`): a
class that is called without arguments. A channel that fails or hangs holds up neither the others nor the caller: the failure is
logged, and the notice is sent to it again later.
"""

import logging
import os
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from datetime import datetime, timedelta
from functools import cache
from threading import Thread
from types import MappingProxyType
from typing import Protocol, Self

from everfit.alerts.state import Notice
from everfit.alerts.webhook import Webhook
from everfit.environment.extensions import extensions
from everfit.environment.variables import setting
from everfit.errors import ServiceError

WEBHOOK, REMINDER = "EVERFIT_ALERT_WEBHOOK", "EVERFIT_ALERT_REMINDER"
DEADLINE_SECONDS = 10.0  # of one send; longer than the webhook's own limits

logger = logging.getLogger(__name__)


class Channel(Protocol):
    """Where a notice can be sent."""

    def send(self, notice: Notice) -> None:
        """Deliver the notice, and return when it is accepted. Any exception means that it was not."""


class Log:
    """The process's log: one line a notice."""

    def send(self, notice: Notice) -> None:
        """Write the line."""
        logger.warning("alert %s: %s", notice.state, notice.text)


class Channels:
    """All channels of one process, and which notices some of them have accepted while others have not.

    Args:
        webhook: its URL; empty where there is none.
        remind_after: after how long a notice is repeated while its cause holds.
        added: makers of further channels, by name.
    """

    def __init__(
        self,
        webhook: str = "",
        remind_after: timedelta = timedelta(days=1),
        added: Mapping[str, Callable[[], Channel]] = MappingProxyType({}),
    ) -> None:
        makers: dict[str, Callable[[], Channel]] = {"webhook": lambda: Webhook(webhook)} if webhook else {}
        self.remind_after = remind_after
        self._log = Log()
        self._guarded = [_Guarded(name, make) for name, make in (makers | dict(added)).items()]

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """``EVERFIT_ALERT_WEBHOOK``, the interval of ``EVERFIT_ALERT_REMINDER`` (``24h``), and the installed channels.

        Raises:
            SettingsError: when the interval is no duration, or an installed channel cannot be imported.
        """
        remind_after: timedelta = setting(REMINDER, "24h", environ)
        return cls(environ.get(WEBHOOK, ""), remind_after, extensions("alert_channels"))

    def send(self, notice: Notice, away: Collection[str] = ()) -> set[str]:
        """Send to every channel that has not accepted the notice before, but for those that are ``away``.

        Returns:
            The names of the channels that have still not accepted it. The log always does, at the first attempt.
        """
        if notice.alert.tried_at is None:
            self._log.send(notice)
        missing = {one.name for one in self._guarded if one.name in away or not one.deliver(notice)}
        if not missing:
            for one in self._guarded:
                one.forget(notice)
        return missing


@cache
def installed_channels() -> Channels:
    """The channels that the environment of this process names; the same object for all its passes."""
    return Channels.from_environment()


class _Guarded:
    """A channel that neither raises nor hangs, made at its first use; it is not sent twice what it accepted once."""

    def __init__(self, name: str, make: Callable[[], Channel]) -> None:
        self.name = name
        self._make = make
        self._channel: Channel | None = None
        self._thread: Thread | None = None
        self._accepted: set[tuple[str, str, datetime, int, str]] = set()

    def deliver(self, notice: Notice) -> bool:
        """Whether the channel has accepted the notice, now or before; why it did not is logged."""
        if _key(notice) in self._accepted:
            return True
        try:
            self._send(notice)
        except ServiceError as error:
            logger.warning("%s", error)
            return False
        self._accepted.add(_key(notice))
        return True

    def forget(self, notice: Notice) -> None:
        """All channels have accepted the notice: it will not come again."""
        self._accepted.discard(_key(notice))

    def _send(self, notice: Notice) -> None:
        """In a thread of its own, and given up after the deadline.

        Raises:
            ServiceError: with what went wrong.
        """
        if self._thread and self._thread.is_alive():
            raise ServiceError(f"the alert channel {self.name} is still busy with an earlier notice")
        done: Future[None] = Future()
        self._thread = Thread(target=self._work, args=(notice, done), name=f"alert channel {self.name}", daemon=True)
        self._thread.start()
        try:
            error = done.exception(DEADLINE_SECONDS)
        except TimeoutError:
            raise ServiceError(f"the alert channel {self.name} takes more than {DEADLINE_SECONDS:g} s for a notice") from None
        if isinstance(error, ServiceError):
            raise error
        if error:
            raise ServiceError(f"the alert channel {self.name} fails: {type(error).__name__}: {error}") from error

    def _work(self, notice: Notice, done: Future[None]) -> None:
        try:
            if self._channel is None:
                self._channel = self._make()
            self._channel.send(notice)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the caller gets it
            done.set_exception(error)
        else:
            done.set_result(None)


def _key(notice: Notice) -> tuple[str, str, datetime, int, str]:
    """The notice without its wording, which may change between two attempts."""
    return notice.alert.model, notice.alert.cause, notice.alert.first_at, notice.alert.count, notice.state
