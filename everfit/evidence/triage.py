"""Triage: is a day broken? Held against the training time's own days, and against the days before it that were not.

Structural breaks only, each of which names its column and its figure; a change of distribution is drift. All checks of all
columns together share one budget, ``QualityPolicy.false_quarantines_per_year``.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from everfit.declaration import Integer, Model, Number, QualityPolicy, Source
from everfit.declaration.reserved_columns import LABEL, SCHEMA, SCORE
from everfit.evidence import Evidence
from everfit.evidence.breaks import EVERY, Break, JudgedDay
from everfit.evidence.breaks.labels import broken_labels
from everfit.evidence.breaks.recoded import recoded_columns
from everfit.evidence.breaks.relations import broken_clocks, broken_relations
from everfit.evidence.breaks.swapped import swapped_columns
from everfit.evidence.breaks.units import broken_units
from everfit.evidence.breaks.values import Bounds, broken_bounds, broken_nulls, broken_stuck
from everfit.evidence.breaks.volume import broken_volume
from everfit.evidence.day_figures import DayFigures
from everfit.evidence.day_profile import OUTCOMES, DayProfile
from everfit.evidence.propensity import drawn_by_chance
from everfit.evidence.relations import RankedDay
from everfit.evidence.tails import LEAST_DAYS

if TYPE_CHECKING:
    import polars as pl

DAYS_A_YEAR = 365.25
CHECKS_PER_COLUMN, CHECKS_OF_ROWS, CHECKS_OF_LABELS = 8, 4, 6

Accepted = Collection[tuple[str, str]]  # column and kind of what a person has released as the new usual


def judge_day(
    model: Model,
    profile: DayProfile,
    day: date,
    rows: "pl.DataFrame",
    *,
    before: Sequence[DayFigures] = (),
    accepted: Accepted = (),
    whole: bool = True,
    schemas: Collection[str] = (),
    gone: Collection[str] = (),
) -> Evidence:
    """Judge one event day of a version's requests: their fields, the views' features and, where they are there, the answers.

    Args:
        model: the declaration, for the bounds of the request's fields and the budget.
        profile: the version's (:func:`everfit.evidence.day_profile.profile_requests`).
        day: UTC.
        rows: of that day: EVENT_TIME, the features, SCORE, and SCHEMA as it was logged.
        before: figures of the newest days before that were not broken, oldest first; of two weeks each weekday is there twice.
        accepted: breaks that a person has released: what is now usual is not raised again.
        whole: whether these are all requests of the day; of a share of them the volume says nothing.
        schemas: ids of those that were ever declared; the version's own and the declared one need not be among them.
        gone: features of the version that the declaration gave up: they are null, and that is no break.

    Returns:
        An alarm where anything is broken. ``detail``: ``rows``; ``breaks``, each with column, kind, figure, usual, words and
        days; ``by_column``, the reasons by column or ``*``; ``figures``, for ``before`` of later days.
    """
    known = {profile.schema, model.schema_id, *schemas}
    unknown = sorted(set(rows[SCHEMA].unique()) - known) if SCHEMA in rows.columns else []
    told = [Break(EVERY, "schema", 1.0, 0.0, f"schema {', '.join(unknown)}, which nobody declared")] if unknown else []
    bounds = [(c.name, c.between) for c in model.request if isinstance(c, Number | Integer) and c.between]
    watched = [name for name, _ in profile.features if name not in (*gone, LABEL)]
    if SCORE not in rows.columns:
        watched = [name for name in watched if name != SCORE]
    return _judge(profile, watched, day, rows, before, accepted, model.quality, bounds=bounds, whole=whole, told=told)


def judge_source_day(
    source: Source,
    profile: DayProfile,
    day: date,
    rows: "pl.DataFrame",
    *,
    before: Sequence[DayFigures] = (),
    accepted: Accepted = (),
    policy: QualityPolicy | None = None,
) -> Evidence:
    """Judge one event day of a source's rows, as :func:`judge_day` does requests.

    Args:
        source: the declaration, for the bounds of its columns.
        profile: of the source's rows (:func:`everfit.evidence.day_profile.profile_source`).
        day: UTC.
        rows: of that day, by the source's columns.
        before: figures of the newest days before that were not broken, oldest first.
        accepted: breaks that a person has released.
        policy: the budget and tolerance; by default those of a model that declares none.
    """
    bounds = [(c.name, c.between) for c in source.columns if isinstance(c, Number | Integer) and c.between]
    watched = [name for name, _ in profile.features]
    return _judge(profile, watched, day, rows, before, accepted, policy or QualityPolicy(), bounds=bounds)


def judge_labels(
    model: Model,
    profile: DayProfile,
    day: date,
    rows: "pl.DataFrame",
    *,
    before: Sequence[DayFigures] = (),
    accepted: Accepted = (),
) -> Evidence:
    """Judge the outcomes of one event day, once all of them are due.

    Args:
        model: the declaration, for the label's name and the budget.
        profile: the version's, of training rows with LABEL and SCORE.
        day: UTC.
        rows: all requests of that day: EVENT_TIME, LABEL, null where it is not known, and SCORE; where the model explores,
            EXPLORED, and the explored ones are judged: what becomes of others depends on the answers.
        before: figures of earlier days by this function that were not broken, oldest first.
        accepted: breaks that a person has released.
    """
    rows = drawn_by_chance(model, rows)
    usual = profile.only(OUTCOMES).with_days(before)
    ranked = usual.ranked(rows)
    figures = usual.figures(day, rows, ranked)
    chance = model.quality.false_quarantines_per_year / DAYS_A_YEAR / CHECKS_OF_LABELS
    judged = JudgedDay(usual, figures, rows, chance)
    found = list(broken_labels(judged, before)) if usual.days >= LEAST_DAYS and rows.height else []
    if any(column.column == LABEL and column.is_measure for column in usual.columns):
        found += [fault for fault in _of_columns(judged, ranked, [f.column for f in found]) if fault.column == LABEL]
    named = [msgspec.structs.replace(f, column=model.label, words=f.words.replace(LABEL, model.label)) for f in found]
    return _verdict(named, accepted, day, usual, figures)


def _judge(
    profile: DayProfile,
    watched: Sequence[str],
    day: date,
    rows: "pl.DataFrame",
    before: Sequence[DayFigures],
    accepted: Accepted,
    policy: QualityPolicy,
    *,
    bounds: Bounds,
    whole: bool = True,
    told: Sequence[Break] = (),
) -> Evidence:
    usual = profile.only(watched).with_days(before)
    ranked = usual.ranked(rows)
    figures = usual.figures(day, rows, ranked)
    chance = policy.false_quarantines_per_year / DAYS_A_YEAR / (CHECKS_OF_ROWS + CHECKS_PER_COLUMN * len(watched))
    judged = JudgedDay(usual, figures, rows, chance)
    found = [*told, *_absent(watched, rows), *broken_bounds(judged, bounds, policy.out_of_bounds)]
    if usual.days >= LEAST_DAYS:
        found += broken_volume(judged) if whole else ()
        found += _of_columns(judged, ranked, [fault.column for fault in found])
    return _verdict(found, accepted, day, usual, figures)


def _verdict(found: Sequence[Break], accepted: Accepted, day: date, usual: DayProfile, figures: DayFigures) -> Evidence:
    breaks = [fault for fault in found if (fault.column, fault.kind) not in accepted]
    detail = {"rows": figures.rows, "figures": msgspec.to_builtins(figures)}
    if breaks:
        detail |= {"breaks": [fault.told([day]) for fault in breaks], "by_column": _by_column(breaks)}
        reason = "; ".join(dict.fromkeys(fault.words for fault in breaks))
        return Evidence(verdict="alarm", statistic=float(len(breaks)), threshold=1.0, reason=reason, detail=detail)
    if usual.days < LEAST_DAYS:
        reason = f"{usual.days} whole days to compare with; fewer than {LEAST_DAYS} do not tell what is usual"
        return Evidence(verdict="insufficient", reason=reason, detail=detail)
    reason = f"nothing broken in {figures.rows} rows"
    return Evidence(verdict="ok", statistic=0.0, threshold=1.0, reason=reason, detail=detail | {"breaks": [], "by_column": {}})


def _absent(watched: Iterable[str], rows: "pl.DataFrame") -> Iterator[Break]:
    for name in watched:
        if name not in rows.columns:
            yield Break(name, "schema", 1.0, 0.0, f"no column {name}; the rows have {', '.join(rows.columns)}")


def _of_columns(day: JudgedDay, ranked: RankedDay, named: Collection[str]) -> Iterator[Break]:
    """What is wrong with columns: of each what explains most, as a column that is stuck hangs together with none."""
    known = {*named}
    for finder in (broken_nulls, broken_stuck, swapped_columns, recoded_columns, broken_units):
        found = [fault for fault in finder(day) if fault.column not in known]
        known |= {fault.column for fault in found}
        yield from found
    clocks = [fault for fault in broken_clocks(day, ranked) if fault.column not in known]
    yield from clocks
    if EVERY not in {*named, *(fault.column for fault in clocks)}:
        yield from broken_relations(day, known | {fault.column for fault in clocks})


def _by_column(breaks: Sequence[Break]) -> dict[str, str]:
    columns = dict.fromkeys(fault.column for fault in breaks)
    return {column: "; ".join(fault.words for fault in breaks if fault.column == column) for column in columns}
