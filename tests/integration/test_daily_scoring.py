"""A table of requests is scored a day at a time into the log, each request once, whatever is repeated or interrupted."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
import sqlalchemy as sa

from assets.scored_requests import scored_requests
from everfit import BatchScoring, Category, Integer, Number, Source, Time, latest
from everfit.declaration.reserved_columns import REQUEST_ID
from everfit.declaration.rollouts import Stage
from everfit.environment.settings import Settings
from everfit.errors import ServiceError
from everfit.features.running_sums import key_of
from everfit.pipeline import rollout_changes
from everfit.registry import InMemoryRegistry
from everfit.runtime import Runtime
from everfit.serving import scored_days
from everfit.serving.assignment import is_challenged
from everfit.serving.batch_answers import answer_rows
from everfit.serving.batch_roles import TableVersions
from everfit.serving.batch_scoring import score_table
from everfit.serving.producer import KafkaLogProducer, Record
from everfit.serving.scored_days import due_days, score_day, score_days
from everfit.sources.publication import publish
from everfit.store import ledger, model_clocks, rollouts
from everfit.store.ledger import Entry
from everfit.store.rollouts import Rollout
from everfit.store.tables import predictions
from everfit.timing import wall_clock
from monitors.live_comparison import live_day
from monitors.log_pass import run_pass
from orchestration.scoring_schedules import scorings
from tests.pumps import START, pumps, reading, view_of
from tests.serving import MemoryProducer, artifact, graph

ASKED = Source(
    name="asked",
    columns=[Integer("number"), Category("pump"), Number("load", nullable=True), Integer("visit", nullable=True), Time("at")],
    identity=["number"],
    event_time="at",
)
BATCH = BatchScoring(at="04:30", requests=ASKED)
PLAIN = pumps(
    view_of(latest("vibration", "temperature")),
    request=[Category("pump"), Number("load", nullable=True)],
    identity=["pump", "visit"],
    batch=BATCH,
)
MODEL = PLAIN.model_copy(update={"sources": [*PLAIN.sources, ASKED]})
DAYS = timedelta(days=1)
DAY, NEXT, EMPTY = "2020-01-01", "2020-01-03", "2020-01-02"


def asked(number: int, hour: float, **changes: Any) -> Mapping[str, Any]:
    return {"number": number, "pump": "a", "load": 0.1 * number, "visit": number, "at": START + timedelta(hours=hour)} | changes


@pytest.fixture
def runtime(engine: sa.Engine, kafka: str, tmp_path: Path) -> Runtime:
    """Published readings and requests, and two versions, of which nobody promoted one."""
    registry = InMemoryRegistry()
    for bias in (0.25, 0.75):
        registry.register(MODEL.name, artifact(MODEL, graph(MODEL, bias)), above=0)
    url = engine.url.render_as_string(hide_password=False)
    runtime = Runtime(Settings(tmp_path, url, kafka, "", "", "", tmp_path / "lake"), {MODEL.name: MODEL}, registry)
    runtime.__dict__["engine"] = engine
    readings = [reading(n, "a", n, vibration=0.1 * n, temperature=10.0 / n) for n in range(1, 60)]
    publish(engine, runtime.models, "readings", readings)
    rows = [
        asked(0, -1.0),
        asked(1, 0.5),
        asked(2, 1.0),
        asked(3, 1.0, load=None),
        asked(4, 1.0, visit=3),
        asked(5, 2.0, visit=None),
    ]
    publish(engine, runtime.models, "asked", [*rows, asked(6, 49.0)])
    return runtime


def promote(runtime: Runtime, version: int) -> None:
    with runtime.engine.begin() as connection:
        detail = {"manifest": "m", "trained_until": "2020-01-01T00:00:00Z"}
        entry = Entry(MODEL.name, "promoted", None, version, "test", "initial", "", None, START, detail)
        ledger.append(connection, entry)


def due(runtime: Runtime) -> list[str]:
    with runtime.engine.connect() as connection:
        return due_days(connection, MODEL, wall_clock().date())


def logged(runtime: Runtime) -> pl.DataFrame:
    """What the log's reader stores."""
    run_pass(runtime.engine, runtime.lake, runtime.settings.kafka, runtime.models, linger_seconds=0.0)
    columns = predictions.c
    query = sa.select(columns.request_id, columns.version, columns.score, columns.role).order_by(
        columns.event_time, columns.request_id
    )
    with runtime.engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(query)]
    return pl.DataFrame(found, schema=[REQUEST_ID, "version", "score", "role"], orient="row")


def test_days_are_scored_into_the_log_and_each_request_once(runtime: Runtime) -> None:
    now = wall_clock()
    with dg.DagsterInstance.ephemeral() as instance:
        skipped = scorings(instance, runtime, [MODEL.name], now)
        assert isinstance(skipped, dg.SkipReason)
        assert "pumps has no champion yet; train and promote one" in str(skipped.skip_message)
        promote(runtime, 1)
        launched = scorings(instance, runtime, [MODEL.name], now)
        assert not isinstance(launched, dg.SkipReason)
        ranges = [
            (one.tags["dagster/asset_partition_range_start"], one.tags["dagster/asset_partition_range_end"]) for one in launched
        ]
        assert ranges == [(DAY, DAY), (NEXT, NEXT)]
        assert due(runtime) == [DAY, NEXT]
        assert dg.materialize(
            [scored_requests(MODEL, BATCH)],
            instance=instance,
            tags=launched[0].tags,
            resources={"everfit": runtime},
            selection=[dg.AssetKey([MODEL.name, "scored_requests"])],
        ).success
        (record,) = instance.fetch_materializations(dg.AssetKey([MODEL.name, "scored_requests"]), limit=9).records
        event = record.asset_materialization
        assert event is not None
        told: dict[str, Any] = {name: value.value for name, value in event.metadata.items()}
        assert event.partition == DAY
        assert (told["rows scored"], told["degraded"], told["problems"], told["version"]) == (3, 0, 2, "1")
        assert "one of these is null; correct the row" in told["why rows have no answer"]
        assert "name in identity=[…] the columns that tell them apart" in told["why rows have no answer"]
    stored = logged(runtime)
    assert stored[REQUEST_ID].to_list() == [
        "pumps-2020-01-01T00:30:00Z-a-1",
        "pumps-2020-01-01T01:00:00Z-a-2",
        "pumps-2020-01-01T01:00:00Z-a-3",
    ]
    table = pl.DataFrame([asked(1, 0.5), asked(2, 1.0), asked(3, 1.0, load=None)]).rename({"at": "event_time"})
    assert stored["score"].to_list() == score_table(runtime, MODEL, table, 1)["_score"].to_list()
    with runtime.engine.connect() as connection:
        assert model_clocks.read(connection, MODEL) is not None
    promote(runtime, 2)
    again, empty, later = score_days(runtime, MODEL, [NEXT, DAY, EMPTY], now)
    assert [(one.day, one.rows, one.scored, list(one.versions)) for one in (again, empty, later)] == [
        (DAY, 5, 3, [1]),
        (EMPTY, 0, 0, []),
        (NEXT, 1, 1, [2]),
    ]
    assert len(again.problems) == 2
    assert (due(runtime), logged(runtime).height) == ([], 4)
    assert logged(runtime).head(3).equals(stored)
    publish(runtime.engine, runtime.models, "asked", [asked(5, 2.0, visit=9)])
    assert due(runtime) == [DAY]
    (corrected,) = score_days(runtime, MODEL, [DAY], now)
    assert (corrected.scored, len(corrected.problems), list(corrected.versions)) == (4, 1, [1, 2])
    assert logged(runtime)["version"].to_list() == [1, 1, 1, 2, 2]


def test_versions_beside_the_champion_answer_the_rows_as_requests(runtime: Runtime) -> None:
    """So a rollout and the guard have both versions' answers; a shadow that cannot be loaded is left out."""
    registry: Any = runtime.registry
    registry.register(MODEL.name, artifact(MODEL, graph(MODEL, 0.5)), above=0)
    registry.pointers[MODEL.name, "shadow"] = 9
    promote(runtime, 1)
    promote(runtime, 2)
    share = 0.5
    canary = Stage(kind="canary", seconds=86400, share=share, unit="load")
    guarded = Rollout("g", MODEL.name, 2, 1, [Stage(kind="guard", seconds=86400)], 0, START - DAYS, state="provisional")
    challenging = Rollout("c", MODEL.name, 3, 2, [canary], 0, START - DAYS)
    with runtime.engine.begin() as connection:
        rollouts.add(connection, guarded)
        rollouts.add(connection, challenging)
    publish(runtime.engine, runtime.models, "asked", [asked(number, 3.0) for number in range(10, 30)])
    (scored,) = score_days(runtime, MODEL, [DAY], wall_clock())
    loads = {f"{number}": 0.1 * number for number in (1, 2, *range(10, 30))}
    taken = {name for name, load in loads.items() if is_challenged(MODEL.name, 3, share, key_of(load))}
    assert 0 < len(taken) < len(loads) - 1
    assert (scored.scored, list(scored.versions)) == (23, [2, 3])
    by_role = {name: set[tuple[str, int]]() for name in (*loads, "3")}  # the load of 3 is null
    for name, version, role in logged(runtime).select(REQUEST_ID, "version", "role").rows():
        by_role[name.rsplit("-", 1)[-1]].add((role, version))
    beside = ("shadow", 1)
    assert all(
        found == ({("challenger", 3), ("shadow", 2), beside} if name in taken else {("champion", 2), beside})
        for name, found in by_role.items()
    )
    with runtime.engine.connect() as connection:
        days = [live_day(connection, MODEL, rollout, START) for rollout in (challenging, guarded)]
    assert [(day.asked, day.rows, day.other_rows) for day in days] == [(len(taken), len(taken), 23), (23, 23, 23)]


def test_a_step_that_begins_while_a_day_is_scored_begins_before_it_or_after_it(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else days would count against the new version that the former champion has answered alone."""
    promote(runtime, 1)
    promotions = [partial(promote_guarded, runtime)]

    def while_scoring(*given: Any) -> pl.DataFrame:
        while promotions:
            promotions.pop()()
        return answer_rows(*given)

    monkeypatch.setattr(scored_days, "answer_rows", while_scoring)
    assert [list(one.versions) for one in score_days(runtime, MODEL, [DAY, NEXT], wall_clock())] == [[2], [2]]
    with runtime.engine.begin() as connection:
        (guarded,) = rollouts.of_model(connection, MODEL.name)
        assert guarded.next_day == START, "nothing was answered before"
        rollouts.update(connection, guarded, "superseded")
        entry = Entry(MODEL.name, "promoted", 2, 1, "test", "drift", "", None, START, {"manifest": "m"})
        rollout_changes.guard(connection, MODEL, entry)
        assert rollouts.of_model(connection, MODEL.name)[-1].next_day == START + 3 * DAYS, "after the days that are answered"


def promote_guarded(runtime: Runtime) -> None:
    promote(runtime, 2)
    before = START - DAYS
    with runtime.engine.begin() as connection:
        entry = Entry(MODEL.name, "promoted", 1, 2, "test", "drift", "", None, before, {"manifest": "m"})
        rollout_changes.guard(connection, MODEL, entry)


class Overtaken(MemoryProducer):
    """While it sends, a row is corrected, and another run scores the day."""

    def __init__(self, runtime: Runtime, now: datetime) -> None:
        super().__init__()
        self._runtime, self._now = runtime, now

    def send(self, batch: Sequence[Record]) -> None:
        """Let the other run be first."""
        publish(self._runtime.engine, self._runtime.models, "asked", [asked(5, 2.0, visit=9)])
        score_day(self._runtime, TableVersions(self._runtime, MODEL), MemoryProducer(), DAY, self._now)
        super().send(batch)


def test_an_interrupted_day_is_sent_again_with_the_same_answers(runtime: Runtime) -> None:
    now, producer = wall_clock(), MemoryProducer()
    with pytest.raises(ServiceError, match="pumps has no champion yet"):
        list(score_days(runtime, MODEL, [DAY], now))
    promote(runtime, 1)
    producer.away.set()
    with pytest.raises(ServiceError, match="the broker is away"):
        score_day(runtime, TableVersions(runtime, MODEL), producer, DAY, now)
    assert due(runtime) == [DAY, NEXT]
    promote(runtime, 2)
    producer.away.clear()
    scored = score_day(runtime, TableVersions(runtime, MODEL), producer, DAY, now)
    assert (scored.scored, list(scored.versions), due(runtime)) == (3, [1], [NEXT])
    overtaken = Overtaken(runtime, now)
    score_day(runtime, TableVersions(runtime, MODEL), overtaken, DAY, now)
    assert len(overtaken.taken) == 3
    promote(runtime, 1)
    (kept,) = score_days(runtime, MODEL, [DAY], now)
    assert list(kept.versions) == [1, 2], "what the other run answered stays on record"
    producer.refused.add(producer.taken[1].value)
    refused = score_day(runtime, TableVersions(runtime, MODEL), producer, DAY, now)
    assert refused.scored == 3
    assert "too large" in refused.problems[-1]


def test_a_run_that_ends_early_tells_the_days_that_it_scored(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    promote(runtime, 1)
    send = KafkaLogProducer.send

    def away_later(self: KafkaLogProducer, batch: Sequence[Record]) -> None:
        if b"2020-01-03" in batch[0].value:
            raise ServiceError("Kafka is away, as the test wants it")
        send(self, batch)

    monkeypatch.setattr(KafkaLogProducer, "send", away_later)
    with dg.DagsterInstance.ephemeral() as instance:
        span = {"dagster/asset_partition_range_start": DAY, "dagster/asset_partition_range_end": NEXT}
        tags = span | {"dagster/defer_asset_events": "true"}
        made = dg.materialize(
            [scored_requests(MODEL, BATCH)],
            instance=instance,
            tags=tags,
            resources={"everfit": runtime},
            selection=[dg.AssetKey([MODEL.name, "scored_requests"])],
            raise_on_error=False,
        )
        assert not made.success
        told = instance.fetch_materializations(dg.AssetKey([MODEL.name, "scored_requests"]), limit=9).records
        assert sorted(one.partition_key or "" for one in told) == [DAY, EMPTY]
    assert due(runtime) == [NEXT]
    assert logged(runtime).height == 3
