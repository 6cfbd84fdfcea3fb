"""Try one piece of a window's judgement: what fails ends the attempt, or, where it is the last, only that piece."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa

from everfit.evidence import Evidence, Kind
from everfit.store.failures import describe
from everfit.store.isolation import is_shared

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Trial:
    """How pieces are tried in one transaction; ``last`` says that no attempt at the window follows."""

    connection: sa.Connection
    last: bool = False

    def __call__(self, piece: Callable[[], T], instead: Callable[[Exception], T]) -> T:
        """The piece's result; in a last attempt that it fails, what is said instead.

        Raises:
            Exception: whatever the piece raises, where another attempt follows, or the failure is everybody's or a disk's.
        """
        if not self.last:
            return piece()
        try:
            with self.connection.begin_nested():
                return piece()
        except Exception as error:
            if is_shared(error) or isinstance(error.__cause__ or error, OSError):  # no fault of the data: until it works
                raise
            return instead(error)


def unjudged(kind: Kind, error: Exception) -> Evidence:
    """The verdict on what could not be judged."""
    reason = f"could not be judged: {describe(error)}"
    return Evidence(kind=kind, verdict="insufficient", reason=reason, detail={"unjudged": True})
