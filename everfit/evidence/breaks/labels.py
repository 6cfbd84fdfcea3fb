"""Outcomes that stop or come late, that are all alike, or that contradict the answers."""

from collections.abc import Iterator, Sequence

from everfit.declaration.reserved_columns import LABEL
from everfit.evidence.breaks import Break, JudgedDay
from everfit.evidence.column_ranges import LEAST_VALUES, log_odds, share_of
from everfit.evidence.day_figures import DayFigures
from everfit.evidence.tails import LEAST_DAYS, Range

STOPPED = 0.95  # share of rows without an outcome when it is due that is a break, whatever is usual of the rows trained on
LATE = 0.5  # share of the outcomes that usually are known by then
ALIKE = 0.9  # share of one outcome
INVERTED = -0.25  # of the usual correlation with the answers
GONE = 0.1


def broken_labels(day: JudgedDay, before: Sequence[DayFigures]) -> Iterator[Break]:
    """What is wrong with the outcomes of a day when all of them are due."""
    figures = day.figures.columns.get(LABEL)
    if figures is None:
        return
    missing = _missing(day, figures.nulls, before)
    if missing:
        yield missing
    if figures.values >= LEAST_VALUES:
        yield from _alike(day)
        yield from _against_answers(day)


def _missing(day: JudgedDay, nulls: float, before: Sequence[DayFigures]) -> Break | None:
    """Rows without an outcome. Training rows all have one, so that only days that were judged before tell what is usual."""
    usual = Range.of([figures.columns[LABEL].nulls for figures in before if LABEL in figures.columns])
    if usual is None or usual.days < LEAST_DAYS:
        most, limit = 0.0, STOPPED
    else:
        most = usual.high
        limit = max(1 - LATE * (1 - most), min(usual.limits(day.chance)[1], (STOPPED + most) / 2))
    if nulls <= limit:
        return None
    words = f"{nulls:.0%} of the outcomes are not known when they are due" + (
        f", on usual days at most {most:.0%}" if most else ""
    )
    return Break(LABEL, "labels", nulls, most, words)


def _alike(day: JudgedDay) -> Iterator[Break]:
    """One outcome nearly everywhere, where on every usual day there were others."""
    past = next(column for column in day.profile.columns if column.column == LABEL)
    top = day.figures.columns[LABEL].top
    if past.top is None or top < ALIKE or log_odds(top) <= past.top.limits(day.chance)[1]:
        return
    value = day.rows[LABEL].drop_nulls().mode()[0]
    value = f"{value:g}" if isinstance(value, float) else value
    yield Break(LABEL, "labels", top, share_of(past.top.high), f"{top:.0%} of the outcomes are {value}")


def _against_answers(day: JudgedDay) -> Iterator[Break]:
    """A correlation with the answers that is turned around, or gone."""
    for relation in day.profile.relations:
        found = day.figures.relations.get(relation.name)
        if relation.column != LABEL or found is None or found >= relation.held.limits(day.chance)[0]:
            continue
        left = found / relation.held.middle
        if left <= INVERTED or abs(left) <= GONE:
            what = "contradict the answers" if left <= INVERTED else "have nothing to do with the answers"
            words = f"the outcomes {what}: their correlation is {found:.2f}, on usual days {relation.held.middle:.2f}"
            yield Break(LABEL, "labels", found, relation.held.middle, words)
