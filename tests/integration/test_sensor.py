"""A tick of the sensor in one process: what was launched is looked up, the log read, what is pending launched or given up."""

from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from everfit.alerts.channels import installed_channels
from everfit.environment.settings import Settings
from everfit.runtime import Runtime
from everfit.store import heartbeats, requests
from everfit.store.heartbeats import SENSOR
from everfit.store.requests import RetrainRequest
from orchestration.sensors import prediction_log
from tests.events import MODEL, prediction, produce


@pytest.fixture
def runtime(engine: sa.Engine, kafka: str, tmp_path: Path) -> Runtime:
    url = engine.url.render_as_string(hide_password=False)
    runtime = Runtime(Settings(tmp_path, url, kafka, "http://127.0.0.1:1", "", "", tmp_path / "lake"))
    runtime.__dict__ |= {"engine": engine, "models": {MODEL.name: MODEL}}
    return runtime


def tick(runtime: Runtime, instance: dg.DagsterInstance) -> dg.SensorResult:
    result = prediction_log(dg.build_sensor_context(instance=instance, resources={"everfit": runtime}))
    assert isinstance(result, dg.SensorResult)
    return result


def test_a_launch_that_was_deleted_is_retried_and_given_up_where_nothing_has_landed(runtime: Runtime) -> None:
    produce(runtime.settings.kafka, [prediction(number) for number in range(3)])
    request = RetrainRequest("a1", MODEL.name, "drift", "because", None, MODEL.go_live, MODEL.go_live)
    other = RetrainRequest("b2", "gone", "drift", "no such model is declared", None, MODEL.go_live, MODEL.go_live)
    with runtime.engine.begin() as connection:
        for each in (request, other):
            requests.add(connection, each)
        requests.mark(connection, "a1", "launched", run_id="deleted")

    with dg.DagsterInstance.ephemeral() as instance:
        result = tick(runtime, instance)

    assert result.run_requests == []
    assert result.skip_reason is not None
    assert result.skip_reason.skip_message == "read 3 rows, judged 0 windows; nothing to launch"
    assert [(event.asset_key.path, event.metadata["rows"].value) for event in result.asset_events] == [
        ([MODEL.name, "predictions"], 3)
    ]
    with runtime.engine.connect() as connection:
        ended, untouched = requests.find(connection, "a1"), requests.find(connection, "b2")
    assert (ended.status, ended.attempt) == ("failed", 2)
    assert "nothing has landed before" in str(ended.result)
    assert (untouched.status, untouched.attempt) == ("pending", 1)


def test_alerts_that_cannot_be_sent_stop_neither_the_tick_nor_its_heartbeat(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("EVERFIT_ALERT_REMINDER", "soon")
    installed_channels.cache_clear()
    produce(runtime.settings.kafka, [prediction(number) for number in range(3)])
    with dg.DagsterInstance.ephemeral() as instance:
        result = tick(runtime, instance)
    assert result.skip_reason is not None
    assert result.skip_reason.skip_message == "read 3 rows, judged 0 windows; nothing to launch"
    assert "alerts are not sent; the next tick tries again" in caplog.text
    with runtime.engine.connect() as connection:
        assert SENSOR in heartbeats.newest(connection)
