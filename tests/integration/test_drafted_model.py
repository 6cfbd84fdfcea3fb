"""What `everfit init` drafts trains on the real Postgres: a first version from a small table, without a change by hand."""

import importlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import Engine

from everfit.declaration.discovery import load_models
from everfit.drafting.project import draft_project
from tests.loop import Loop


def test_a_drafted_model_is_trained_as_it_is(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n = pl.int_range(45 * 24, eager=True)
    noise, hot = n * 104_729 % 97 / 97, n * 7919 % 101 / 10
    rows = {
        "hour": [datetime(2025, 1, 6, tzinfo=UTC) + timedelta(hours=each) for each in range(45 * 24)],
        "pump": "p1",
        "heat": hot,
    }
    table = pl.DataFrame(rows | {"stopped": hot / 10 + noise > 1.2})
    table.write_csv(tmp_path / "drafted_pumps.csv")
    project = draft_project(tmp_path, tmp_path / "drafted_pumps.csv", {})
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    (model,) = load_models(project.package).values()
    loop = Loop(engine, tmp_path, model)
    loop.publish(until=model.go_live)
    concluded = loop.retrain(None)
    assert concluded.version == 1, concluded.reason
