"""What a backfill of the flights' features costs beside the work itself, and beside one run a day."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from benchmarks._instance import PROJECT, Instance, running, seconds
from everfit import Model
from everfit.dagster_api.names import days_name
from everfit.declaration.discovery import find_model
from everfit.pipeline.backfill_plan import Chunk
from everfit.pipeline.backfill_runs import tags
from everfit.pipeline.daily_partitions import available_days, land_days
from everfit.pipeline.lineage import Lineage, features_dataset
from everfit.replay.bootstrap import bootstrap
from everfit.store import partitions
from everfit.store.tables import partition_versions

DAYS, ALONE, REPEATS = 90, 10, 3


def measure() -> dict[str, float]:
    """Medians in seconds, and the two figures made of them."""
    recording = (PROJECT / "benchmarks" / "_bare_location.py").read_text()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), "benchmarks.flown", recording) as instance:
        model = find_model(instance.runtime.models, "flight_delay")
        bootstrap(instance.runtime, model)
        available = available_days(instance.runtime, model)
        land_days(instance.runtime, model, available)
        instance.dagster.change_days(days_name(model.name), [], available)
        days = available[-DAYS:]
        backfills = [_backfill(instance, model, days) for _ in range(REPEATS)]
        made = _made(instance, model, days)
        scripts = [_script(instance, model, days, made) for _ in range(REPEATS)]
        bare = [_bare_run(instance) for _ in range(REPEATS)]
        _forget(instance, model)
        alone = _one_each(instance, model, days[:ALONE])
    seconds = {
        name: statistics.median(all_of) for name, all_of in (("backfill", backfills), ("script", scripts), ("bare run", bare))
    }
    print({"backfill": backfills, "script": scripts, "bare run": bare, "one run each": alone}, file=sys.stderr)
    return {
        "backfill_seconds": seconds["backfill"],
        "backfill_script_seconds": seconds["script"],
        "backfill_bare_run_seconds": seconds["bare run"],
        "one_run_each_seconds_a_day": alone,
        "backfill_ratio": seconds["backfill"] / (seconds["script"] + seconds["bare run"]),
        "backfill_speedup": alone / (seconds["backfill"] / DAYS),
    }


def _backfill(instance: Instance, model: Model, days: list[str]) -> float:
    """A run that makes all days, from its creation to its end; nothing of them is left from an earlier one."""
    _forget(instance, model)
    return seconds(instance.dagster, _launch(instance, model, days))


def _one_each(instance: Instance, model: Model, days: list[str]) -> float:
    """Seconds a day of one run each, one after the other, each from its creation to its end."""
    return statistics.mean(seconds(instance.dagster, _launch(instance, model, [day])) for day in days)


def _launch(instance: Instance, model: Model, days: list[str]) -> str:
    return instance.dagster.launch([[model.name, "features"]], tags(model, Chunk(("features",), tuple(days))))


def _bare_run(instance: Instance) -> float:
    """Dagster alone: a run that records as many materializations and does nothing."""
    span = {"dagster/asset_partition_range_start": "day-000", "dagster/asset_partition_range_end": f"day-{DAYS - 1:03d}"}
    return seconds(instance.bare, instance.bare.launch([["recorded"]], span))


def _script(instance: Instance, model: Model, days: list[str], made: dict[str, str]) -> float:
    """The bare script as a process; what it wrote is what the backfill made."""
    lake = instance.runtime.lake
    lineage = Lineage.up_to_date(instance.runtime, model)
    first = min(one for day in days for _, one in lineage.visible_days[day])
    sources = {
        source: [str(lake.path(made_of[day].hash, "parquet")) for day in made_of if first <= day < lineage.whole_before]
        for source, made_of in lineage.raw.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.json"
        told.write_text(json.dumps({"sources": sources, "days": days, "folder": folder}))
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "benchmarks._bare_features", str(told)], check=True, cwd=PROJECT)
        took = time.perf_counter() - began
        for day, digest in made.items():
            if (Path(folder) / f"{day}.parquet").read_bytes() != lake.get(digest, "parquet"):
                raise RuntimeError(f"the script's {day} is not what the backfill made")
    return took


def _made(instance: Instance, model: Model, days: list[str]) -> dict[str, str]:
    with instance.runtime.engine.connect() as connection:
        found = partitions.newest(connection, features_dataset(model))
    return {day: found[day] for day in days}


def _forget(instance: Instance, model: Model) -> None:
    """Remove what was made of the features, so that every repeat writes all of it."""
    with instance.runtime.engine.begin() as connection:
        for digest in set(partitions.newest(connection, features_dataset(model)).values()):
            instance.runtime.lake.path(digest, "parquet").unlink(missing_ok=True)
        connection.execute(sa.delete(partition_versions).where(partition_versions.c.dataset == features_dataset(model)))
