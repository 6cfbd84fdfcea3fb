"""A bare script that computes and writes the features of some days: no orchestrator, no database. Arguments: a JSON file.

The file names the raw objects (``sources``: name to Parquet files), the ``days`` and the ``folder`` to write to.
"""

import json
import sys
from pathlib import Path

import polars as pl

from benchmarks.flown.flight_delay import flight_delay
from everfit.declaration.reserved_columns import EVENT_TIME, REQUEST_ID
from everfit.features.labelled_rows import labelled
from everfit.features.offline import compute


def main(told: dict[str, object]) -> None:
    """Read, compute, write one Parquet file a day."""
    files: dict[str, list[str]] = told["sources"]  # type: ignore[assignment]
    days: list[str] = told["days"]  # type: ignore[assignment]
    sources = {name: pl.concat([pl.read_parquet(file) for file in paths]) for name, paths in files.items()}
    wanted = [REQUEST_ID, EVENT_TIME, *(column.name for column in flight_delay.request)]
    day = pl.col(EVENT_TIME).dt.date().cast(pl.String)
    asked = labelled(flight_delay, sources).filter(day.is_in(days)).select(wanted).sort(EVENT_TIME, REQUEST_ID)
    frame = compute(flight_delay.views, sources, asked)
    for (name,), part in frame.with_columns(day.alias("_day")).partition_by("_day", as_dict=True, include_key=False).items():
        part.write_parquet(Path(str(told["folder"])) / f"{name}.parquet", compression="zstd", statistics=False)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
