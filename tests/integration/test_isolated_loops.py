"""Every loop over models: one that fails is set aside and told, the others get what is theirs."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from everfit import Limits, Model
from everfit.environment.settings import Settings
from everfit.replay import bootstrap
from everfit.runtime import Runtime
from everfit.store import failures, requests
from everfit.store.failures import Failure
from everfit.store.isolation import Isolation
from everfit.store.lake import Lake
from everfit.store.requests import RetrainRequest
from models.electricity_price import electricity_price
from models.flight_delay import flight_delay
from monitors import promotion_age
from orchestration import day_partitions, schedules, sensors

AT = datetime(2024, 1, 1, tzinfo=UTC)
ILL = electricity_price.model_copy(update={"limits": Limits(attempts=2, retry_after=timedelta(0))})
MODELS = {model.name: model for model in (ILL, flight_delay)}


@pytest.fixture
def runtime(engine: sa.Engine, tmp_path: Path) -> Runtime:
    settings = Settings(tmp_path, engine.url.render_as_string(hide_password=False), "", "", "", "", tmp_path / "lake")
    made = Runtime(settings, MODELS)
    made.__dict__ |= {"engine": engine, "lake": Lake(settings.lake)}
    return made


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as made:
        yield made


def failing(result: Any) -> Callable[..., Any]:
    """Fails for the ill model."""

    def work(*arguments: Any) -> Any:
        if any(isinstance(one, Model) and one.name == ILL.name for one in arguments):
            raise ValueError("its data cannot be read")
        return result

    return work


def set_aside(engine: sa.Engine) -> list[Failure]:
    with engine.connect() as connection:
        return [*failures.listed(connection)]


def test_a_launch_that_fails_is_tried_again_and_given_up_and_holds_up_no_other(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in MODELS:
        with runtime.engine.begin() as connection:
            requests.add(connection, RetrainRequest(f"of {name}", name, "person", "a test", None, AT, AT))
    monkeypatch.setattr(sensors, "retraining", failing(dg.RunRequest(run_key="launched")))
    for attempt in (1, 2):
        with runtime.engine.connect() as connection:
            pending = requests.in_status(connection, "pending")
        runs = [*sensors._launches(runtime, pending, Isolation(runtime.engine))]
        assert [run.run_key for run in runs] == ["launched"], attempt
    with runtime.engine.connect() as connection:
        given_up = requests.find(connection, f"of {ILL.name}")
    assert given_up.status == "failed"
    assert given_up.result == "it could not be launched in 2 attempts: ValueError: its data cannot be read"
    assert set_aside(runtime.engine) == []


def test_new_days_of_one_model_that_fail_leave_the_others_theirs(
    runtime: Runtime, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("everfit.pipeline.daily_partitions.available_days", failing(["2024-01-01"]))
    (added,) = day_partitions.new_days(instance, runtime, Isolation(runtime.engine))
    assert added.partitions_def_name == "flight_delay_days"
    (failure,) = set_aside(runtime.engine)
    assert (failure.part.model, failure.part.stage) == (ILL.name, "days")


def test_the_night_of_one_model_that_fails_leaves_the_others_theirs(
    runtime: Runtime, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules, "night", failing([dg.RunRequest(run_key="theirs")]))
    launched = schedules.nights(instance, runtime, list(MODELS), AT)
    assert not isinstance(launched, dg.SkipReason)
    assert [run.run_key for run in launched] == ["theirs"]
    assert [failure.part.stage for failure in set_aside(runtime.engine)] == ["backfill"]


def test_source_days_of_one_model_that_fail_leave_the_others_told(
    runtime: Runtime, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules, "report_observed", failing(3))
    context = dg.build_sensor_context(instance=instance, resources={"everfit": runtime})
    ticked = schedules.source_days.evaluate_tick(context)
    assert ticked.skip_message == "reported the data versions of 3 days"
    assert [failure.part.stage for failure in set_aside(runtime.engine)] == ["source_days"]


def test_a_champion_too_old_is_told_also_where_asking_for_a_retraining_fails(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion_age, "_request", failing("a retraining is requested"))
    with runtime.engine.begin() as connection:
        told = promotion_age.overdue(connection, MODELS, dict.fromkeys(MODELS)).ongoing
    assert told[ILL.name, "overdue"].endswith("could not be requested: ValueError: its data cannot be read")
    assert told["flight_delay", "overdue"].endswith("a retraining is requested")


def test_a_record_that_cannot_be_read_leaves_the_others_landed(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "bootstrap", failing(7))
    landed = dict(bootstrap.bootstrap_all(runtime))
    assert landed["flight_delay"] == 7
    assert landed[ILL.name] == "ValueError: its data cannot be read"
    monkeypatch.setattr(bootstrap, "bootstrap", lambda *_: 0)
    assert dict(bootstrap.bootstrap_all(runtime)) == dict.fromkeys(MODELS, 0)
    assert set_aside(runtime.engine) == []
