"""Packages that tests install: a module and its entry points, on the path for one test."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from everfit.environment.extensions import extensions

ROOT = Path(__file__).parents[1]
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """``install(source, alert_channels="Pager")``: a package whose module holds ``source``, with an entry point a keyword."""
    names: list[str] = []

    def add(source: str, **members: str) -> None:
        module = f"extension_{len(names)}_{tmp_path.name.replace('-', '_')}"
        names.append(module)
        (tmp_path / f"{module}.py").write_text(source)
        information = tmp_path / f"{module}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        groups = [f"[everfit.{group}]\n{attribute.lower()} = {module}:{attribute}\n" for group, attribute in members.items()]
        (information / "entry_points.txt").write_text("\n".join(groups))
        importlib.invalidate_caches()
        extensions.cache_clear()

    monkeypatch.syspath_prepend(str(tmp_path))
    yield add
    for name in names:
        sys.modules.pop(name, None)
    monkeypatch.undo()
    extensions.cache_clear()


def documented(heading: str) -> str:
    """The example of a section of docs/extending.md."""
    section = (ROOT / "docs" / "extending.md").read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return section.partition("```python\n")[2].partition("```")[0]
