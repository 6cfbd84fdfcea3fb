"""The metric of judged windows goes to the version's run in MLflow: what is missing there, once, in the metric's direction."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import sqlalchemy as sa

from everfit import AUC
from everfit.errors import ServiceError
from everfit.registry import live_metrics, mlflow_rest
from tests.events import MODEL

END = datetime(1997, 1, 8, tzinfo=UTC)
DAY = timedelta(days=1)


class Windows:
    """A connection that knows the windows of every version."""

    def __init__(self, *rows: tuple[datetime, str, float]) -> None:
        self.rows = rows

    def execute(self, _: Any) -> Any:
        return self.rows


class Server:
    """MLflow with the run of version 1, and what was logged to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.metrics: dict[str, dict[str, Any]] = {}
        self.logged: list[dict[str, Any]] = []
        monkeypatch.setattr(mlflow_rest, "read", self.read)
        monkeypatch.setattr(mlflow_rest, "write", self.write)

    def read(self, _: str, path: str, **asked: str) -> Any:
        if path == "model-versions/get":
            return {"model_version": {"run_id": "r1"}} if asked["version"] == "1" else None
        assert (path, asked) == ("runs/get", {"run_id": "r1"})
        return {"run": {"data": {"metrics": [*self.metrics.values()]}}}

    def write(self, _: str, path: str, body: dict[str, Any]) -> None:
        assert (path, body["run_id"]) == ("runs/log-batch", "r1")
        self.logged += body["metrics"]
        self.metrics |= {one["key"]: one for one in body["metrics"]}


def record(*rows: tuple[datetime, str, float], model: Any = MODEL, versions: set[int] | None = None) -> int:
    return live_metrics.record(cast("sa.Connection", Windows(*rows)), "http://mlflow", model, versions or {1})


def test_what_the_run_lacks_is_logged_once_by_the_windows_end(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch)
    first, second = (END, "log_loss", 0.5), (END + 7 * DAY, "log_loss", 0.6)
    assert (record(first), record(first), record(first, second)) == (1, 0, 1)
    assert [(one["key"], one["value"], one["step"]) for one in server.logged] == [
        ("live.log_loss", 0.5, 9869),
        ("live.log_loss", 0.6, 9876),
    ]
    assert server.logged[0]["timestamp"] == 1_000 * END.timestamp()


def test_a_metric_that_is_better_the_higher_is_logged_as_people_know_it(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch)
    record((END, "auc", 0.2), (END, "log_loss", 0.5), model=MODEL.model_copy(update={"declared_metric": AUC()}))
    assert {one["key"]: one["value"] for one in server.logged} == {"live.auc": 0.8, "live.log_loss": 0.5}


def test_a_version_that_mlflow_has_lost_is_left_out_and_one_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch)
    assert record((END, "log_loss", 0.5), versions={7}) == 0
    assert server.logged == []
    monkeypatch.undo()
    with pytest.raises(ServiceError, match=r"MLflow does not answer at http://127.0.0.1:1 .*see `everfit doctor`"):
        live_metrics.record(cast("sa.Connection", Windows()), "http://127.0.0.1:1", MODEL, {1})
