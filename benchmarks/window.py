"""How long one window of many rows takes to be judged, and how much memory.

Run: ``python benchmarks/window.py [--json] [--rows 1200000] [--sample 20000]``.

It starts a Postgres of its own, fills one week of the prediction log with rows of twelve numbers and three categories and an
outcome each, all in the database, and closes that week in a process of its own, as a pass of the sensor does. The memory is
that process' largest resident set, less what it held before the window.
"""

import argparse
import json
import math
import multiprocessing
import resource
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import sqlalchemy as sa

import monitors.version_share
from everfit import Category, Integer, Number
from everfit.declaration.reserved_columns import EVENT_TIME, SCORE
from everfit.evidence.calibration import calibrate, reference_sample
from everfit.evidence.quality import profile
from everfit.stack.postgres import Postgres
from everfit.store import ledger, month_partitions
from everfit.store.database import create_engine, migrate
from everfit.store.lake import Lake
from everfit.store.tables import evidence
from models.electricity_price import electricity_price
from monitors.pass_result import PassResult
from monitors.window_closing import close_windows
from tests.versions import untrained

LIVE = datetime(2024, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
MEGABYTE = 2**20
NUMBERS, CATEGORIES = [f"number_{at}" for at in range(11)], [f"category_{at}" for at in range(3)]
MODEL = electricity_price.model_copy(
    update={
        "name": "large",
        "go_live": LIVE,
        "views": [],
        "request": [
            *map(Category, CATEGORIES),
            *map(Number, NUMBERS),
            Integer("bounded", between=(0, 1_000)),
        ],
        "entity": CATEGORIES[0],
    }
)

_FILL = sa.text("""
    INSERT INTO predictions (event_time, request_id, model, version, role, entity, features, score, degraded, schema, late)
    SELECT :start + n * :step, 'request-' || n, :model, 1, 'champion', 'a',
           jsonb_build_object('category_0', chr(97 + n % 5), 'category_1', chr(97 + n % 20), 'category_2', 'v' || n % 200,
               'number_0', random(), 'number_1', random(), 'number_2', random(), 'number_3', random(), 'number_4', random(),
               'number_5', random(), 'number_6', random(), 'number_7', random(), 'number_8', random(), 'number_9', random(),
               'number_10', CASE WHEN n % 10 > 0 THEN random() END, 'bounded', n % 1000),
           0.05 + 0.9 * random(), false, :schema, false
    FROM generate_series(0, CAST(:rows AS integer) - 1) AS n
""")
_KNOW = sa.text("""
    INSERT INTO outcomes (observed_at, model, request_id, outcome)
    SELECT event_time, model, request_id, (random() < score)::int FROM predictions
""")


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds and megabytes of closing the window, and what was said of it."""

    rows: int
    sample: int
    seconds: float
    megabytes: float
    verdicts: dict[str, str]


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_200_000)
    parser.add_argument("--sample", type=int, default=monitors.version_share.SAMPLE_ROWS)
    parser.add_argument("--json", action="store_true", dest="as_json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="everfit-window-") as folder:
        home = Path(folder).resolve()
        server = Postgres(home / "postgres")
        try:
            server.start()
            server.create_databases(["window"])
            prepare(server.url("window"), home / "lake", arguments.rows)
            spawn = multiprocessing.get_context("spawn")
            with spawn.Pool(1) as pool:
                measured = pool.apply(measure, (server.url("window"), home / "lake", arguments.rows, arguments.sample))
        finally:
            server.stop()
    if arguments.as_json:
        print(json.dumps(asdict(measured)))
    else:
        print(f"a window of {measured.rows:,} rows, {measured.sample:,} of them read at most")
        print(
            f"  {measured.seconds:.1f} s, {measured.megabytes:.0f} MB: " + ", ".join(map(": ".join, measured.verdicts.items()))
        )


def prepare(url: str, lake: Path, rows: int) -> None:
    """A log of one full week and a champion to hold it against."""
    engine = create_engine(url)
    migrate(engine)
    month_partitions.make(engine, {f"{LIVE:%Y-%m}"})
    bound = {"start": LIVE, "step": WEEK / rows, "model": MODEL.name, "schema": MODEL.schema_id, "rows": rows}
    with engine.begin() as connection:
        connection.execute(_FILL, bound)
        connection.execute(_KNOW)
        at = LIVE + WEEK + MODEL.log.lateness
        clock = sa.text("INSERT INTO clocks (model, partition, newest, seen_at) VALUES (:model, 0, :at, now())")
        connection.execute(clock, {"model": MODEL.name, "at": at})
        detail = {"manifest": champion(Lake(lake)), "trained_until": LIVE.isoformat()}
        entry = ledger.Entry(MODEL.name, "promoted", None, 1, "benchmark", "person", "the first", None, LIVE, detail)
        ledger.append(connection, entry)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
    engine.dispose()


def champion(lake: Lake) -> str:
    """A version that was never trained, calibrated on half a year of the same rows."""
    draw, count = np.random.default_rng(0), 26 * 5_000
    frame = pl.DataFrame(
        {EVENT_TIME: [LIVE - 26 * WEEK + at * (26 * WEEK / count) for at in range(count)]}
        | {name: draw.random(count) for name in [*NUMBERS, SCORE]}
        | {"bounded": draw.integers(0, 1_000, count).astype(float)}
        | {name: draw.choice(["a", "b", "c", "d", "e"], count) for name in CATEGORIES},
        schema_overrides={EVENT_TIME: pl.Datetime("us", "UTC")},
    )
    columns = [*MODEL.features, (SCORE, "number")]
    reference = reference_sample(MODEL.drift, frame, columns, cutoff=LIVE)
    version = untrained(
        MODEL,
        reference=lake.put_frame(reference),
        calibration=calibrate(MODEL.drift, frame, reference, columns, cutoff=LIVE),
        profile=profile(MODEL, frame),
    )
    return lake.put_json(version)


def measure(url: str, lake: Path, rows: int, sample: int) -> Measured:
    """Close the week, in a process that has imported what it needs."""
    import evidently  # noqa: F401

    import everfit.evidence.evidently_report  # noqa: F401 - imports are no part of a window's cost

    monitors.version_share.SAMPLE_ROWS = sample
    engine, before, began = create_engine(url), _peak_megabytes(), time.perf_counter()
    close_windows(engine, Lake(lake), {MODEL.name: MODEL}, PassResult(), math.inf)
    seconds = time.perf_counter() - began
    with engine.connect() as connection:
        verdicts = {row.kind: row.verdict for row in connection.execute(sa.select(evidence.c.kind, evidence.c.verdict))}
    engine.dispose()
    assert len(verdicts) == 4, "the window was judged"
    return Measured(rows, sample, round(seconds, 2), round(_peak_megabytes() - before), verdicts)


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024 / MEGABYTE


if __name__ == "__main__":
    main()
