"""A champion goes on answering while its declaration changes: by its own inputs, logged by its own schema, never by a 500."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from everfit import Category, Model, Number, latest, mean
from everfit.environment.settings import Settings
from everfit.registry import InMemoryRegistry
from everfit.runtime import Runtime
from everfit.serving.counters import Metrics
from everfit.serving.lookup import Lookup
from everfit.serving.model_cache import ModelCache
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.request_schema import CheckedRequest
from everfit.serving.served_views import Views
from everfit.serving.service import Service
from everfit.serving.spool import Spool
from everfit.serving.view_states import read_faults, read_states
from everfit.sources.publication import publish
from everfit.store import schemas
from everfit.store.view_builds import build
from everfit.timing import wall_clock
from everfit.topics.contract import Contract
from everfit.topics.events import PREDICTIONS, Prediction, decode
from everfit.training.artifact import Signature
from tests.pumps import START, in_fahrenheit, pumps, reading, view_of
from tests.serving import AsRegistered, MemoryProducer, artifact, graph

BOTH = latest("vibration", "temperature")
AT = START + timedelta(hours=1)
OLD = pumps(view_of(BOTH), request=[Category("pump"), Number("load")])
ROWS = [reading(1, "a", 1, vibration=0.25, temperature=10.0), reading(2, "a", 2, vibration=0.5, temperature=30.0)]
NOW_KNOWN: Mapping[str, Any] = {"pump": "a", "load": 2.0, "vibration": 0.5, "temperature": 30.0}


def registry_of(champion: Model) -> InMemoryRegistry:
    """A registry whose one version, of whatever declaration, is champion."""
    registry = InMemoryRegistry()
    version = registry.register(champion.name, artifact(champion, graph(champion, 0.0)), above=0)
    registry.point(champion.name, "champion", version)
    return registry


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may answer late, but not with other numbers."""
    monkeypatch.setenv("EVERFIT_LOOKUP_TIMEOUT", "60s")


def answered(engine: Engine, folder: Path, champion: Model, now: Model, row: Mapping[str, Any]) -> Prediction:
    """What a serving process that has ``now`` declared logs of one request, answered by a version trained by ``champion``."""
    models, producer = {now.name: now}, MemoryProducer()

    async def ask() -> None:
        views = Views(models, engine)
        cache = ModelCache(models, AsRegistered(registry_of(champion)), views.remember)
        log = PredictionLog(producer, Spool(folder / "spool.jsonl"))
        service = Service(models, cache, views, Lookup(engine), log, Metrics())
        await cache.refresh(now.name)
        views.refresh()
        await service.answer(now, CheckedRequest("r", AT, ["r"], [row]))
        await service.close()

    asyncio.run(ask())
    event = decode(PREDICTIONS, producer.taken[0].value)
    assert isinstance(event, Prediction)
    with engine.connect() as connection:
        Contract(models, schemas.of_all(connection)).prediction(producer.taken[0].value, wall_clock())
    assert event.schema == champion.schema_id
    assert list(event.features) == [name for name, _ in champion.features]
    return event


ALL_HAD = [
    ("reordered", view_of(latest("temperature", "vibration")), NOW_KNOWN),
    ("a feature added", view_of({**BOTH, "shaken": mean("vibration", over="1h")}), NOW_KNOWN),
    ("a column removed", view_of(latest("vibration")), NOW_KNOWN),
    ("another function", view_of(latest("temperature"), in_fahrenheit), NOW_KNOWN),
    ("the view removed", view_of({"shaken": mean("vibration", over="1h")}, name="pump_lately"), NOW_KNOWN),
]


@pytest.mark.parametrize(("view", "expected"), [case[1:] for case in ALL_HAD], ids=[case[0] for case in ALL_HAD])
def test_a_champion_of_an_older_schema_is_asked_what_it_was_trained_on(
    engine: Engine, tmp_path: Path, view: Any, expected: Mapping[str, Any]
) -> None:
    new = pumps(view, request=[Category("pump"), Number("load")])
    build(engine, {OLD.name: OLD})
    publish(engine, {OLD.name: OLD}, "readings", ROWS[:1])
    build(engine, {new.name: new})
    publish(engine, {new.name: new}, "readings", ROWS[1:])
    event = answered(engine, tmp_path, OLD, new, {"pump": "a", "load": 2.0})
    if view.shape is in_fahrenheit:  # the function of then is not in the newer process: what was known last, and it says so
        assert event.degraded
        assert event.features == {**NOW_KNOWN, "vibration": 0.25, "temperature": 10.0}
    else:
        assert (dict(event.features), event.degraded) == (expected, False)


def test_a_field_that_is_no_longer_asked_for_is_null_and_said(engine: Engine, tmp_path: Path) -> None:
    new = pumps(view_of(BOTH))
    build(engine, {OLD.name: OLD})
    publish(engine, {OLD.name: OLD}, "readings", ROWS)
    event = answered(engine, tmp_path, OLD, new, {"pump": "a"})
    assert (event.features, event.degraded) == ({**NOW_KNOWN, "load": None}, True)


def test_a_new_declaration_answers_by_the_old_version_until_its_own_is_built(engine: Engine, tmp_path: Path) -> None:
    new = pumps(view_of(BOTH, in_fahrenheit), request=[Category("pump"), Number("load")])
    build(engine, {OLD.name: OLD})
    publish(engine, {OLD.name: OLD}, "readings", ROWS)
    before = answered(engine, tmp_path, new, new, {"pump": "a", "load": 2.0})
    assert (before.features, before.degraded) == (NOW_KNOWN, True)
    build(engine, {new.name: new})
    after = answered(engine, tmp_path, new, new, {"pump": "a", "load": 2.0})
    assert (after.features, after.degraded) == ({**NOW_KNOWN, "temperature": 30.0 * 1.8 + 32}, False)


def test_serving_builds_what_is_declared_by_itself(engine: Engine) -> None:
    new = pumps(view_of(latest("temperature")))
    build(engine, {OLD.name: OLD})
    publish(engine, {OLD.name: OLD}, "readings", ROWS)

    async def watched() -> list[str]:
        views = Views({new.name: new}, engine)
        watching = asyncio.create_task(views.watch())
        signature = Signature.of(new)
        while not views.inputs(new, signature).readings or views.is_any_behind():
            await asyncio.sleep(0.01)
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
        return [reading.version for reading in views.inputs(new, signature).readings]

    (version,) = asyncio.run(asyncio.wait_for(watched(), 60))
    with engine.connect() as connection:
        assert (new.schema_id, "pump_now", version) in schemas.uses(connection)["pumps"]


def test_status_lists_every_version_and_doctor_says_what_degrades(engine: Engine, tmp_path: Path) -> None:
    runtime = Runtime(Settings(tmp_path, str(engine.url), "127.0.0.1:1", "", "", "", tmp_path / "lake"))
    new = pumps(view_of(latest("temperature"), in_fahrenheit))
    runtime.__dict__ |= {"engine": engine, "models": {new.name: new}}
    build(engine, {OLD.name: OLD})
    publish(engine, {OLD.name: OLD}, "readings", ROWS[:1])
    (never,) = read_faults(runtime)
    assert (never.subject, never.what) == ("view pump_now", "its declared version was never built")
    build(engine, {new.name: new})
    assert read_faults(runtime) == []
    publish(engine, {OLD.name: OLD}, "readings", ROWS[1:])
    (stale,) = read_faults(runtime)
    assert stale.what.startswith("rows of readings were published by a process with another declaration")
    assert [(one.view, one.source, one.state, one.share) for one in read_states(engine)] == [
        ("pump_now", "readings", "built", 1.0),
        ("pump_now", "readings", "stale", 0.0),
    ]
