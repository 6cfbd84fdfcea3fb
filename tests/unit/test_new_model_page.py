"""docs/new-model.md does what it says: its data are made, its declaration stands, its rows are played."""

import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from everfit import Model
from everfit.declaration.discovery import load_models
from everfit.features.labelled_rows import labelled
from everfit.features.offline import compute
from everfit.replay.timeline import recorded, timeline

PAGE = Path(__file__).parents[2] / "docs" / "new-model.md"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The page's model, in a folder made as the page says."""
    folder = tmp_path_factory.mktemp("pump-watch")
    make_readings, declaration = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (folder / "pumps").mkdir()
    (folder / "pumps" / "__init__.py").touch()
    (folder / "pumps" / "pump_stop.py").write_text(declaration)
    subprocess.run([sys.executable, "-c", make_readings], cwd=folder, check=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(folder)
        patched.chdir(folder)
        (model,) = load_models("pumps").values()
        rows = recorded(model.sources[0])  # read in the folder, as `everfit up` does
    source = model.sources[0].model_copy(update={"recorded": lambda: rows})
    return model.model_copy(update={"sources": [source]})


def test_every_hour_of_every_pump_is_asked_about_and_has_its_features(model: Model) -> None:
    rows = recorded(model.sources[0])
    asked = labelled(model, {"readings": rows})
    made = compute(model.views, {"readings": rows}, asked)
    assert made.height == rows.height == 16 * 7 * 24 * 6
    assert made.null_count().select(name for name, _ in model.features).max_horizontal().max() == 6  # the first hour of each
    assert 0.05 < made["_label"].mean() < 0.3  # type: ignore[operator]


def test_a_request_sees_the_reading_of_the_hour_before(model: Model) -> None:
    first = next(timeline(model, model.go_live, model.go_live + timedelta(hours=1)))
    assert {row["hour"] for row in first.rows["readings"]} == {model.go_live - timedelta(hours=1)}
    assert [request.inputs["pump"] for request in first.requests] == ["p1", "p2", "p3", "p4", "p5", "p6"]


def test_every_page_that_is_linked_is_there() -> None:
    for page in (PAGE, PAGE.parents[1] / "README.md", *PAGE.parent.glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
