"""Judge each event day once, when the model's clock has passed its end: its requests, the rows of the model's sources, and its
outcomes, when all of them are due.

What is broken is quarantined, to the day and column, in the transaction that writes the verdict.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from typing import NamedTuple

import sqlalchemy as sa

from everfit.declaration import Model, Source
from everfit.declaration.window_grid import Span
from everfit.evidence import Evidence
from everfit.evidence.checked_days import LABELS, REQUESTS, SOURCE, DayVerdict
from everfit.evidence.day_figures import DayFigures, figures_in
from everfit.evidence.triage import judge_day, judge_labels, judge_source_day
from everfit.features.spans import DAY
from everfit.sources.mask_changes import following, release
from everfit.store import closed_windows, day_verdicts, frames, ledger, log, model_clocks, quarantines
from everfit.store.failures import Part
from everfit.store.isolation import Isolation
from everfit.store.lake import Lake
from everfit.timing import format_duration, midnight
from monitors.attempts import Attempt, unjudged
from monitors.version_share import VersionShare

ACTOR = "everfit"
MOST_BEFORE = 14  # days that extend what is usual: each weekday twice


class DueDay(NamedTuple):
    """A day of a subject that is over, and not judged yet."""

    subject: str
    day: datetime

    @property
    def span(self) -> Span:
        return self.day, self.day + DAY


def due(connection: sa.Connection, models: Sequence[Model]) -> dict[str, DueDay]:
    """The oldest day that is due, by model; a model of which none is due, or that has no champion to judge by, is not there."""
    clocks = model_clocks.read_all(connection, models)
    judged = day_verdicts.newest(connection, [model.name for model in models])
    waiting = {}
    for model in models:
        days = [day for day in _next_days(connection, model, judged) if _is_over(model, day, clocks.get(model.name))]
        if days and ledger.champion(connection, model.name):
            waiting[model.name] = min(days, key=lambda day: (day.day, day.subject != REQUESTS))
    return waiting


def check_days(engine: sa.Engine, lake: Lake, models: Mapping[str, Model], deadline: float) -> None:
    """Judge every day that is due, the oldest first, each in a transaction of its own.

    Of one that cannot be judged that is the verdict, and its window is judged as a whole. Only where a service or a disk fails
    is it tried again.
    """
    with engine.connect() as connection:
        waiting = due(connection, [*models.values()])
    for name in waiting:
        while time.monotonic() < deadline and _check_next(engine, lake, models, models[name]):
            continue


def is_behind(connection: sa.Connection, model: Model, until: datetime) -> bool:
    """Whether a day that ends by then is due: no window that holds it closes before."""
    day = due(connection, [model]).get(model.name)
    return day is not None and day.span[1] <= until


def _next_days(connection: sa.Connection, model: Model, judged: Mapping[tuple[str, str], datetime]) -> Iterator[DueDay]:
    """The day after the newest that was judged, of each subject; at first, the first whole day that no window has closed."""
    for subject in (REQUESTS, LABELS, *(f"{SOURCE}{source.name}" for source in model.sources)):
        newest = judged.get((model.name, subject))
        if newest is None:
            since = closed_windows.closed_until(connection, model)
            first = midnight(since.date())
            yield DueDay(subject, first if first == since else first + DAY)
        else:
            yield DueDay(subject, newest + DAY)


def _is_over(model: Model, due_day: DueDay, clock: datetime | None) -> bool:
    """Whether the clock has passed the day, and its outcomes are due, or a source's rows of it would have landed."""
    if clock is None or clock < due_day.span[1]:
        return False
    if due_day.subject == LABELS:
        return clock >= due_day.span[1] + model.training.label_delay
    source = _source(model, due_day.subject)
    return source is None or clock + model.log.lateness >= due_day.span[1] + source.known_after


def _check_next(engine: sa.Engine, lake: Lake, models: Mapping[str, Model], model: Model) -> bool:
    """Judge the oldest day that is due; False where none is, or where it could not be written and waits to be tried again."""
    check = partial(_check, engine, lake, models, model)
    return bool(Isolation(engine).attempt(Part(model.name, "day"), check, retry_after=model.limits.retry_after))


def _check(engine: sa.Engine, lake: Lake, models: Mapping[str, Model], model: Model) -> bool:
    with engine.begin() as connection:
        log.lock_windows(connection, model.name)
        day = due(connection, [model]).get(model.name)
        if day is not None:
            source = _source(model, day.subject)
            with following(connection, models, source) if source else nullcontext():
                _judge(connection, lake, model, day)
            expire(connection, models, model, day.span[1])
    return day is not None


def expire(connection: sa.Connection, models: Mapping[str, Model], model: Model, at: datetime) -> int:
    """Release the quarantines that have lasted as long as declared by a moment of the model's clock; returns how many."""
    lasts = model.quality.expires_after
    if lasts is None:
        return 0
    old = [held for held in quarantines.of_model(connection, model.name) if not held.release and held.end + lasts <= at]
    return release(connection, models, old, ACTOR, f"expired: declared to last {format_duration(lasts)}")


def _judge(connection: sa.Connection, lake: Lake, model: Model, day: DueDay) -> None:
    """Write the verdict, and quarantine what is broken."""
    share = _share(connection, lake, model, day.span)
    evidence = Attempt(connection, is_last=True)(partial(_evidence, connection, model, day, share), unjudged)
    verdict = DayVerdict(day.day, day.subject, share.version, evidence.verdict, evidence.reason, evidence.detail)
    if day_verdicts.record(connection, model, verdict, model.windows.complete_at(day.span[1])):
        quarantines.put(connection, model.name, day.span, verdict.by_column, verdict.kinds)


def _share(connection: sa.Connection, lake: Lake, model: Model, span: Span) -> VersionShare:
    """What the version answered that answered most of the day, or the champion, where the ledger knows none that did."""
    counts = frames.answered(connection, model, span)
    known = [ledger.recorded(connection, model.name, version) for version in sorted(counts, key=lambda v: -counts[v])]
    promoted = next((version for version in known if version), None) or ledger.champion(connection, model.name)
    assert promoted is not None, "a day is due where there is a champion"
    count = counts.get(promoted.version, 0)
    return VersionShare(connection, lake, model, span, promoted, count, count == sum(counts.values()))


def _evidence(connection: sa.Connection, model: Model, due_day: DueDay, share: VersionShare) -> Evidence:
    """What of the day is broken, held against what training time looked like and the newest days that were not broken."""
    day, before = due_day.day.date(), _before(connection, model, due_day)
    source = _source(model, due_day.subject)
    accepted = quarantines.accepted(connection, model.name, f"{source.name}." if source else "")
    profile = share.manifest.candidate.day_profile
    if source:
        profile = next((days for days in share.manifest.training_set.source_days if days.schema == source.name), None)
    if profile is None:
        return Evidence(
            verdict="insufficient", reason=f"version {share.version} has no profile of days; the next training makes one"
        )
    if source:
        rows, policy = frames.landed(connection, source, due_day.span), model.quality
        return judge_source_day(source, profile, day, rows, before=before, accepted=accepted, policy=policy)
    if due_day.subject == LABELS:
        outcomes = share.outcomes(model.training.label_delay)
        return judge_labels(model, profile, day, outcomes, before=before, accepted=accepted)
    return judge_day(
        model,
        profile,
        day,
        share.answered,
        before=before,
        accepted=accepted,
        whole=share.is_whole and not share.is_sample,
        schemas=share.schemas,
        gone=[name for name, kind in share.inputs if (name, kind) not in model.features],
    )


def _before(connection: sa.Connection, model: Model, day: DueDay) -> list[DayFigures]:
    days = day_verdicts.whole(connection, model.name, day.subject, before=day.day, most=MOST_BEFORE)
    return [figures for verdict in days if (figures := figures_in(verdict.detail))]


def _source(model: Model, subject: str) -> Source | None:
    return next((source for source in model.sources if subject == f"{SOURCE}{source.name}"), None)
