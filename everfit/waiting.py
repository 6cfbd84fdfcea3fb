"""Wait for something that another process does, with a deadline that says what was waited for."""

import time
from collections.abc import Callable
from typing import TypeVar

from everfit.errors import ServiceError

T = TypeVar("T")

POLL_SECONDS = 0.05
STALL_SECONDS = 180.0


def wait_until(read: Callable[[], T], reached: Callable[[T], bool], what: str, *, stall_seconds: float = STALL_SECONDS) -> T:
    """Read until it is reached, and return what was read then.

    Args:
        read: a cheap look at the state.
        reached: whether that is what is waited for.
        what: completes 'nothing moved for 180 s while waiting for …'; may end in what to look at.
        stall_seconds: how long nothing may change before it is given up; every change gives it that time anew.

    Raises:
        ServiceError: when nothing moved for that long.
    """
    found = read()
    deadline = time.monotonic() + stall_seconds
    while not reached(found):
        if time.monotonic() > deadline:
            raise ServiceError(f"nothing moved for {stall_seconds:.0f} s while waiting for {what} See `everfit status`")
        time.sleep(POLL_SECONDS)
        before, found = found, read()
        if found != before:
            deadline = time.monotonic() + stall_seconds
    return found
