"""The days of one champion's quarter, judged as they are and with every case of the list injected."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from zlib import crc32

import polars as pl

from benchmarks._triage_cases import Case, breaks, shifts
from benchmarks._triage_worlds import QUARTER, Days, Record, by_day
from everfit import Model, Source
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, SCORE
from everfit.declaration.retraining import Finding, History
from everfit.evidence import Evidence
from everfit.evidence.day_figures import DayFigures, figures_in
from everfit.evidence.day_profile import DayProfile, profile_requests, profile_source
from everfit.evidence.triage import judge_day, judge_labels, judge_source_day
from everfit.policy.decision import decide

DAY, WEEK = timedelta(days=1), 7
MEMORY = 14  # days before that are held beside the profile's
SINGLE = 2  # the day of the week that is broken alone
FULL = 0.6  # of the usual rows: weeks with emptier days are not injected into

Named = list[tuple[str, str]]
Judge = Callable[[DayProfile, date, pl.DataFrame, Sequence[DayFigures]], Evidence]


@dataclass(slots=True)
class Feed:
    """Days of one kind of rows, what judges them, and the figures of those that were found whole."""

    judge: Judge
    profile: DayProfile
    days: Days
    before: dict[date, list[DayFigures]] = field(default_factory=dict)
    alarmed: set[date] = field(default_factory=set)

    def judged(self, day: date, rows: pl.DataFrame, before: Sequence[DayFigures]) -> Evidence:
        """A day's verdict by the profile and the days before."""
        return self.judge(self.profile, day, rows, before)


@dataclass(frozen=True, slots=True)
class PlainDay:
    """A day of a feed as it is on record, and what was named."""

    world: str
    feed: str
    day: date
    named: Named
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one week of a case: for each of its days what was named, and what was named where one day alone was changed.

    ``right``: a right column was named in the week, ``right_single`` on the single day, ``right_kind`` as what it is.
    ``alarmed_as_recorded``: the feed raises an alarm in that week without any change, too.
    """

    world: str
    case: str
    magnitude: str
    feed: str
    start: date
    days: list[Named]
    single: Named
    right: bool
    right_single: bool
    right_kind: bool
    shift: bool
    alarmed_as_recorded: bool
    asks_for_retraining: int


def named(evidence: Evidence) -> Named:
    """Column and kind of each break."""
    return [(fault["column"], fault["kind"]) for fault in evidence.detail.get("breaks", [])]


def feeds(record: Record, cutoff: datetime) -> dict[str, Feed]:
    """The feeds of a champion of that cutoff: profiles of what was before it, and days from two weeks before it on."""
    model, until = record.model, cutoff + QUARTER
    rows = record.answered(cutoff, until)
    known = rows.filter(pl.col(EVENT_TIME) <= cutoff - model.training.label_delay)
    profile = profile_requests(model, known)
    recent = rows.filter(pl.col(EVENT_TIME) >= cutoff - MEMORY * DAY)
    requests = by_day(recent.drop(LABEL), EVENT_TIME)
    made = {
        "requests": Feed(partial(_requests, record), profile, requests),
        "labels": Feed(partial(_labels, record), profile, by_day(recent.select(EVENT_TIME, LABEL, SCORE), EVENT_TIME)),
    }
    for source in model.sources:
        frame, at = record.sources[source.name], pl.col(source.event_time)
        past = profile_source(source, frame.filter(at < cutoff))
        days = by_day(frame.filter(at.is_between(cutoff - MEMORY * DAY, until, closed="left")), source.event_time)
        made[source.name] = Feed(partial(_source, source), past, days)
    return made


def _requests(record: Record, profile: DayProfile, day: date, rows: pl.DataFrame, before: Sequence[DayFigures]) -> Evidence:
    return judge_day(record.model, profile, day, rows, before=before)


def _labels(record: Record, profile: DayProfile, day: date, rows: pl.DataFrame, before: Sequence[DayFigures]) -> Evidence:
    return judge_labels(record.model, profile, day, rows, before=before)


def _source(source: Source, profile: DayProfile, day: date, rows: pl.DataFrame, before: Sequence[DayFigures]) -> Evidence:
    return judge_source_day(source, profile, day, rows, before=before)


def clean(world: str, name: str, feed: Feed, cutoff: datetime) -> Iterator[PlainDay]:
    """Judge the quarter's days as they are, and remember what was before each."""
    recent: deque[DayFigures] = deque(maxlen=MEMORY)
    for day in sorted(feed.days):
        feed.before[day] = list(recent)
        evidence = feed.judged(day, feed.days[day], feed.before[day])
        figures = figures_in(evidence.detail)
        assert figures is not None
        if evidence.verdict == "alarm":
            feed.alarmed.add(day)
        else:
            recent.append(figures)
        if day >= cutoff.date():
            yield PlainDay(world, name, day, named(evidence), evidence.reason if evidence.verdict == "alarm" else "")


def injected(record: Record, world: str, feed: Feed, case: Case, start: date) -> Outcome:
    """One case in the week from a day on, and in a single day of it."""
    recent: deque[DayFigures] = deque(feed.before[start], maxlen=MEMORY)
    week = [start + number * DAY for number in range(WEEK)]
    verdicts = []
    for number, day in enumerate(week):
        evidence = feed.judged(day, case.change(feed.days[day], seed_of(case, day, number)), list(recent))
        verdicts.append(evidence)
        figures = figures_in(evidence.detail)
        if evidence.verdict != "alarm" and figures:
            recent.append(figures)
    day = week[SINGLE]
    alone = case.change(feed.days[day], seed_of(case, day, SINGLE))
    single = named(feed.judged(day, alone, feed.before[day])) if case.columns else []
    days = [named(evidence) for evidence in verdicts]
    right = {kind for names in days for column, kind in names if column in case.columns}
    return Outcome(
        world=world,
        case=case.name,
        magnitude=case.magnitude,
        feed=case.feed,
        start=start,
        days=days,
        single=single,
        right=bool(right),
        right_single=any(column in case.columns for column, _ in single),
        right_kind=bool(right & case.kinds),
        shift=not case.columns,
        alarmed_as_recorded=bool(feed.alarmed & {*week}),
        asks_for_retraining=_asked(record.model, week, verdicts),
    )


def _asked(model: Model, week: Sequence[date], verdicts: Sequence[Evidence]) -> int:
    """How many of the days that were named broken ask the declared policy for a retraining."""
    asked = 0
    for day, evidence in zip(week, verdicts, strict=True):
        start = datetime.combine(day, time(), UTC)
        finding = Finding("evidence", "quality", evidence.verdict, evidence.reason, start, start + DAY)
        history = History(champion=1, trained_until=start - 2 * DAY, findings=[], requests=[])
        decision = decide(model, start + DAY, [finding], history)
        asked += evidence.verdict == "alarm" and decision.action == "retrain"
    return asked


def seed_of(case: Case, day: date, number: int) -> int:
    """Of a case and a day, the same in every process; its last digit is the day's number in the week."""
    return crc32(f"{case.name} {case.magnitude} {day}".encode()) // 10 * 10 + number


def quarter(world: str, record: Record, cutoff: datetime, chosen: Sequence[date]) -> tuple[list[PlainDay], list[Outcome]]:
    """The days of a champion as they are, and the outcome of each case in each of the chosen weeks."""
    made = feeds(record, cutoff)
    plain = [day for name, feed in made.items() for day in clean(world, name, feed, cutoff)]
    cases = [*breaks(world), *shifts(world)]
    return plain, [injected(record, world, made[case.feed], case, start) for start in chosen for case in cases]


def weeks(record: Record, number: int) -> Mapping[datetime, list[date]]:
    """So many weeks, evenly spread over the time since go-live, by the champion in force; each of seven days with rows."""
    held = _full_days(record)
    mondays = [day for day in sorted(held) if day.weekday() == 0 and all(day + n * DAY in held for n in range(-2, WEEK))]
    first, last = record.cutoffs[0].date(), (record.cutoffs[-1] + QUARTER).date()
    possible = [day for day in mondays if first + DAY <= day < last]
    chosen = {possible[round(at * (len(possible) - 1) / (number - 1))] for at in range(number)}
    return {
        cutoff: sorted(day for day in chosen if cutoff.date() < day and day + WEEK * DAY <= (cutoff + QUARTER).date())
        for cutoff in record.cutoffs
    }


def _full_days(record: Record) -> set[date]:
    sizes = [
        frame.group_by(pl.col(at).dt.date().alias("day")).len()
        for frame, at in [(record.rows, EVENT_TIME), *((record.sources[s.name], s.event_time) for s in record.model.sources)]
    ]
    full = [set(size.filter(pl.col("len") >= FULL * pl.col("len").median())["day"]) for size in sizes]
    return set.intersection(*full)
