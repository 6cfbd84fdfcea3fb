"""The metric of each judged window, in the MLflow run of the version that answered in it: a curve of how it does live."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.registry import mlflow_rest
from everfit.store.tables import evidence

KIND = "performance"
PREFIX = "live."  # of the metric's name
AT_ONCE = 1_000  # metrics that MLflow takes


class _Window(NamedTuple):
    end: datetime
    metric: str
    value: float


def record(connection: sa.Connection, mlflow: str, model: Model, versions: Collection[int]) -> int:
    """Log what MLflow lacks of these versions' windows: all since the newest that their run has; returns how many.

    MLflow says by itself what it has: where it was away, the next call logs what it missed, and nothing is logged twice. The
    step is the window's end, in days since 1970. A version that MLflow has lost is left out.

    Raises:
        ServiceError: when MLflow does not answer.
    """
    return sum(_record(mlflow, model.name, version, _windows(connection, model, version)) for version in sorted(versions))


def _record(mlflow: str, model: str, version: int, windows: Iterable[_Window]) -> int:
    found = mlflow_rest.read(mlflow, "model-versions/get", name=model, version=str(version))
    run = found["model_version"].get("run_id") if found else None
    kept = mlflow_rest.read(mlflow, "runs/get", run_id=run) if run else None
    if kept is None:
        return 0
    newest = {one["key"]: int(one["timestamp"]) for one in kept["run"]["data"].get("metrics", [])}
    missing = [_metric(each) for each in windows]
    missing = [one for one in missing if one["timestamp"] > newest.get(one["key"], -1)][:AT_ONCE]
    if missing:
        mlflow_rest.write(mlflow, "runs/log-batch", {"run_id": run, "metrics": missing})
    return len(missing)


def _metric(window: _Window) -> dict[str, Any]:
    at = window.end.timestamp()
    return {"key": PREFIX + window.metric, "value": window.value, "timestamp": int(1_000 * at), "step": int(at // 86_400)}


def _windows(connection: sa.Connection, model: Model, version: int) -> list[_Window]:
    """The windows whose metric is known, as people know it, in order of time."""
    columns, detail = evidence.c, evidence.c.detail
    scored = sa.func.coalesce(sa.cast(detail["scored_until"].astext, columns.window_end.type), columns.window_end)
    query = sa.select(scored, detail["metric"].astext, detail["mean"].as_float())
    own = query.where(columns.model == model.name, columns.version == version, columns.kind == KIND, detail.has_key("mean"))
    rows = connection.execute(own.order_by(scored))
    declared = model.metric
    return [_Window(end, name, declared.shown(loss) if name == declared.name else loss) for end, name, loss in rows]
