"""Attempts at one part of a window's judgement: a failure ends the attempt, or, where it is the last, only that part."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa

from everfit.errors import LakeError, MissingObjectError
from everfit.evidence import Evidence
from everfit.store.failures import describe
from everfit.store.isolation import MACHINE, is_shared

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt at a window in one transaction; after the last, none follows."""

    connection: sa.Connection
    is_last: bool = False

    def __call__(self, part: Callable[[], T], instead: Callable[[Exception], T]) -> T:
        """The part's result; in the last attempt, what stands instead of one that fails.

        Raises:
            Exception: whatever the part raises, where another attempt follows, or where a service or a disk fails.
        """
        if not self.is_last:
            return _without_exit(part)
        try:
            with self.connection.begin_nested():
                return _without_exit(part)
        except Exception as error:
            if is_shared(error) or is_of_a_disk(error):  # no fault of the data: until it works
                raise
            return instead(error)


def _without_exit(part: Callable[[], T]) -> T:
    """The part's result; one that ends the process, as ``sys.exit`` does, has failed like any other."""
    try:
        return part()
    except SystemExit as error:
        raise RuntimeError(f"SystemExit({error.code!r}); a kind or a policy must not end the process") from error


def is_of_a_disk(error: Exception) -> bool:
    """Whether the lake or this machine's disk fails; a lost object, and what else a kind or a policy opens, affect it alone."""
    if isinstance(error, LakeError):
        return isinstance(error.__cause__, OSError) and not isinstance(error, MissingObjectError)
    return isinstance(error, OSError) and error.errno in MACHINE


def unjudged(error: Exception) -> Evidence:
    """The verdict on what could not be judged."""
    return Evidence(verdict="insufficient", reason=f"could not be judged: {describe(error)}", detail={"unjudged": True})
