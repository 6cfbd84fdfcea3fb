"""Each event day is judged once, when it is over; what is broken is quarantined by day and column, and counts for nothing."""

import math
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
import sqlalchemy as sa

from everfit import Model, QualityPolicy
from everfit.evidence import Evidence
from everfit.evidence.checked_days import DayVerdict
from everfit.evidence.triage import judge_day
from everfit.pipeline import manifests
from everfit.sources.mask_changes import release
from everfit.store import day_verdicts, failures, quarantines
from everfit.store.lake import Lake
from monitors import day_checks
from monitors.pass_result import PassResult
from monitors.window_closing import close_windows
from tests.examples import electricity
from tests.loop import Loop

DAY = timedelta(days=1)
MODEL = electricity().model
BROKEN = MODEL.go_live + 2 * DAY


@pytest.fixture
def loop(engine: sa.Engine, tmp_path: Path) -> Loop:
    """A week, and the beginning of the next, in which the source's demand is stuck for a day."""
    made = Loop(engine, tmp_path, MODEL, electricity().recorded)
    made.bootstrap()
    is_broken = pl.col("period_start").is_between(BROKEN, BROKEN + DAY, closed="left")
    stuck = pl.when(is_broken).then(0.25).otherwise(pl.col("demand"))
    made.recorded = {"half_hours": electricity().recorded["half_hours"].with_columns(demand=stuck)}
    made.play(MODEL.go_live, MODEL.go_live + 7 * DAY + timedelta(hours=2))
    return made


def verdicts(loop: Loop) -> list[DayVerdict]:
    with loop.runtime.engine.connect() as connection:
        return [*day_verdicts.of_span(connection, MODEL.name, (MODEL.go_live, MODEL.go_live + 30 * DAY))]


def close(loop: Loop) -> PassResult:
    seen = PassResult()
    close_windows(loop.runtime.engine, loop.runtime.lake, {MODEL.name: MODEL}, seen, math.inf)
    return seen


def test_a_broken_day_is_quarantined_once_and_the_others_of_its_window_count(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails_on_the_first(model: Model, profile: Any, day: date, *arguments: Any, **options: Any) -> Evidence:
        if day == MODEL.go_live.date():
            raise ValueError("nothing fits")
        return judge_day(model, profile, day, *arguments, **options)

    monkeypatch.setattr(day_checks, "judge_day", fails_on_the_first)
    found = {kind.kind: kind for kind in close(loop).judgements}

    every = verdicts(loop)
    (first,) = (day for day in every if day.verdict == "insufficient")
    days = [day for day in every if day is not first]
    assert (first.day, first.subject, first.detail) == (MODEL.go_live, "requests", {"unjudged": True})
    assert first.reason == "could not be judged: ValueError: nothing fits"
    told = {(day.day, day.subject): day.reason for day in days if day.verdict == "alarm"}
    stuck = "demand is 0.25 in {} of the rows; on usual days no value in more than 4%"
    assert told == {
        (BROKEN, "requests"): stuck.format("98%"),
        (BROKEN, "source half_hours"): stuck.format("100%"),
        (BROKEN + DAY, "requests"): stuck.replace("demand", "demand_yesterday").format("100%"),
    }
    assert [day.subject for day in days[-3:]] == ["labels", "requests", "source half_hours"]
    assert all(sum(day.detail["figures"]["hours"]) == 48 for day in days)
    assert len(days) == 3 * 7 - 1
    with loop.runtime.engine.connect() as connection:
        held = [(each.start, each.end - each.start, each.column) for each in quarantines.of_model(connection, MODEL.name)]
        assert quarantines.excluded_spans(connection, MODEL) == [(BROKEN, BROKEN + DAY), (BROKEN + DAY, BROKEN + 2 * DAY)]
        assert failures.listed(connection) == []
    assert held == [
        (BROKEN, DAY, "demand"),
        (BROKEN, DAY, "half_hours.demand"),
        (BROKEN + DAY, DAY, "demand_yesterday"),
    ]
    assert found["quality"].verdict == "alarm"
    assert found["quality"].detail["days"] == ["1996-09-06", "1996-09-07"]
    assert found["quality"].reason.startswith("1996-09-06: demand is 0.25 in 98% of the rows")
    assert found["quality"].reason.endswith("1996-09-04 could not be judged: ValueError: nothing fits")
    assert (found["drift"].detail["rows"], found["drift"].detail["quarantined_rows"]) == (5 * 48, 2 * 48)
    assert close(loop).judgements == []
    assert len(verdicts(loop)) == 3 * 7

    with loop.runtime.engine.begin() as connection:
        lasting = MODEL.model_copy(update={"quality": QualityPolicy(expires_after=timedelta(days=3))})
        models, end = loop.runtime.models, BROKEN + 4 * DAY
        assert (
            day_checks.expire(connection, models, MODEL, end)
            == day_checks.expire(connection, models, lasting, end - DAY / 2)
            == 0
        )
        assert day_checks.expire(connection, models, lasting, end) == 2, "of the first day"
        every_one = [each for each in quarantines.of_model(connection, MODEL.name) if each.release is None]
        assert quarantines.accepted(connection, MODEL.name) == set()
        assert release(connection, loop.runtime.models, every_one, "ann", "a new meter", accept=True) == 1
        assert quarantines.accepted(connection, MODEL.name) == {("demand_yesterday", "stuck")}
        assert quarantines.accepted(connection, MODEL.name, "demand_") == {("yesterday", "stuck")}


def test_what_is_judged_without_a_profile_of_days_is_told_and_the_window_judged_as_a_whole(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = manifests.get

    def older(lake: Lake, digest: str, kind: type[Any]) -> Any:
        version = whole(lake, digest, kind)
        if kind is not manifests.Version:
            return version
        candidate = msgspec.structs.replace(version.candidate, day_profile=None)
        training_set = msgspec.structs.replace(version.training_set, source_days=[])
        return msgspec.structs.replace(version, candidate=candidate, training_set=training_set)

    monkeypatch.setattr(manifests, "get", older)
    quality = next(each for each in close(loop).judgements if each.kind == "quality")
    assert {day.reason for day in verdicts(loop)} == {"version 1 has no profile of days; the next training makes one"}
    assert quality.reason == "nothing broken in 336 rows"
