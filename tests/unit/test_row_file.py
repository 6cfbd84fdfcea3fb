"""Rows that are mapped from a file are the rows, and what is computed of them in portions is what it was."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from everfit.declaration.views import Kind
from everfit.training import arrays, encoding, row_file
from everfit.training.arrays import split
from everfit.training.encoding import Encoding

FEATURES: list[tuple[str, Kind]] = [("load", "number"), ("count", "number"), ("zone", "category"), ("empty", "number")]
N = 1_000
ROWS = pl.DataFrame(
    {
        "_event_time": [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=at) for at in range(N)],
        "load": [None if at % 7 == 0 else 1e38 if at % 11 == 0 else at / 3 for at in range(N)],
        "count": range(N),
        "zone": [None if at % 5 == 0 else f"a zone of the number {at}" for at in range(N)],
        "empty": pl.Series([None] * N, dtype=pl.Null),
        "counts": [[at, at + 1] for at in range(N)],
    },
    schema_overrides={"_event_time": pl.Datetime("us", "UTC")},
)


@pytest.fixture
def mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    monkeypatch.setattr(row_file, "PORTION_ROWS", 64)
    ROWS.write_parquet(tmp_path / "rows.parquet")
    row_file.from_parquet(tmp_path / "rows.parquet", tmp_path / "rows.arrow")
    return row_file.mapped(tmp_path / "rows.arrow")


def test_mapped_rows_are_those_of_the_parquet_file(mapped: pl.DataFrame, tmp_path: Path) -> None:
    assert mapped.n_chunks() == 16
    assert mapped.schema == pl.read_parquet(tmp_path / "rows.parquet").schema
    assert mapped.equals(ROWS)
    row_file.let_go()
    assert mapped.equals(ROWS)


def test_no_rows_have_their_columns(tmp_path: Path) -> None:
    ROWS.clear().write_parquet(tmp_path / "rows.parquet")
    row_file.from_parquet(tmp_path / "rows.parquet", tmp_path / "rows.arrow")
    assert row_file.mapped(tmp_path / "rows.arrow").equals(ROWS.clear())


def test_the_arrays_of_mapped_rows_are_those_of_the_rows(mapped: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "PORTION_ROWS", 64)
    (numbers, categories, *_), expected = split(FEATURES, mapped), split(FEATURES, ROWS)
    assert np.array_equal(numbers, expected[0], equal_nan=True)
    assert np.array_equal(categories, expected[1])
    assert np.isnan(numbers[11, 0]), "1e38 is beyond what is read"
    assert np.isnan(numbers[:, 2]).all()
    assert (numbers[5, 1], categories[5, 0], categories[6, 0]) == (5.0, "", "a zone of the number 6")


@pytest.mark.parametrize("width", [0, 1, 2, 5])
@pytest.mark.parametrize("rows", [0, 1, 1_000])
def test_an_encoding_in_portions_is_the_same_bit_for_bit(rows: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    numbers = random.normal(size=(rows, width)) * 1e3
    numbers[random.random((rows, width)) < 0.1] = np.nan
    categories = np.empty((rows, 0), dtype=object)
    whole = Encoding.fit(numbers, categories)
    monkeypatch.setattr(encoding, "PORTION_ROWS", 64)
    portions = Encoding.fit(numbers, categories)
    known = np.isfinite(numbers)
    means = np.where(known, numbers, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    assert np.array_equal(portions.means, means)
    assert np.array_equal(portions.means, whole.means)
    assert np.array_equal(portions.scales, whole.scales)


def test_vectors_that_may_be_null_are_mapped_too(tmp_path: Path) -> None:
    rows = ROWS.with_columns(
        vector=pl.Series([None if at % 3 else [at, 0.5] for at in range(N)], dtype=pl.Array(pl.Float32, 2))
    )
    rows.write_parquet(tmp_path / "rows.parquet")
    row_file.from_parquet(tmp_path / "rows.parquet", tmp_path / "rows.arrow")
    assert row_file.mapped(tmp_path / "rows.arrow").equals(rows)
