"""Loading the code location, against a bare one of as many assets and checks: a new Python each, in turns."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import _models

ROUNDS = 7
OURS = "from orchestration.definitions import defs; defs.get_repository_def().get_all_jobs()"
BARE = "from bare import defs; defs.get_repository_def().get_all_jobs()"
COUNT = """
from orchestration.definitions import defs
graph = defs.get_repository_def().asset_graph
keys = graph.get_all_asset_keys()
made = sum(graph.get(key).is_executable for key in keys)
print(made, len(keys) - made, len(graph.asset_check_keys), len({key.path[0] for key in keys}))
"""
_BARE = """
import dagster as dg


def model(name, made, external, checked):
    def stage(number):
        before = [[name, f"stage_{number - 1}"]] if number else [[name, f"external_{other}"] for other in range(external)]

        @dg.asset(key=[name, f"stage_{number}"], deps=before, group_name=name)
        def asset() -> None: ...

        return asset

    @dg.multi_asset_check(
        name=f"{name}__checks",
        specs=[dg.AssetCheckSpec(f"check_{number}", asset=[name, f"stage_{made - 1}"]) for number in range(checked)],
        can_subset=True,
    )
    def checks(context): ...

    outside = [dg.AssetSpec([name, f"external_{number}"], group_name=name) for number in range(external)]
    return [*outside, *map(stage, range(made))], checks


MADE = [model(f"model_{number}", *SHAPE) for number in range(MODELS)]
defs = dg.Definitions(assets=[a for assets, _ in MADE for a in assets], asset_checks=[check for _, check in MADE])
"""


def measure() -> dict[str, float]:
    """``load_ratio`` of the declared models, ``load_ratio_100_models`` of a hundred generated ones."""
    with tempfile.TemporaryDirectory() as folder:
        _models.write(Path(folder) / "many", 100)
        own = _ratio(Path(folder) / "own", {})
        many = _ratio(Path(folder) / "bare", {"EVERFIT_MODELS": _models.PACKAGE}, Path(folder) / "many")
    return {"load_ratio": own, "load_ratio_100_models": many}


def _ratio(folder: Path, environment: dict[str, str], *paths: Path) -> float:
    """Median seconds of ours over those of a bare location of the same size."""
    ours = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join([*map(str, paths), str(Path.cwd())])}
    counted = subprocess.run([sys.executable, "-c", COUNT], env=ours, check=True, capture_output=True, text=True).stdout
    made, external, checked, models = map(int, counted.split())
    folder.mkdir()
    shape = f"SHAPE, MODELS = ({made // models}, {external // models}, {checked // models}), {models}\n"
    (folder / "bare.py").write_text(shape + _BARE)
    bare = {**os.environ, "PYTHONPATH": str(folder)}
    rounds = [(_seconds(OURS, ours), _seconds(BARE, bare)) for _ in range(ROUNDS)]
    return statistics.median(own for own, _ in rounds) / statistics.median(other for _, other in rounds)


def _seconds(code: str, environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
