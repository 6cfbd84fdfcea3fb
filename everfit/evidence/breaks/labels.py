"""Outcomes that stop or come late, that are all alike, or that contradict the answers."""

from collections.abc import Iterator

from everfit.declaration.reserved_columns import LABEL
from everfit.evidence.breaks import Break, JudgedDay
from everfit.evidence.usual.column_ranges import LEAST_VALUES, share_of
from everfit.evidence.usual.outcome_course import OutcomeCourse
from everfit.evidence.usual.tails import LEAST_DAYS, LONGEST, Range

STOPPED = 0.95  # share of rows without an outcome when it is due that is a break, whatever is usual of the rows trained on
LATE = 0.5  # share of the outcomes that usually are known by then
OTHERS = 1 / 8  # of the share that other outcomes usually have: so few are left
INVERTED = -0.25  # of the usual correlation with the answers
GONE = 0.1


def broken_labels(day: JudgedDay) -> Iterator[Break]:
    """What is wrong with the outcomes of a day when all of them are due."""
    figures = day.figures.columns.get(LABEL)
    if figures is None:
        return
    missing = _missing(day, figures.nulls)
    if missing:
        yield missing
    if figures.values >= LEAST_VALUES and day.profile.outcomes:
        yield from _alike(day, day.profile.outcomes)
        yield from _against_answers(day, day.profile.outcomes)


def _missing(day: JudgedDay, nulls: float) -> Break | None:
    """Rows without an outcome. Training rows all have one, so that only days that were judged before tell what is usual."""
    usual = Range.of([figures.columns[LABEL].nulls for figures in day.before if LABEL in figures.columns])
    if usual is None or usual.days < LEAST_DAYS:
        most, limit = 0.0, STOPPED
    else:
        most = usual.high
        limit = max(1 - LATE * (1 - most), min(usual.limits(day.chance)[1], (STOPPED + most) / 2))
    if nulls <= limit:
        return None
    words = f"{nulls:.0%} of the outcomes are not known when they are due, on usual days at most {most:.0%}"
    return Break(LABEL, "labels", nulls, most, words)


def _alike(day: JudgedDay, usual: OutcomeCourse) -> Iterator[Break]:
    """One outcome nearly everywhere, where on usual days there are others."""
    now = usual.odds(day.figures)
    if usual.alike is None or now is None:
        return
    past = [odds for figures in day.before[1 - LONGEST :] if (odds := usual.odds(figures)) is not None]
    odds, days = usual.alike.beyond([*past, now], day.chance)
    share, often = share_of(odds), share_of(usual.alike.single.middle)
    if share < often:
        share, often = 1 - share, 1 - often
    if not days or 1 - share > OTHERS * (1 - often):
        return
    value = day.rows[LABEL].drop_nulls().mode()[0]
    value = f"{value:g}" if isinstance(value, float) else value
    when = "" if days == 1 else f" over {days} days"
    yield Break(LABEL, "labels", share, often, f"{share:.0%} of the outcomes are {value}{when}", days)


def _against_answers(day: JudgedDay, usual: OutcomeCourse) -> Iterator[Break]:
    """A correlation with the answers that is turned around, or gone."""
    now = usual.agreement(day.figures)
    if usual.agreeing is None or now is None:
        return
    past = [found for figures in day.before[1 - LONGEST :] if (found := usual.agreement(figures)) is not None]
    found, days = usual.agreeing.beyond([*past, now], day.chance)
    middle = usual.agreeing.single.middle
    turned, gone = found <= INVERTED * middle, days > 1 and abs(found) <= GONE * middle
    if days and (turned or gone):
        what = "contradict the answers" if turned else f"have had nothing to do with the answers for {days} days"
        words = f"the outcomes {what}: their correlation is {found:.2f}, on usual days {middle:.2f}"
        yield Break(LABEL, "labels", found, middle, words, days)
