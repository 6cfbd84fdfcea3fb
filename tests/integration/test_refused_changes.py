"""What may not change of a declaration is refused for that model alone, from the moment that rows rest on it."""

import math
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from everfit import BinaryClassification, Category, Model, Number, Source
from everfit.environment.settings import Settings
from everfit.errors import DeclarationError
from everfit.pipeline.training_request import request_training
from everfit.replay.bootstrap import bootstrap_all
from everfit.runtime import Runtime
from everfit.sources.publication import publish
from everfit.store import declarations, failures
from everfit.store.isolation import Isolation
from everfit.store.lake import Lake
from everfit.store.tables import windows
from monitors.pass_result import PassResult
from monitors.window_closing import close_windows
from tests.events import MODEL, prediction, write

DAY = timedelta(days=1)
OTHER = MODEL.model_copy(update={"name": "other"})
SOURCE = MODEL.sources[0]
A_WEEK = 7 * 48


def sourced(**update: object) -> Model:
    return MODEL.model_copy(update={"sources": [SOURCE.model_copy(update=update)]})


def retyped() -> Model:
    kinds = [Category(column.name) if column.name == "demand" else column for column in SOURCE.columns]
    return sourced(columns=kinds)


def refusals(engine: sa.Engine, model: Model) -> str:
    with engine.begin() as connection:
        return declarations.refusals(connection, [model, OTHER]).get(model.name, "")


def answer(engine: sa.Engine, days: int = 8) -> None:
    """Half-hourly answers of both models."""
    made = [msgspec.structs.replace(prediction(n), model=name) for n in range(days * 48) for name in (MODEL.name, "other")]
    write(engine, made)


CHANGES: dict[str, tuple[Callable[[], Model], str]] = {
    "go_live later": (lambda: MODEL.model_copy(update={"go_live": MODEL.go_live + DAY}), "go_live was '1996-09-04T00:00:00Z'"),
    "go_live earlier": (lambda: MODEL.model_copy(update={"go_live": MODEL.go_live - DAY}), "is '1996-09-03T00:00:00Z' now"),
    "entity": (lambda: MODEL.model_copy(update={"entity": "weekday"}), "entity was 'region' and is 'weekday' now"),
    "identity": (lambda: MODEL.model_copy(update={"identity": ["hour"]}), "identity was 'the entity' and is 'hour' now"),
    "label": (
        lambda: MODEL.model_copy(update={"task": BinaryClassification(label="falls")}),
        "is 'BinaryClassification of falls' now, but existing outcomes and versions are of the former task",
    ),
}
SOURCES: dict[str, tuple[Callable[[], Model], str]] = {
    "identity": (lambda: sourced(identity=["demand"]), "source half_hours: identity was"),
    "event_time": (lambda: sourced(event_time="demand"), "source half_hours: event_time was"),
    "kind": (retyped, "source half_hours: kind of demand was 'number' and is 'category' now"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_the_log_rests_on_may_change_until_the_first_prediction(engine: sa.Engine, name: str) -> None:
    make, told = CHANGES[name]
    assert refusals(engine, MODEL) == ""
    assert refusals(engine, make()) == "", "nothing rests on it yet"
    assert refusals(engine, MODEL) == ""
    answer(engine, days=1)
    why = refusals(engine, make())
    assert told in why
    assert why.endswith("set it back, or give the model another name, with which it starts empty")
    assert refusals(engine, MODEL) == "", "as it was it goes on"


@pytest.mark.parametrize("name", SOURCES)
def test_what_landed_rows_rest_on_may_change_until_they_land(engine: sa.Engine, name: str) -> None:
    make, told = SOURCES[name]
    for model in (MODEL, make(), MODEL):
        assert refusals(engine, model) == ""
    answer(engine, days=1)
    assert refusals(engine, make()) == "", "a prediction is none of its rows"
    assert refusals(engine, MODEL) == ""
    recorded = SOURCE.recorded
    assert recorded is not None
    publish(engine, {MODEL.name: MODEL}, SOURCE.name, recorded().head(3).to_dicts())
    why = refusals(engine, make())
    assert told in why
    assert why.endswith("or declare a source of another name")


def test_columns_that_come_and_go_are_no_change_and_do_not_come_back_as_another_kind(engine: sa.Engine) -> None:
    recorded = SOURCE.recorded
    assert recorded is not None
    more = sourced(columns=[*SOURCE.columns, Number("wind")])
    assert refusals(engine, MODEL) == ""
    publish(engine, {MODEL.name: MODEL}, SOURCE.name, recorded().head(3).to_dicts())
    assert [refusals(engine, model) for model in (more, MODEL)] == ["", ""]
    assert "kind of wind was 'number'" in refusals(engine, sourced(columns=[*SOURCE.columns, Category("wind")]))


def test_a_refused_model_is_read_on_and_judged_when_it_is_set_back_and_the_others_go_on(
    engine: sa.Engine, tmp_path: Path
) -> None:
    assert refusals(engine, MODEL) == ""
    answer(engine)
    moved = MODEL.model_copy(update={"go_live": MODEL.go_live + DAY})
    runtime = Runtime(Settings(tmp_path, "", "", "", "", "", tmp_path / "lake"), {MODEL.name: moved, OTHER.name: OTHER})
    runtime.__dict__ |= {"engine": engine, "lake": Lake(tmp_path / "lake")}
    assert closed(runtime) == {"other": A_WEEK}
    isolation = Isolation(engine)
    why = declarations.isolate_refused(engine, runtime.models, isolation)
    with engine.connect() as connection:
        (failure,) = failures.listed(connection)
    assert (failure.part.model, failure.part.stage, failure.error) == (MODEL.name, "declaration", why[MODEL.name])
    with pytest.raises(DeclarationError, match="go_live was"):
        request_training(runtime, moved)
    landed = dict(bootstrap_all(runtime))
    assert landed[MODEL.name] == why[MODEL.name]
    runtime = Runtime(runtime.settings, {MODEL.name: MODEL, OTHER.name: OTHER})
    runtime.__dict__ |= {"engine": engine, "lake": Lake(tmp_path / "lake")}
    assert declarations.isolate_refused(engine, runtime.models, isolation) == {}
    assert closed(runtime) == {"other": A_WEEK, MODEL.name: A_WEEK}
    with engine.connect() as connection:
        assert failures.listed(connection) == []


def closed(runtime: Runtime) -> dict[str, int]:
    """Rows of each model's closed windows, after a pass."""
    close_windows(runtime.engine, runtime.lake, runtime.models, PassResult(), math.inf)
    with runtime.engine.connect() as connection:
        rows = connection.execute(sa.select(windows.c.model, sa.func.sum(windows.c.rows)).group_by(windows.c.model))
        return {row[0]: row[1] for row in rows}


def test_another_identity_of_a_source_is_refused_for_every_model_that_declares_it() -> None:
    shared = Source(name="s", columns=SOURCE.columns, identity=SOURCE.identity, event_time=SOURCE.event_time)
    told = [declarations.facts(model.model_copy(update={"sources": [shared]})) for model in (MODEL, OTHER)]
    assert told[0] == told[1]
    assert f"{declarations.SOURCE}s: identity" in told[0]
