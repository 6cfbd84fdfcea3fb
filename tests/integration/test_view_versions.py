"""Online state belongs to a version of its view: whatever is declared anew, serving reads what offline computes, or says so."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import narwhals.stable.v2 as nw
import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from everfit import Category, Model, Number, count, latest, mean, total
from everfit.declaration.views import Latest
from everfit.errors import PromotionError, SourceError
from everfit.features.definition import define
from everfit.features.offline import compute
from everfit.serving.lookup import Lookup, ViewFeatures
from everfit.sources.publication import publish
from everfit.store import ledger, source_rows, view_builds, view_versions
from everfit.store.rollback_views import require_inputs
from everfit.store.tables import view_versions as table
from everfit.store.view_builds import build
from tests.pumps import COLUMNS, START, in_fahrenheit, pumps, reading, shouted, view_of
from tests.readings import declared_readings

NOW = START + timedelta(hours=10)
PUMPS = ("a", "b", "c")
BOTH = latest("vibration", "temperature")
SUMS = {"shaken": total("vibration", over="2h"), "warm": mean("temperature", over="3h"), "read": count("vibration", over="1h")}


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may answer late, but not with other numbers."""
    monkeypatch.setenv("EVERFIT_LOOKUP_TIMEOUT", "60s")


def asked(engine: Engine, model: Model, at: datetime = NOW, keys: Sequence[str] = PUMPS) -> list[ViewFeatures]:
    """What serving reads of each pump by the views as the model declares them."""

    async def find() -> list[ViewFeatures]:
        store = Lookup(engine)
        found = await store.features(declared_readings(model), [{"pump": key} for key in keys], at)
        await store.close()
        return found

    return asyncio.run(find())


def computed(engine: Engine, model: Model, at: datetime = NOW, keys: Sequence[str] = PUMPS) -> list[dict[str, Any]]:
    """What the offline path computes of what has landed."""
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        landed = source_rows.of_keys(cursor, model.source("readings"))  # type: ignore[arg-type]
    spine = pl.DataFrame(
        {"_event_time": [at] * len(keys), "pump": list(keys)}, schema_overrides={"_event_time": pl.Datetime("us", "UTC")}
    )
    names = [name for view in model.views for name in view.features]
    return compute(model.views, {"readings": landed}, spine).select(names).to_dicts()


def publish_by(engine: Engine, rows: Sequence[Mapping[str, Any]], *models: Model) -> int:
    """Publish as a process that has these models declared."""
    return publish(engine, {model.name: model for model in models}, "readings", rows)


def some_readings(since: int = 0, count_of: int = 30) -> list[dict[str, Any]]:
    """Readings of all pumps, a quarter of an hour apart, the values told by the number."""
    numbers = range(since, since + count_of)
    return [reading(n, PUMPS[n % 3], 15 * n, vibration=n / 10, temperature=20.0 + n) for n in numbers]


def states(engine: Engine) -> dict[str, tuple[str, str | None]]:
    """State and progress of each registered version."""
    with engine.connect() as connection:
        return {row.version: (row.state, row.progress) for row in connection.execute(sa.select(table))}


def is_right(engine: Engine, model: Model) -> bool:
    """Whether every answer is what offline computes, and none is degraded."""
    found = asked(engine, model)
    assert [one.features for one in found] == computed(engine, model)
    return not any(one.degraded for one in found)


CHANGES = {
    "reordered": (view_of(BOTH), view_of(latest("temperature", "vibration"))),
    "a feature added": (view_of(latest("vibration")), view_of(BOTH)),
    "a column removed": (view_of(BOTH), view_of(latest("temperature"))),
    "a coarser resolution": (
        view_of({"shaken": total("vibration", over="2h")}),
        view_of({"shaken": total("vibration", over="2h", resolution=1e-3)}),
    ),
    "latest to mean": (view_of(latest("vibration")), view_of({"vibration": mean("vibration", over="2h")})),
    "another function": (view_of(BOTH), view_of(BOTH, in_fahrenheit)),
    "keys of its own": (view_of(SUMS), view_of(SUMS, shouted)),
    "another window": (view_of(SUMS), view_of({"shaken": total("vibration", over="4h")})),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_view_is_read_as_offline_computes_it(engine: Engine, change: str) -> None:
    old, new = (pumps(view) for view in CHANGES[change])
    publish_by(engine, some_readings(), old)
    assert is_right(engine, old)
    assert all(one.degraded for one in asked(engine, new)), "what is not built yet says so"
    build(engine, {new.name: new})
    found = asked(engine, new, keys=("A", "B", "C") if change == "keys of its own" else PUMPS)
    assert [one.degraded for one in found] == [False] * 3
    assert is_right(engine, old)
    publish_by(engine, some_readings(30), new)
    publish_by(engine, [reading(4, "b", 61, 9.0)], new)
    if change == "keys of its own":
        assert [one.features for one in asked(engine, new, keys="ABC")] == computed(engine, new, keys="ABC")
    else:
        assert is_right(engine, new)


def test_what_is_not_built_is_null_and_no_sum_of_nothing(engine: Engine) -> None:
    publish_by(engine, some_readings(), pumps(view_of(latest("vibration"))))
    assert asked(engine, pumps(view_of(SUMS)), keys="a") == [
        ViewFeatures({"shaken": None, "warm": None, "read": None}, degraded=True)
    ]


def test_two_models_that_import_one_view_have_one_state_and_one_changes_it_alone(engine: Engine) -> None:
    shared = view_of(BOTH)
    first, second = pumps(shared), pumps(shared, name="other_pumps")
    publish_by(engine, some_readings(), first, second)
    assert len(states(engine)) == 1
    changed = pumps(view_of(latest("temperature", "vibration"), in_fahrenheit), name="other_pumps")
    publish_by(engine, some_readings(30, 1), first, changed)
    assert len(states(engine)) == 2
    assert is_right(engine, first)
    assert is_right(engine, changed)


def test_a_larger_resolution_is_the_way_out_of_a_sum_that_leaves_64_bits(engine: Engine) -> None:
    fine, coarse = (pumps(view_of({"shaken": total("vibration", over="2h", resolution=r)})) for r in (1e-9, 1e-3))
    publish_by(engine, some_readings(), fine)
    huge = [reading(30, "a", 590, vibration=1e10)]
    with pytest.raises(SourceError, match="declare a larger resolution"):
        publish_by(engine, huge, fine)
    publish_by(engine, huge, coarse)
    assert is_right(engine, coarse)
    assert all(one.degraded for one in asked(engine, fine)), "it does not know the row"


def test_an_older_process_that_publishes_leaves_no_version_behind_in_silence(engine: Engine) -> None:
    old, new = pumps(view_of(BOTH)), pumps(view_of(latest("temperature"), in_fahrenheit))
    publish_by(engine, some_readings(), old)
    build(engine, {new.name: new})
    publish_by(engine, some_readings(30, 3), old)
    assert all(one.degraded for one in asked(engine, new))
    assert is_right(engine, old)
    publish_by(engine, some_readings(33, 1), new)
    assert is_right(engine, new)
    assert all(one.degraded for one in asked(engine, old)), "nor does the newer process leave the older one's"
    build(engine, {old.name: old})
    assert is_right(engine, old)


def test_a_version_is_continued_by_any_process_that_has_its_function(engine: Engine) -> None:
    old, new = pumps(view_of(BOTH)), pumps(view_of(SUMS))
    publish_by(engine, some_readings(), old)
    publish_by(engine, some_readings(30, 3), new)
    publish_by(engine, some_readings(33, 3), old)
    assert is_right(engine, old)
    assert is_right(engine, new)


def test_building_that_is_killed_is_taken_up_where_it_stopped_and_rows_are_published_meanwhile(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_builds, "CHUNK_ROWS", 1)
    old, new = pumps(view_of(BOTH)), pumps(view_of(SUMS))
    publish_by(engine, some_readings(), old)

    class KilledError(Exception):
        """Stands for the end of the process: the transaction of the next chunk is never begun."""

    def kill(version: view_versions.ViewVersion) -> None:
        raise KilledError(version.progress)

    with pytest.raises(KilledError, match="a"):
        build(engine, {new.name: new}, report=kill)
    version = declared_readings(new)[0].version
    assert states(engine)[version] == ("building", "a")
    publish_by(engine, [reading(30, "a", 480, 5.0), reading(31, "c", 490, 6.0), reading(32, "0", 495, 7.0)], old)
    seen: list[tuple[str | None, int]] = []
    build(engine, {new.name: new}, report=lambda one: seen.append((one.progress, one.rows_read)))
    assert seen == [("b", 20), ("c", 31), (None, 31)]
    assert is_right(engine, new)
    assert [one.features for one in asked(engine, new, keys="0")] == computed(engine, new, keys="0")


def test_what_cannot_be_built_is_set_aside_with_its_reason_and_holds_nothing_up(engine: Engine) -> None:
    good, bad = pumps(view_of(BOTH)), pumps(view_of({"huge": total("vibration", over="1h", resolution=1e-19)}), name="bad")
    publish_by(engine, some_readings(), good)
    (failed,) = build(engine, {"pumps": good, "bad": bad})
    assert "declare a larger resolution" in str(failed.problem)
    publish_by(engine, [reading(30, "a", 480, 0.0)], good, bad)
    assert is_right(engine, good)
    assert all(one.degraded for one in asked(engine, bad))


def test_a_column_added_to_the_source_is_null_in_what_had_landed(engine: Engine) -> None:
    wide = [*COLUMNS, Number("pressure", nullable=True)]
    old, new = pumps(view_of(BOTH)), pumps(view_of(latest("pressure", "vibration")), columns=wide)
    publish_by(engine, some_readings(), old)
    publish_by(engine, [reading(30, "a", 480, 1.0) | {"pressure": 3.5}], new)
    assert asked(engine, new, keys="ab") == [
        ViewFeatures({"pressure": 3.5, "vibration": 1.0}, degraded=False),
        ViewFeatures({"pressure": None, "vibration": 2.8}, degraded=False),
    ]
    assert all(one.degraded for one in asked(engine, old))


DECLARED = [view_of(BOTH), view_of(SUMS), view_of(latest("temperature")), view_of(BOTH, in_fahrenheit), view_of(SUMS, shouted)]
ROWS = st.lists(
    st.builds(
        reading,
        st.integers(0, 12),
        st.sampled_from(["a", "A", "b", "é"]),
        st.integers(0, 300),
        st.one_of(st.none(), st.integers(-9, 9).map(float)),
        st.integers(-9, 9).map(float),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda row: row["number"],
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["publish", "build", "kill"]), st.integers(0, len(DECLARED) - 1), ROWS), min_size=2, max_size=8
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_is_declared_published_and_killed_no_answer_is_wrong_without_a_word(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, int, list[dict[str, Any]]]]
) -> None:
    monkeypatch.setattr(view_builds, "CHUNK_ROWS", 1)
    with engine.begin() as connection:
        for name in ("source_rows", "source_days", "online_features", "view_versions"):
            connection.execute(sa.text(f"TRUNCATE {name}"))
    for step, number, rows in steps:
        model = pumps(DECLARED[number])
        if step == "publish":
            publish_by(engine, rows, model)
            assert not any(one.degraded and None not in one.features.values() for one in asked(engine, model, keys="a"))
        elif step == "build":
            build(engine, {model.name: model})
        else:
            _build_one_chunk(engine, model)
        for view in DECLARED:
            keys = ("a", "A", "b", "B", "é", "É")
            other = pumps(view)
            truth = computed(engine, other, START + timedelta(hours=6), keys)
            found = asked(engine, other, START + timedelta(hours=6), keys)
            assert all(one.degraded or one.features == right for one, right in zip(found, truth, strict=True))
            if view is DECLARED[number] and step != "kill":
                assert [one.features for one in found] == truth


def _build_one_chunk(engine: Engine, model: Model) -> None:
    """Build until the first chunk is written, and die."""

    class KilledError(Exception):
        pass

    def kill(_: view_versions.ViewVersion) -> None:
        raise KilledError

    try:
        build(engine, {model.name: model}, report=kill)
    except KilledError:
        return


def filled(readings: Any) -> Any:
    """Rows without a pump count for one that stands for all of them."""
    return readings.with_columns(pump=nw.col("pump").fill_null("b"))


def hot(readings: Any) -> Any:
    """Yes or no, taken as a category."""
    return readings.with_columns(hot=nw.col("temperature") > 30)


@pytest.mark.parametrize(
    ("features", "shape"),
    [(SUMS, filled), ({"is_hot": Latest("hot", "category")}, hot)],
    ids=["null keys that are filled", "a category that is no text"],
)
def test_what_a_function_makes_of_keys_and_categories_is_read_as_offline(
    engine: Engine, features: Mapping[str, Any], shape: Any
) -> None:
    columns = [Category("pump", nullable=True) if column.name == "pump" else column for column in COLUMNS]
    model = pumps(view_of(features, shape), columns=columns)
    rows = [reading(0, "a", 0, 1.0, 40.0), reading(1, "b", 0, 2.0, 20.0), reading(2, "b", 1, 4.0, 50.0)]
    unnamed = [row | {"pump": None} for row in (reading(3, "", 1, 8.0), reading(4, "", 2, 16.0))]
    publish(engine, {model.name: model}, "readings", [*rows, *unnamed])
    publish(engine, {model.name: model}, "readings", [reading(5, "", 2, 32.0) | {"pump": None}])
    assert [found.features for found in asked(engine, model, keys=("a", "b"))] == computed(engine, model, keys=("a", "b"))


@pytest.mark.parametrize("at", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_a_time_at_the_end_of_all_times_blocks_no_key(engine: Engine, at: datetime) -> None:
    model = pumps(view_of(SUMS))
    for number, vibration in enumerate([1.0, 2.0]):
        publish(engine, {model.name: model}, "readings", [reading(number, "a", 0, vibration) | {"known_at": at}])
    publish(engine, {model.name: model}, "readings", [reading(0, "a", 0, 4.0) | {"known_at": at}])
    now = max(at, START)
    assert asked(engine, model, now, ("a",))[0].features == computed(engine, model, now, ("a",))[0]


def test_what_a_rollback_needs_is_kept_however_long_it_was_not_declared(engine: Engine) -> None:
    former, now = pumps(view_of(latest("vibration"))), pumps(view_of(latest("temperature")))
    between = pumps(view_of({"both": total("vibration", over="1h")}))
    for model in (former, between, now):
        build(engine, {model.name: model})
    with engine.begin() as connection:
        for before, version, model in ((None, 1, former), (1, 2, now)):
            detail = {"manifest": "abc", "trained_until": START.isoformat(), "schema": model.schema_id}
            entry = ledger.Entry(model.name, "promoted", before, version, "test", "drift", "", None, START, detail)
            ledger.append(connection, entry)
        connection.execute(sa.update(table).values(used_at=sa.func.now() - 2 * view_builds.UNUSED))
    build(engine, {now.name: now})
    publish_by(engine, some_readings(), now)
    with engine.connect() as connection:
        kept = sorted(connection.execute(sa.select(table.c.version)).scalars())
        require_inputs(connection, now, 1, former.schema_id)
        with pytest.raises(PromotionError, match="version 7 of pumps reads pump_now as declared earlier"):
            require_inputs(connection, now, 7, between.schema_id)
    assert kept == sorted(define(model.views[0], model.source("readings")).version for model in (former, now))


@pytest.mark.parametrize(
    ("request_now", "lacks"),
    [
        ([Category("pump")], "load"),
        ([Category("pump"), Category("load")], "load"),
        ([Category("unit"), Number("load")], "pump"),
        ([Category("pump"), Number("load"), Number("flow")], ""),
    ],
    ids=["removed", "of another kind", "a view's key", "one more"],
)
def test_a_version_is_not_brought_back_that_reads_what_a_request_has_no_longer(
    engine: Engine, request_now: list[Any], lacks: str
) -> None:
    former = pumps(view_of(latest("vibration")), request=[Category("pump"), Number("load")])
    build(engine, {former.name: former})
    now = former.model_copy(update={"request": request_now})
    told = f"version 1 of pumps reads {lacks} of the request, which has no such field any more, and would answer by nulls"
    expected = pytest.raises(PromotionError, match=told) if lacks else nullcontext()
    with engine.connect() as connection, expected:
        require_inputs(connection, now, 1, former.schema_id)
