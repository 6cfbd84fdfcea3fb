"""``everfit publish SOURCE FILE`` from every kind of file, and what it says where it cannot."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from everfit.cli.main import app
from everfit.errors import SourceError
from everfit.store.tables import source_rows
from models.electricity_price import half_hours, recorded_half_hours


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command against the test's database; nothing else of a deployment is up."""
    monkeypatch.setenv("EVERFIT_DATABASE_URL", database_url)
    monkeypatch.setenv("EVERFIT_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    for variable in ("MLFLOW_TRACKING_URI", "EVERFIT_SERVING_URL", "EVERFIT_DAGSTER_URL"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    return lambda *arguments: CliRunner().invoke(app, ["publish", *map(str, arguments)])


def rows() -> pl.DataFrame:
    """The first day on record, in declared order."""
    recorded: pl.DataFrame = recorded_half_hours()
    return recorded[:48].select(column.name for column in half_hours.columns)


def test_every_kind_of_file_lands_the_same(run: Callable[..., Result], engine: Engine, tmp_path: Path) -> None:
    frame = rows()
    frame[:24].write_csv(tmp_path / "a.csv")
    frame[:36].write_parquet(tmp_path / "a.parquet")
    frame.with_columns(pl.col("period_start").dt.strftime("%+")).write_ndjson(tmp_path / "a.jsonl")
    assert run("half_hours", tmp_path / "a.csv").output == "half_hours: 24 rows published, 24 of them new or corrected\n"
    assert json.loads(run("half_hours", tmp_path / "a.parquet", "--json").output) == {
        "source": "half_hours",
        "rows": 36,
        "changed": 12,
    }
    assert json.loads(run("half_hours", tmp_path / "a.jsonl", "--json").output) == {
        "source": "half_hours",
        "rows": 48,
        "changed": 12,
    }
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(source_rows)).scalar_one() == 48


@pytest.mark.parametrize(
    ("source", "name", "content", "told"),
    [
        ("tides", "a.csv", "x\n1\n", "no source 'tides'; declared are flights, half_hours, hours, weather"),
        ("half_hours", "a.xls", "x", r"a.xls: unknown kind of file '.xls'; give .csv"),
        ("half_hours", "a.parquet", "x", "a.parquet cannot be read"),
        ("half_hours", "a.csv", "\x7fELF\x02\x01", "a.csv holds no row, and '\\x7fELF\\x02\\x01' where source half_hours has"),
        ("half_hours", "a.csv", "period_start,price\n", "a.csv holds no row, and 'period_start', 'price' where source"),
        ("half_hours", "a.jsonl", '{"price": 1}\n[2]\n', "a.jsonl cannot be read: line 2 is no JSON object"),
        (
            "half_hours",
            "a.csv",
            "price,demand\n1,2\n",
            "row 1: missing column 'neighbour_demand', 'neighbour_price', 'period_start'",
        ),
        (
            "half_hours",
            "a.csv",
            "period_start,region,price,demand,neighbour_price,neighbour_demand,transfer\n1996-05-07T00:00:00Z,NSW,dear,0,0,0,0\n",
            "row 1, column 'price': 'dear' does not fit: not a finite number",
        ),
    ],
)
def test_what_cannot_be_published_is_told(
    run: Callable[..., Result], tmp_path: Path, source: str, name: str, content: str, told: str
) -> None:
    (tmp_path / name).write_text(content)
    result = run(source, tmp_path / name)
    assert result.exit_code == 1
    assert isinstance(result.exception, SourceError)
    assert told in str(result.exception)


def test_of_json_lines_the_row_at_fault_is_told(run: Callable[..., Result], tmp_path: Path) -> None:
    good = rows()[:1].with_columns(pl.col("period_start").dt.strftime("%+")).to_dicts()[0]
    lines = [good, good | {"price": "dear"}, good | {"price": True}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert "row 2, column 'price': 'dear' does not fit" in str(run("half_hours", tmp_path / "a.jsonl").exception)
    (tmp_path / "a.jsonl").write_text(json.dumps(lines[2]))
    assert "True does not fit: not a finite number; write yes and no as 1 and 0" in str(
        run("half_hours", tmp_path / "a.jsonl").exception
    )


def test_a_file_that_is_not_there_is_told(run: Callable[..., Result], tmp_path: Path) -> None:
    assert "cannot be read" in str(run("half_hours", tmp_path / "none.csv").exception)
