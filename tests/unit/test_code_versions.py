"""A change of code marks what that code makes, and nothing else."""

import ast
import importlib
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import grimp
import pytest

from everfit import Gate, GradientBoosting, Model, Shadow, Torch, TorchMLP
from everfit.features import fingerprint
from everfit.pipeline import code_versions, source_closure, source_module
from everfit.pipeline.code_versions import NEUTRAL, ROOTS, Stage, code_version, fit_version, stage_version
from models.electricity_price import electricity_price

ROOT = Path(__file__).parents[2]
STAGES: tuple[Stage, ...] = get_args(Stage)


def versions(model: Model) -> dict[Stage, str]:
    return {stage: stage_version(model, stage) for stage in STAGES}


def forget() -> None:
    """Read every source anew."""
    for cached in (
        source_module.source_module,
        source_module.source_file,
        source_closure._places,
        source_closure._definition,
        code_versions.source_version,
        fingerprint.class_version,
    ):
        cached.cache_clear()


@pytest.fixture(autouse=True)
def _read_anew() -> Iterator[None]:
    forget()
    yield
    forget()


@pytest.fixture(scope="module")
def unedited() -> tuple[dict[Stage, str], str]:
    forget()
    return versions(electricity_price), code_version(electricity_price)


def edit(monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str) -> None:
    """From now on a source file reads as if what a pattern finds in it were replaced."""
    read = Path.read_bytes
    edited, times = re.subn(old, new, (ROOT / file).read_text(), count=1, flags=re.MULTILINE | re.DOTALL)
    assert times, f"{file} does not hold {old!r} any more; choose another change"
    monkeypatch.setattr(Path, "read_bytes", lambda path: edited.encode() if path == ROOT / file else read(path))
    forget()


@pytest.mark.parametrize(
    ("file", "definition", "stages"),
    [
        ("everfit/pipeline/daily_partitions.py", "land_days", {"raw_data", "features"}),
        ("everfit/pipeline/daily_partitions.py", "_spine", {"features"}),
        ("everfit/pipeline/past_requests.py", "_make", {"features"}),
        ("everfit/features/spans.py", "days_reached", {"features"}),
        ("everfit/features/labelled_rows.py", "labelled", {"features", "training_set"}),
        ("everfit/store/frames.py", "landed", {"raw_data", "features"}),
        ("everfit/store/frames.py", "logged", {"features", "training_set", "evaluation"}),
        ("everfit/declaration/columns.py", "Number", {"raw_data"}),
        ("everfit/pipeline/training_set.py", "known_by", {"training_set", "trained_model"}),
        ("everfit/evidence/out_of_bounds.py", "within", {"training_set"}),
        ("everfit/evidence/quality.py", "profile", {"trained_model"}),
        ("everfit/evidence/measures.py", "measures_for", {"trained_model"}),
        ("everfit/evaluation/folds.py", "folds", {"trained_model", "evaluation"}),
        ("everfit/training/artifact.py", "run_session", {"trained_model", "evaluation", "champion"}),
        ("everfit/training/parity.py", "_main", {"trained_model"}),
        ("everfit/training/gradient_boosting.py", "GradientBoosting", {"trained_model"}),
        ("everfit/training/tree_ensemble.py", "_members", {"trained_model"}),
        ("everfit/training/network.py", "perceptron", {"trained_model"}),
        ("everfit/evaluation/comparison.py", "compare", {"evaluation"}),
        ("everfit/pipeline/champion_inputs.py", "_merged", {"evaluation"}),
        ("everfit/pipeline/promotion.py", "register", {"champion"}),
        ("everfit/pipeline/day_summary.py", "summarize", set()),
        ("everfit/pipeline/lineage.py", "outdated", set()),
        ("everfit/errors.py", "FeatureError", set()),
        ("everfit/store/partitions.py", "record", set()),
        ("everfit/evaluation/plots.py", "intervals", set()),
    ],
)
def test_a_change_marks_what_it_makes(
    unedited: tuple[dict[Stage, str], str],
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    definition: str,
    stages: set[Stage],
) -> None:
    edit(monkeypatch, file, rf"^((?:def|class) {definition}\b.*?:\n)", r"\1    EDITED = True\n")
    after = versions(electricity_price)
    assert {stage for stage in STAGES if after[stage] != unedited[0][stage]} == stages
    assert (code_version(electricity_price) != unedited[1]) == bool(stages)


def test_the_labels_query_marks_what_reads_the_log(
    unedited: tuple[dict[Stage, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(monkeypatch, "everfit/store/frames.py", "ORDER BY observed_at DESC", "ORDER BY observed_at")
    after = versions(electricity_price)
    assert {stage for stage in STAGES if after[stage] != unedited[0][stage]} == {"features", "training_set", "evaluation"}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("everfit/pipeline/training.py", '^"""', '"""Edited. '),
        ("everfit/training/network.py", '    """', '    """Edited. '),
        ("everfit/store/frames.py", "^import", "# Edited.\n\nimport"),
        ("everfit/training/mlp.py", 'rows: "pl.DataFrame"', "rows:object"),
    ],
    ids=["docstring of a module", "docstring of a class", "comment", "annotation"],
)
def test_what_changes_nothing_marks_nothing(
    unedited: tuple[dict[Stage, str], str], monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str
) -> None:
    edit(monkeypatch, file, old, new)
    assert versions(electricity_price) == unedited[0]


OWN_PACKAGE = {
    "__init__.py": "",
    "net.py": "def widths():\n    return [4, 2]\n\n\ndef unused():\n    return 1\n\n\ndef shift(rows):\n    return rows\n",
    "parts.py": """
        from everfit import BinaryClassification, Recipe

        class Own(Recipe):
            name: str = "own"

            def fit(self, rows, context):
                from own_package.net import widths
                return widths()

        def history(half_hours):
            from own_package.net import shift
            return shift(half_hours)

        def is_sure(answers, rows):
            return "" if answers(rows).max() > 0.9 else "unsure"

        class Late(BinaryClassification):
            def losses(self, labels, answers):
                return super().losses(labels, answers)
        """,
}


@pytest.fixture
def own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's package with a recipe and a task."""
    folder = tmp_path / "own_package"
    folder.mkdir()
    for name, source in OWN_PACKAGE.items():
        (folder / name).write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.startswith("own_package")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("file", "old", "new", "stages"),
    [
        ("net.py", "[4, 2]", "[4, 3]", {"trained_model"}),
        ("parts.py", "return widths()", "return widths() or 0", {"trained_model"}),
        ("parts.py", "return super()", "return 2 * super()", {"training_set", "trained_model", "evaluation"}),
        ("parts.py", "> 0.9", "> 0.8", {"evaluation"}),
        ("net.py", "return rows", "return rows[1:]", {"features", "training_set"}),
        ("net.py", "return 1", "return 2", set()),
        ("parts.py", "from everfit", "# A comment.\nfrom everfit", set()),
    ],
)
def test_a_change_of_the_users_own_code_marks_what_it_makes(
    own_package: Path, file: str, old: str, new: str, stages: set[Stage]
) -> None:
    parts: ModuleType = importlib.import_module("own_package.parts")
    model = electricity_price.model_copy(
        update={
            "candidates": [parts.Own()],
            "task": parts.Late(label="up"),
            "history": parts.history,
            "gate": Gate(checks=[parts.is_sure]),
        }
    )
    before = versions(model)
    (own_package / file).write_text((own_package / file).read_text().replace(old, new))
    forget()
    assert {stage for stage, version in versions(model).items() if version != before[stage]} == stages


def test_a_recipe_that_was_typed_in_has_a_version_too() -> None:
    names: dict[str, Any] = {"__name__": "typed_in"}
    source = "from everfit import Recipe\nclass Typed(Recipe):\n    def fit(self, rows, context):\n        return {}\n"
    typed = []
    for answer in ("1", "2", "1"):
        exec(source.format(answer), names)
        typed.append(electricity_price.model_copy(update={"candidates": [names["Typed"](name="typed")]}))
    first, second, third = (stage_version(model, "trained_model") for model in typed)
    assert first == third != second


def test_a_class_that_a_recipe_is_given_has_a_version() -> None:
    made = []
    for answer in ("1", "2", "1"):
        names: dict[str, Any] = {"__name__": "typed_in"}
        exec(f"class Net:\n    def __init__(self, inputs):\n        self.answer = {answer}\n", names)
        made.append(electricity_price.model_copy(update={"candidates": [Torch("net", names["Net"])]}))
    first, second, third = (stage_version(model, "trained_model") for model in made)
    assert first == third != second


@pytest.mark.parametrize("name", ["everfit.gone", "everfit.pipeline.gone", "everfit.pipeline.training.gone"])
def test_a_root_that_leads_to_nothing_fails(name: str) -> None:
    with pytest.raises(LookupError, match=f"no '{name}' among the sources"):
        source_closure.source_closure([name])


def test_a_module_to_pass_over_that_is_not_there_fails() -> None:
    with pytest.raises(LookupError, match=r"no module 'everfit\.gone' to pass over"):
        source_closure.source_closure(["everfit.timing.midnight"], ["everfit.gone"])


def test_what_decides_nothing_is_reached_by_some_stage() -> None:
    reached = {module for roots in ROOTS.values() for module, _ in source_closure.source_closure(roots)}
    unreached = [name for name in NEUTRAL if not any(module == name or module.startswith(f"{name}.") for module in reached)]
    assert unreached == []


def test_the_imports_are_those_that_grimp_reads() -> None:
    graph = grimp.build_graph("everfit")
    for name in sorted(graph.modules):
        module = source_module.source_module(name)
        assert module is not None, name
        read = {
            path for node in ast.walk(module.tree) for path in module.imported(node).values() if path.startswith("everfit.")
        }
        modules = {path if path in graph.modules else path.rpartition(".")[0] for path in read}
        assert modules - {"everfit"} == graph.find_modules_directly_imported_by(name) - {"everfit"}, name


def test_whatever_a_stage_rests_on_lies_in_what_its_modules_import() -> None:
    graph = grimp.build_graph("everfit")
    for stage, roots in ROOTS.items():
        modules = {module for module, _ in source_closure.source_closure(roots, NEUTRAL)}
        starts = {root if root in graph.modules else root.rpartition(".")[0] for root in roots}
        imported = starts.union(*(graph.find_upstream_modules(start) for start in starts))
        assert modules <= imported, stage


def test_a_fit_rests_on_its_own_candidate_and_on_how_the_origins_are_laid() -> None:
    trees, perceptron = GradientBoosting(), TorchMLP()
    model = electricity_price.model_copy(update={"candidates": [trees, perceptron]})
    gate, drift = model.gate, model.drift.model_copy(update={"min_rows": 7})
    same: list[dict[str, Any]] = [
        {"candidates": [trees]},
        {"gate": gate.model_copy(update={"prove": "better", "slices": []})},
        {"rollout": [Shadow(for_="7d")], "drift": drift},
    ]
    other: list[dict[str, Any]] = [{"gate": gate.model_copy(update={"folds": 7})}, {"weights": electricity_price.history}]
    before = fit_version(model, trees)
    assert {fit_version(model.model_copy(update=update), trees) for update in same} == {before}
    changed = {fit_version(model.model_copy(update=update), trees) for update in other}
    changed |= {fit_version(model, perceptron), fit_version(model, GradientBoosting(seed=3))}
    assert len(changed | {before}) == 5
