"""Readers of sources: one from outside the package, and locations of more rows than one portion, on a real Postgres."""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from everfit.declaration import Model
from everfit.errors import SettingsError, SourceError
from everfit.sources import files
from everfit.sources.publication import publish, publish_from
from everfit.store.tables import online_features, source_rows
from models.electricity_price import electricity_price, half_hours, recorded_half_hours
from tests.extensions import Install

MODELS: Mapping[str, Model] = {electricity_price.name: electricity_price}
METER = """
import datetime

def meter(source, location):
    start = datetime.datetime.fromisoformat(location.removeprefix("meter://"))
    for portion in range(3):
        hours = [start + datetime.timedelta(minutes=30 * (10 * portion + row)) for row in range(10)]
        values = {column.name: 0.5 for column in source.columns if column.kind == "number"} | {"region": "NSW"}
        if location.endswith("01:00Z") and portion == 2:
            raise TimeoutError("the meter hung up")
        yield [values | {"period_start": hour} for hour in hours]
"""


def rows(count: int = 48) -> pl.DataFrame:
    """The first rows on record, in declared order."""
    recorded: pl.DataFrame = recorded_half_hours()
    return recorded[:count].select(column.name for column in half_hours.columns)


def landed(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(source_rows)).scalar_one()


def online(engine: sa.Engine) -> list[tuple[object, ...]]:
    """The online state of the views."""
    columns = [column for column in online_features.c if column.name not in ("view", "version")]
    with engine.connect() as connection:
        return sorted(map(tuple, connection.execute(sa.select(*columns))), key=repr)


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    frame.write_csv(path)


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    frame.write_parquet(path)


def write_jsonl(frame: pl.DataFrame, path: Path) -> None:
    frame.with_columns(pl.col("period_start").dt.strftime("%+")).write_ndjson(path)


WRITERS = {"csv": write_csv, "parquet": write_parquet, "jsonl": write_jsonl}


def test_a_reader_from_outside_publishes_what_its_scheme_names(engine: sa.Engine, install: Install) -> None:
    install(METER, sources="meter")
    assert publish_from(engine, MODELS, "half_hours", "meter://1996-05-07T00:00Z") == (30, 30)
    assert publish_from(engine, MODELS, "half_hours", "meter://1996-05-07T00:00Z") == (30, 0)
    with pytest.raises(SourceError, match=r"^meter://1996-05-08T01:00Z cannot be read: the meter hung up"):
        publish_from(engine, MODELS, "half_hours", "meter://1996-05-08T01:00Z")
    assert landed(engine) == 30, "all portions or none"


def test_what_no_reader_takes_is_refused_with_those_that_there_are(engine: sa.Engine, install: Install) -> None:
    install(METER, sources="meter")
    choices = r"give \.csv, \.csv\.gz, \.parquet, \.jsonl, \.ndjson or \.meter or meter://"
    with pytest.raises(SourceError, match=r"^ftp://host/a\.csv: unknown source of rows 'ftp://'; " + choices):
        publish_from(engine, MODELS, "half_hours", "ftp://host/a.csv")
    with pytest.raises(SourceError, match=r"^a\.b\.xls: unknown kind of file '\.xls'; " + choices):
        publish_from(engine, MODELS, "half_hours", "a.b.xls")


def test_a_reader_with_the_name_of_one_of_ours_is_refused(engine: sa.Engine, install: Install) -> None:
    install(METER.replace("def meter", "def csv"), sources="csv")
    with pytest.raises(SettingsError, match=r"everfit\.sources 'csv' of extension_0_.* has the name of everfit's own"):
        publish_from(engine, MODELS, "half_hours", "a.csv")


NOT_ROWS = ": source half_hours takes a list of mappings or a polars.DataFrame, not "


@pytest.mark.parametrize(
    ("portions", "fault"),
    [
        ("[5]", NOT_ROWS + "int 5"),
        ("['ab']", NOT_ROWS + "str 'ab'"),
        ("[{'price': 1}]", NOT_ROWS + "dict {'price': 1}"),
        ("[iter([])]", NOT_ROWS + "list_iterator <"),
        ("[pl.LazyFrame()]", NOT_ROWS + "polars.lazyframe.frame.LazyFrame <"),
        ("[['a', 'b']]", ": source half_hours, row 1: a row is a mapping of its columns, not str 'a'"),
        ("[[5]]", ": source half_hours, row 1: a row is a mapping of its columns, not int 5"),
        ("None", " cannot be read: TypeError: 'NoneType' object is not iterable"),
        ("exit(0)", " cannot be read: SystemExit: 0"),
    ],
)
def test_a_reader_that_gives_no_rows_is_refused_with_the_location_and_what_came(
    engine: sa.Engine, install: Install, portions: str, fault: str
) -> None:
    install(f"import polars as pl\ndef rows(source, location):\n    return {portions}\n", sources="rows")
    with pytest.raises(SourceError) as refused:
        publish_from(engine, MODELS, "half_hours", "rows://here")
    assert str(refused.value).startswith("rows://here" + fault)
    assert landed(engine) == 0


def test_what_is_no_rows_is_refused_when_it_is_published_in_python(engine: sa.Engine) -> None:
    with pytest.raises(SourceError, match=r"row 1: a row is a mapping of its columns, not int 5"):
        publish(engine, MODELS, "half_hours", [5])  # type: ignore[list-item]
    with pytest.raises(SourceError, match=r"takes a list of mappings or a polars\.DataFrame, not polars\.lazyframe"):
        publish(engine, MODELS, "half_hours", pl.LazyFrame())  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", WRITERS)
def test_portions_leave_the_same_as_one_publication(
    engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    frame = rows().sample(fraction=1.0, shuffle=True, seed=7)
    assert publish(engine, MODELS, "half_hours", frame) == 48
    whole = online(engine)
    assert whole
    with engine.begin() as connection:
        connection.execute(sa.delete(online_features))
        connection.execute(sa.delete(source_rows))
    monkeypatch.setattr(files, "PORTION_ROWS", 10)
    WRITERS[kind](frame, path := tmp_path / f"a.{kind}")
    assert publish_from(engine, MODELS, "half_hours", str(path)) == (48, 48)
    assert online(engine) == whole


@pytest.mark.parametrize("write", WRITERS.values())
def test_a_row_at_fault_in_a_later_portion_is_named_and_nothing_lands(
    engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[pl.DataFrame, Path], None]
) -> None:
    monkeypatch.setattr(files, "PORTION_ROWS", 10)
    kind = write.__name__.removeprefix("write_")
    ahead = pl.when(pl.int_range(pl.len()) == 33).then(pl.col("period_start") + timedelta(days=20_000))
    write(rows().with_columns(ahead.otherwise("period_start").alias("period_start")), path := tmp_path / f"a.{kind}")
    with pytest.raises(SourceError, match=rf"^{path}: source half_hours, row 34, column 'period_start': .* lies in the future"):
        publish_from(engine, MODELS, "half_hours", str(path))
    assert landed(engine) == 0


def test_a_correction_in_a_later_portion_counts_once_and_is_logged(
    engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(files, "PORTION_ROWS", 10)
    frame = rows(12)
    pl.concat([frame, frame[:3].with_columns(price=pl.lit(0.25))]).write_parquet(path := tmp_path / "a.parquet")
    with caplog.at_level(logging.WARNING):
        assert publish_from(engine, MODELS, "half_hours", str(path)) == (15, 12)
    assert "source half_hours: 3 rows correct earlier rows of this publication; the last counts" in caplog.text
    assert publish(engine, MODELS, "half_hours", frame[3:]) == 0
