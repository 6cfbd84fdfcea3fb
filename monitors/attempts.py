"""Attempts at one part of a window's judgement: a failure ends the attempt, or, where it is the last, only that part."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa

from everfit.evidence import Evidence
from everfit.store.failures import describe
from everfit.store.isolation import is_shared

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
            return part()
        try:
            with self.connection.begin_nested():
                return part()
        except Exception as error:
            if is_shared(error) or isinstance(error.__cause__ or error, OSError):  # no fault of the data: until it works
                raise
            return instead(error)


def unjudged(error: Exception) -> Evidence:
    """The verdict on what could not be judged."""
    return Evidence(verdict="insufficient", reason=f"could not be judged: {describe(error)}", detail={"unjudged": True})
