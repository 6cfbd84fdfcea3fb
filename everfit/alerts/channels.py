"""Alert channels: the log, the webhook where one is set, and those of installed packages. Every notice goes to each of them.

A package adds a channel by an entry point of the group ``everfit.alert_channels`` (:mod:`everfit.environment.extensions`): a
class that is called without arguments. A channel that cannot be imported, fails or hangs holds up neither the others nor the
caller: the failure is logged, and a notice is sent to it again later.
"""

import logging
import os
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from functools import cache, partial
from operator import call
from types import MappingProxyType
from typing import Protocol, Self

from everfit.alerts.state import Notice
from everfit.alerts.webhook import Webhook
from everfit.environment.extensions import usable
from everfit.environment.member_thread import MemberThread
from everfit.environment.variables import setting
from everfit.errors import ServiceError

OWN = ("webhook",)
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
        makers: dict[str, Callable[[], Channel]] = {OWN[0]: lambda: Webhook(webhook)} if webhook else {}
        self.remind_after = remind_after
        self._log = Log()
        self._guarded = [_Guarded(name, make) for name, make in (makers | dict(added)).items()]

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """``EVERFIT_ALERT_WEBHOOK``, the interval of ``EVERFIT_ALERT_REMINDER`` (``24h``), and the installed channels.

        An installed channel that cannot be used is left out and logged, as the loop goes on without it.

        Raises:
            SettingsError: when the interval is no duration.
        """
        remind_after: timedelta = setting(REMINDER, "24h", environ)
        added, faults = usable("alert_channels", OWN)
        for fault in faults:
            logger.error("%s; until then no alert is sent there", fault)
        return cls(environ.get(WEBHOOK, ""), remind_after, added)

    def send(self, notice: Notice, away: Collection[str] = ()) -> set[str]:
        """Send to every channel that has not accepted the notice before, but for those that are ``away``.

        Returns:
            The names of the channels that have still not accepted it. The log always does, at the first attempt.
        """
        if notice.alert.tried_at is None:
            self._log.send(notice)
        missing = {channel.name for channel in self._guarded if channel.name in away or not channel.deliver(notice)}
        if not missing:
            for channel in self._guarded:
                channel.forget(notice)
        return missing


@cache
def installed_channels() -> Channels:
    """The channels that the environment of this process names; the same object for all its passes."""
    return Channels.from_environment()


class _Guarded:
    """A channel that neither raises nor hangs, made at its first use; it is not sent twice what it accepted once."""

    def __init__(self, name: str, make: Callable[[], Channel]) -> None:
        self.name = name
        self._make = cache(partial(call, make))  # what is no maker raises at the first use, where it is logged
        self._thread = MemberThread(f"alert channel {name}")
        self._accepted: set[tuple[str, str, datetime, int, str]] = set()

    def deliver(self, notice: Notice) -> bool:
        """Whether the channel has accepted the notice, now or before; why it did not is logged."""
        if _key(notice) in self._accepted:
            return True
        try:
            self._thread.call("send", partial(self._send, notice), DEADLINE_SECONDS)
        except ServiceError as error:
            logger.warning("%s", error)
            return False
        return True

    def _send(self, notice: Notice) -> None:
        """In the channel's thread, so that what it accepts after the deadline counts as accepted, too."""
        self._make().send(notice)
        self._accepted.add(_key(notice))

    def forget(self, notice: Notice) -> None:
        """All channels have accepted the notice: it will not come again."""
        self._accepted.discard(_key(notice))


def _key(notice: Notice) -> tuple[str, str, datetime, int, str]:
    """The notice without its wording, which may change between two attempts."""
    return notice.alert.model, notice.alert.cause, notice.alert.first_at, notice.alert.count, notice.state
