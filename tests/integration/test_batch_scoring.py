"""A table is answered as serving answers each of its rows at its moment, to the last bit; a row that cannot be is told."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from everfit import Category, Number, latest, mean
from everfit.cli.main import app
from everfit.environment.settings import Settings
from everfit.errors import LostVersionError, ServiceError, SourceError
from everfit.registry import InMemoryRegistry
from everfit.runtime import Runtime
from everfit.serving.batch_scoring import score_table
from everfit.serving.counters import Metrics
from everfit.serving.lookup import Lookup
from everfit.serving.model_cache import ModelCache
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.request_schema import CheckedRequest
from everfit.serving.request_table import read_table
from everfit.serving.served_views import Views
from everfit.serving.service import Service
from everfit.serving.spool import Spool
from everfit.sources.publication import publish
from tests.pumps import START, pumps, reading, view_of
from tests.serving import AsRegistered, MemoryProducer, artifact, graph

TAKEN = latest("vibration", "temperature") | {"warmth": mean("temperature", over="1h")}
MODEL = pumps(view_of(TAKEN), request=[Category("pump"), Number("load", nullable=True)])
ROWS = [reading(n, "a", n, vibration=0.1 * n, temperature=10.0 / n) for n in range(1, 60)]
MOMENTS = [START + timedelta(minutes=minute) for minute in (0, 7, 31, 58, 400)]


@pytest.fixture
def runtime(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """Published readings and one registered version, which nobody promoted."""
    monkeypatch.setenv("EVERFIT_LOOKUP_TIMEOUT", "60s")
    registry = InMemoryRegistry()
    registry.register(MODEL.name, artifact(MODEL, graph(MODEL, 0.25)), above=0)
    registry.point(MODEL.name, "champion", 1)
    url = engine.url.render_as_string(hide_password=False)
    runtime = Runtime(Settings(tmp_path, url, "", "", "", "", tmp_path / "lake"), {MODEL.name: MODEL}, registry)
    runtime.__dict__["engine"] = engine
    publish(engine, runtime.models, MODEL.sources[0].name, ROWS)
    return runtime


def served(runtime: Runtime, rows: Sequence[Mapping[str, Any]]) -> list[tuple[float, bool]]:
    """What serving answers to each row at its moment."""

    async def ask() -> list[tuple[float, bool]]:
        views = Views(runtime.models, runtime.engine)
        cache = ModelCache(runtime.models, AsRegistered(runtime.registry), views.remember)
        log = PredictionLog(MemoryProducer(), Spool(runtime.settings.home / "spool.jsonl"))
        service = Service(runtime.models, cache, views, Lookup(runtime.engine), log, Metrics())
        await cache.refresh(MODEL.name)
        views.refresh()
        found = []
        for row in rows:
            fields = {"pump": row["pump"], "load": row["load"]}
            answered = await service.answer(MODEL, CheckedRequest("r", row["event_time"], ["r"], [fields]))
            assert isinstance(answered.answers[0], float)
            found.append((answered.answers[0], answered.degraded[0]))
        await service.close()
        return found

    return asyncio.run(ask())


def test_a_table_is_answered_as_serving_answers(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = [0.3, None, 1e-9, 2.0, -4.0]
    table = pl.DataFrame({"note": list("abcde"), "pump": "a", "load": loads, "event_time": MOMENTS})
    scored = score_table(runtime, MODEL, table, 1)
    assert scored.select(table.columns).equals(table)
    assert list(zip(scored["_score"], scored["_degraded"], strict=True)) == served(runtime, table.to_dicts())
    assert scored["_version"].to_list() == [1] * 5
    assert scored["_problem"].null_count() == 5
    monkeypatch.setattr("everfit.serving.batch_scoring.ROWS_AT_ONCE", 2)
    assert score_table(runtime, MODEL, table, 1).equals(scored)


def test_rows_that_cannot_be_answered_are_told_and_the_others_go_on(runtime: Runtime, tmp_path: Path) -> None:
    lines = ["pump,load,event_time", "a,0.5,2025-01-01T00:07:00Z", "a,much,2025-01-01T00:07:00Z", "a,0.5,2025-01-01T00:07:00"]
    (tmp_path / "asked.csv").write_text("\n".join([*lines, "a,0.5,2225-01-01T00:07:00Z", ",0.5,2025-01-01T00:07:00Z", ""]))
    scored = score_table(runtime, MODEL, read_table(str(tmp_path / "asked.csv")), 1)
    assert [score is None for score in scored["_score"]] == [False, True, True, True, True]
    none, number, naive, future, null = scored["_problem"]
    assert none is None
    assert number == "inputs.load: 'much' does not fit: not a finite number"
    assert naive == "event_time: '2025-01-01T00:07:00' has no time zone; end it with Z or an offset"
    assert future == "event_time: 2225-01-01T00:07:00Z lies in the future; leave it out for features as of now"
    assert null == "inputs.pump: null, and the column is not nullable"


def test_a_table_or_version_that_does_not_fit_is_refused(runtime: Runtime, tmp_path: Path) -> None:
    table = pl.DataFrame({"pump": ["a"], "load": [0.5]})
    with pytest.raises(ServiceError, match=f"{MODEL.name} has no champion yet; train and promote one"):
        score_table(runtime, MODEL, table)
    with pytest.raises(LostVersionError, match="7"):
        score_table(runtime, MODEL, table, 7)
    with pytest.raises(SourceError, match=r"no column 'load'; a request to .* has pump, load; the table has pump"):
        score_table(runtime, MODEL, table.drop("load"), 1)
    with pytest.raises(SourceError, match="a column '_score', as the result has; rename it or leave it out"):
        score_table(runtime, MODEL, table.with_columns(_score=0.5), 1)
    with pytest.raises(SourceError, match="the times of 'event_time' have no zone"):
        score_table(runtime, MODEL, table.with_columns(event_time=pl.lit(START.replace(tzinfo=None))), 1)
    with pytest.raises(SourceError, match=r"unknown kind of file; give \.csv, \.csv\.gz or \.parquet"):
        read_table("asked.xlsx")
    with pytest.raises(SourceError, match="cannot be read"):
        read_table(str(tmp_path / "none.parquet"))


def test_the_command_writes_parquet_and_fails_where_a_row_has_no_answer(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runtime, "load", lambda: runtime)
    (tmp_path / "asked.csv").write_text("pump,load\na,0.5\na,much\n")
    asked = ["score", MODEL.name, str(tmp_path / "asked.csv"), "--version", "1"]
    told = CliRunner().invoke(app, [*asked, "--json"])
    assert told.exit_code == 1
    target = tmp_path / "asked.scored.parquet"
    counts = {"rows": 2, "problems": 1, "degraded": 0}
    assert json.loads(told.stdout) == {"model": MODEL.name, "version": 1, "file": str(target)} | counts
    scored = pl.read_parquet(target)
    assert scored.select("pump", "load").rows() == [("a", "0.5"), ("a", "much")]
    assert scored["_score"].is_null().to_list() == [False, True]
    (tmp_path / "asked.csv").write_text("pump,load\na,0.5\n")
    told = CliRunner().invoke(app, [*asked, "--to", str(tmp_path / "scores.parquet")])
    assert (told.exit_code, told.stdout) == (0, f"{tmp_path}/scores.parquet: 1 of 1 rows are scored\n")
    assert not list(tmp_path.glob(".*.part"))
