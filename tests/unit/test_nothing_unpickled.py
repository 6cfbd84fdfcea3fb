"""No code of everfit's reads a pickle: not from the registry, the lake, a checkpoint or a socket."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOUSE = ("everfit", "monitors", "assets", "orchestration")
FILES = [file for package in HOUSE for file in sorted((ROOT / package).rglob("*.py"))]
PACKAGES = {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
ARGUMENTS = {"allow_pickle=True", "weights_only=False"}
CALLS = {"torch.load", "mlflow.pyfunc.load_model", "mlflow.sklearn.load_model", "mlflow.pytorch.load_model"}


def readers(source: str) -> Iterator[str]:
    """What in the source reads pickles, or may."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.partition(".")[0] in PACKAGES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in PACKAGES:
            yield f"from {node.module}"
        elif isinstance(node, ast.keyword) and (argument := f"{node.arg}={ast.unparse(node.value)}") in ARGUMENTS:
            yield argument
        elif isinstance(node, ast.Call) and (called := ast.unparse(node.func)) in CALLS:
            yield called


def test_nothing_is_unpickled() -> None:
    assert len(FILES) > 300
    found = {file.relative_to(ROOT).as_posix(): [*readers(file.read_text())] for file in FILES}
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from joblib import load", "np.load(f, allow_pickle=True)", "torch.load(f)", "f(weights_only=False)"],
)
def test_what_would_be_is_found(source: str) -> None:
    assert [*readers(source)]
