"""What a publication changes in the running rows of one key: rows that come and go, and by how much the later ones shift.

Views look at each row by itself. So a row that is added, moved or taken away changes the sums and counts of what became known
later by a constant, and nothing else of it; only where several rows became known at one moment does it take them all to say
what is left.
"""

from collections.abc import Sequence
from datetime import datetime
from operator import add, sub
from typing import NamedTuple

from everfit.features.point_in_time import LARGEST_UNITS
from everfit.features.running_sums import Moment, RunningRow

Whole = tuple[int, ...]


class Touched(NamedTuple):
    """One moment of a key that a publication touches.

    ``known`` and ``replaced`` are what its new rows add there and what the rows that they replace had added; ``held`` is the
    running row of that very moment, ``before`` the newest before it. Each is None where there is none.
    """

    key: str
    at: datetime
    known: Moment | None
    replaced: Moment | None
    held: RunningRow | None
    before: RunningRow | None

    @property
    def is_tied(self) -> bool:
        """Whether rows that are not at hand became known at that moment too."""
        if self.held is None:
            return self.replaced is not None
        return self.replaced is None or self.replaced.rows != self.held.rows


class Shift(NamedTuple):
    """The rows of a key known after one moment, and before another where that is not None, have so much more."""

    key: str
    after: datetime
    before: datetime | None
    sums: Whole
    counts: Whole


class Corrected(NamedTuple):
    """Rows to remove, by key and moment, rows to add, and the shifts of what lies between and after them."""

    gone: list[tuple[str, datetime]]
    rows: list[RunningRow]
    shifts: list[Shift]


def correct(key: str, touched: Sequence[Touched], width: int) -> Corrected | None:
    """What becomes of a key's running rows.

    Args:
        key: the key.
        touched: its touched moments, in order.
        width: how many columns the view takes.

    Returns:
        The changes; None where they do not follow from what is at hand: a moment has other rows too, or a sum leaves 64 bits.
    """
    if any(one.is_tied for one in touched):
        return None
    nothing = (0,) * width
    sums, counts = nothing, nothing
    made = Corrected([], [], [])
    for one, following in zip(touched, [*touched[1:], None], strict=True):
        base = (one.before.sums, one.before.counts) if one.before else (nothing, nothing)
        if one.held:
            made.gone.append((key, one.at))
            sums = _plus(sums, _less(base[0], one.held.sums))
            counts = _plus(counts, _less(base[1], one.held.counts))
            base = one.held.sums, one.held.counts
        if one.known:
            sums, counts = _plus(sums, one.known.units), _plus(counts, one.known.counts)
            row = RunningRow(key, one.at, one.known.values, _plus(base[0], sums), _plus(base[1], counts), one.known.rows)
            if max(map(abs, row.sums)) >= LARGEST_UNITS:
                return None
            made.rows.append(row)
        if any(sums) or any(counts):
            made.shifts.append(Shift(key, one.at, following.at if following else None, sums, counts))
    return made


def _plus(one: Whole, other: Whole) -> Whole:
    return tuple(map(add, one, other))


def _less(one: Whole, other: Whole) -> Whole:
    return tuple(map(sub, one, other))
