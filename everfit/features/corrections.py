"""What a publication changes in the running rows of a key: rows to add, rows to remove, and shifts of the later rows.

Views treat each row by itself. So a row that is added, moved or removed changes the sums and counts of later rows by a constant
and nothing else; only where several rows became known at the same moment are all of them needed to compute what remains.
"""

from collections.abc import Sequence
from datetime import datetime
from operator import add, sub
from typing import NamedTuple

from everfit.features.point_in_time import LARGEST_UNITS
from everfit.features.running_sums import Moment, RunningRow

Whole = tuple[int, ...]


class TouchedMoment(NamedTuple):
    """A moment of a key that a publication touches.

    ``known`` and ``replaced`` are what its new rows add and what the replaced rows had added; ``current`` is the running row of
    that moment, ``before`` the newest before it. Each is None where there is none.
    """

    key: str
    at: datetime
    known: Moment | None
    replaced: Moment | None
    current: RunningRow | None
    before: RunningRow | None

    @property
    def is_tied(self) -> bool:
        """Whether further rows, which are not given here, became known at that moment."""
        if self.current is None:
            return self.replaced is not None
        return self.replaced is None or self.replaced.rows != self.current.rows


class Shift(NamedTuple):
    """What is added to the rows of a key known after a moment and before another; None is no limit."""

    key: str
    after: datetime
    before: datetime | None
    sums: Whole
    counts: Whole


class Corrected(NamedTuple):
    """Rows to remove, by key and moment, rows to add, and the shifts of the rows between and after them."""

    gone: list[tuple[str, datetime]]
    rows: list[RunningRow]
    shifts: list[Shift]


def correct(key: str, touched: Sequence[TouchedMoment], width: int) -> Corrected | None:
    """The changes of a key's running rows.

    Args:
        key: the key.
        touched: the touched moments, in order.
        width: number of columns that the view takes.

    Returns:
        The changes; None where these arguments do not suffice: a moment has further rows, or a sum exceeds 64 bits.
    """
    if any(moment.is_tied for moment in touched):
        return None
    nothing = (0,) * width
    sums, counts = nothing, nothing
    made = Corrected([], [], [])
    for moment, following in zip(touched, [*touched[1:], None], strict=True):
        base = (moment.before.sums, moment.before.counts) if moment.before else (nothing, nothing)
        if moment.current:
            made.gone.append((key, moment.at))
            sums = _plus(sums, _less(base[0], moment.current.sums))
            counts = _plus(counts, _less(base[1], moment.current.counts))
            base = moment.current.sums, moment.current.counts
        if moment.known:
            sums, counts = _plus(sums, moment.known.units), _plus(counts, moment.known.counts)
            row = RunningRow(
                key, moment.at, moment.known.values, _plus(base[0], sums), _plus(base[1], counts), moment.known.rows
            )
            if max(map(abs, row.sums)) >= LARGEST_UNITS:
                return None
            made.rows.append(row)
        if any(sums) or any(counts):
            made.shifts.append(Shift(key, moment.at, following.at if following else None, sums, counts))
    return made


def _plus(first: Whole, second: Whole) -> Whole:
    return tuple(map(add, first, second))


def _less(first: Whole, second: Whole) -> Whole:
    return tuple(map(sub, first, second))
