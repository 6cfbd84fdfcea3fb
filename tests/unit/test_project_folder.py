"""The folder that one works in, also where it is a checkout of everfit whose packages alone are installed."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from everfit.environment.project_folder import put_behind

ROOT = Path(__file__).parents[2]


def test_a_checkout_is_found_though_no_path_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = [entry for entry in sys.path if Path(entry).resolve() != ROOT]
    monkeypatch.setattr(sys, "path", elsewhere)
    monkeypatch.setattr(sys, "meta_path", [finder for finder in sys.meta_path if type(finder).__name__ != "ProjectFolder"])
    monkeypatch.delitem(sys.modules, "benchmarks", raising=False)
    assert find_spec("benchmarks") is None
    put_behind(ROOT)
    spec = find_spec("benchmarks")
    assert spec is not None
    assert spec.origin == str(ROOT / "benchmarks" / "__init__.py")
