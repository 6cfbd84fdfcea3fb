"""Categories that are written in another way, and garbage in their place. A new category beside the known ones is neither."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from everfit.evidence.breaks import Break, JudgedDay
from everfit.evidence.column_statistics import as_text, present
from everfit.evidence.day_figures import WORDS
from everfit.evidence.usual.column_ranges import ColumnRange

LEAST_NEW = 0.05  # share of the values beyond the most of a usual day
MOST = 0.9  # of the values that are new: the codes have changed
FREQUENT = 0.1  # of the new values: two of them at least, where there were several codes; one may be a holiday
SCATTERED = 1 / 3  # of the new values that the commonest of garbage makes up at most
SEVERAL = 4  # different values of garbage

_PLAIN = re.compile(r"[\W_]+|(?<!\d)0+(?=\d)")


def recoded_columns(day: JudgedDay) -> Iterator[Break]:
    """Categories with far more new values than on any usual day, of which a change of writing or garbage is the reason."""
    for past, figures in day.measured():
        if past.kind not in WORDS or past.unseen is None:
            continue
        share = past.unseen_share(figures.shares)
        if share <= max(past.unseen.limits(day.chance)[1], past.unseen.high + LEAST_NEW):
            continue
        values = as_text(present(day.rows[past.column])).to_list()
        if words := _explained(past, [value for value in values if value not in past.known], share):
            usual = past.unseen.high
            told = f"{past.column} {words}: {share:.0%} of the values are new, on usual days at most {usual:.0%}"
            yield Break(past.column, "recoded", share, usual, told)


def _explained(past: ColumnRange, new: Sequence[str], share: float) -> str:
    if not new:
        return ""
    counts = Counter(new)
    plain = {_plain(value) for value in past.known}
    example, rows = counts.most_common(1)[0]
    if sum(count for value, count in counts.items() if _plain(value) in plain) >= len(new) / 2:
        return f"is written in another way, such as {example!r}"
    if len(counts) >= SEVERAL and rows <= SCATTERED * len(new):
        return f"holds garbage, such as {example!r}"
    replaced = len(past.known) == 1 or sum(count >= FREQUENT * len(new) for count in counts.values()) > 1
    return f"is coded in another way, such as {example!r}" if share >= MOST and replaced else ""


def _plain(value: str) -> str:
    """Without case, punctuation, spaces and leading zeros."""
    return _PLAIN.sub("", value).casefold()
