"""What happens when: the order of the outside world."""

from datetime import UTC, datetime, timedelta
from typing import Any

import narwhals.stable.v2 as nw
import polars as pl
import pytest

from everfit import BinaryClassification, Category, FreshnessPolicy, GradientBoosting, Integer, Model, Number, Source, Time
from everfit.errors import SourceError
from everfit.replay.timeline import published, timeline

LIVE = datetime(2024, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_model(entities: list[str], *, hours: range = range(-4, 6), on_record: bool = True, every: int = 1) -> Model:
    """A model of hourly readings, each published an hour later; every so many are asked about when they begin, and known
    when published."""
    frame = pl.DataFrame(
        [{"at": LIVE + hour * HOUR, "meter": meter, "load": float(hour)} for hour in hours for meter in entities],
        schema={"at": pl.Datetime("us", "UTC"), "meter": pl.String, "load": pl.Float64},
    ).with_row_index("number")
    readings = Source(
        name="readings",
        columns=[Time("at"), Category("meter"), Number("load"), Integer("number")],
        identity=["meter", "at"],
        event_time="at",
        known_after="1h",
        recorded=(lambda: frame) if on_record else None,
    )

    def labelled(readings: Any) -> Any:
        known = readings.with_columns(event_time=nw.col("at"), observed_at=nw.col("at").dt.offset_by("1h"))
        asked = known.filter((nw.col("load") % every) == 0)
        return asked.with_columns(high=(nw.col("load") > 0).cast(nw.Int64))

    return Model(
        name="meters",
        task=BinaryClassification(label="high"),
        entity="meter",
        event_time="at",
        go_live=LIVE,
        sources=[readings],
        request=[Category("meter")],
        history=labelled,
        candidates=[GradientBoosting()],
        freshness=FreshnessPolicy(max_training_age="30d"),
    )


def test_a_request_sees_the_row_published_at_its_moment_and_its_answer_comes_later() -> None:
    instants = list(timeline(a_model(["a"]), LIVE, LIVE + 3 * HOUR))

    assert [instant.at for instant in instants] == [LIVE, LIVE + HOUR, LIVE + 2 * HOUR]
    assert [[row["load"] for row in instant.rows["readings"]] for instant in instants] == [[-1.0], [0.0], [1.0]]
    assert [[request.event_time for request in instant.requests] for instant in instants] == [[i.at] for i in instants]
    assert [[outcome.outcome for _, outcome in instant.outcomes] for instant in instants] == [[], [0.0], [1.0]]
    assert instants[1].outcomes[0][1].request_id == instants[0].requests[0].request_id == "meters-2024-01-08T00:00:00Z-a"


def test_the_end_is_exclusive_and_ranges_that_meet_play_everything_once() -> None:
    model = a_model(["a", "b"])
    whole = list(timeline(model, LIVE, LIVE + 4 * HOUR))
    halves = [*timeline(model, LIVE, LIVE + 2 * HOUR), *timeline(model, LIVE + 2 * HOUR, LIVE + 4 * HOUR)]

    assert halves == whole


def test_requests_that_share_a_moment_are_told_apart_by_their_entity() -> None:
    first = next(timeline(a_model(["a", "b"]), LIVE, LIVE + HOUR))

    assert [r.request_id[-5:] for r in first.requests] == ["00Z-a", "00Z-b"]
    assert [r.inputs for r in first.requests] == [{"meter": "a"}, {"meter": "b"}]


def test_requests_that_share_moment_and_entity_need_an_identity() -> None:
    with pytest.raises(SourceError, match=r"20 requests that share event time and meter, such as meters-2024-01-07T20:00:00"):
        next(timeline(a_model(["a", "a"]), LIVE, LIVE + HOUR))

    numbered = a_model(["a", "a"]).model_copy(update={"identity": ["meter", "number"]})
    first = next(timeline(numbered, LIVE, LIVE + HOUR))
    assert [r.request_id[-4:] for r in first.requests] == ["-a-8", "-a-9"]


def test_what_becomes_known_between_two_requests_is_played_with_the_later() -> None:
    rare = a_model(["a"], every=3)
    instants = list(timeline(rare, LIVE, LIVE + 6 * HOUR))

    assert [instant.at for instant in instants] == [LIVE, LIVE + 3 * HOUR, LIVE + 5 * HOUR]
    assert [[row["load"] for row in instant.rows["readings"]] for instant in instants] == [[-1.0], [0.0, 1.0, 2.0], [3.0, 4.0]]
    assert [len(instant.outcomes) for instant in instants] == [0, 1, 1]
    assert instants[2].requests == []


def test_what_was_known_before_a_moment_can_be_had_at_once() -> None:
    source = a_model(["a"]).source("readings")

    assert published(source, None, LIVE)["load"].to_list() == [-4.0, -3.0, -2.0]
    assert published(source, LIVE, LIVE + HOUR)["_known_at"].to_list() == [LIVE]


def test_a_source_without_a_record_has_nothing_to_publish_and_cannot_be_asked_about() -> None:
    unrecorded = a_model(["a"], on_record=False)
    assert published(unrecorded.source("readings"), None, LIVE).is_empty()
    with pytest.raises(SourceError, match="source readings has no recorded rows to replay; declare it with recorded="):
        list(timeline(unrecorded, LIVE, LIVE + HOUR))
