"""Who may import whom: the contract names every part of the house, and a forbidden import in any layer is refused."""

import re
import shutil
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("orchestration", "assets", "monitors", "everfit", "models")
IN_A_LINE = re.compile(r"[|:]")


def layers() -> list[list[str]]:
    """The layers from the top, each with its members."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [contract for contract in contracts if contract["type"] == "layers"]
    return [[name.strip() for name in IN_A_LINE.split(line)] for line in contract["layers"]]


def test_the_contract_names_every_part_of_the_house() -> None:
    parts = [path for path in (ROOT / "everfit").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    names = {f"everfit.{path.stem}" for path in parts if path.stem != "__init__"} | {"orchestration", "assets", "monitors"}
    assert {name for layer in layers() for name in layer} == names


def test_nothing_but_the_simplest_lies_at_the_root_of_the_package() -> None:
    files = {path.stem for path in (ROOT / "everfit").glob("*.py")} - {"__init__"}
    assert files == {"errors", "timing", "waiting", "runtime", "testing"}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a copy of the house in which each layer imports from the one above it."""
    house = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", house)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, house / package, ignore=shutil.ignore_patterns("__pycache__", "data"))
    for lower, upper in pairs():
        path = house.joinpath(*lower.split("."))
        module = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
        module.write_text(f"{module.read_text()}\n\ndef forbidden() -> None:\n    import {upper}\n")
    command = [str(Path(sys.executable).with_name("lint-imports")), "--config", "pyproject.toml", "--no-cache"]
    done = subprocess.run(command, cwd=house, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    return done.stdout


def pairs() -> list[tuple[str, str]]:
    """Each part of the house with a part of the layer above it; neighbours in one layer with one another."""
    order = layers()
    upward = [(lower, upper[0]) for upper, layer in pairwise(order) for lower in layer]
    return upward + [(layer[0], layer[1]) for layer in order if len(layer) > 1]


@pytest.mark.parametrize(("lower", "upper"), pairs())
def test_an_import_from_the_layer_above_is_refused(refusals: str, lower: str, upper: str) -> None:
    assert f"{lower} is not allowed to import {upper}:" in refusals
