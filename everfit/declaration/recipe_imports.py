"""The packages that candidates need beside everfit's own, and which of them this environment lacks."""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from everfit.declaration import Model, Recipe


@dataclass(frozen=True, slots=True)
class Lack:
    """A package that a candidate needs and that is not installed here; ``answering``: its versions need it, too."""

    model: str
    recipe: str
    package: str
    answering: bool


def lacking(models: Mapping[str, Model]) -> Iterator[Lack]:
    """What is not installed here of what the candidates import in their own code, or name as trusted types."""
    for model in models.values():
        for recipe in model.candidates:
            answering = {path.partition(".")[0] for path in recipe.trusted_types() or ()}
            for package in sorted(_imported(recipe) | answering):
                if find_spec(package) is None:
                    yield Lack(model.name, recipe.name, package, package in answering)


def imported_in(nodes: Iterable[ast.AST]) -> set[str]:
    """The top-level modules that the imports among these nodes name."""
    names = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.append(node.module or "")
    return {name.partition(".")[0] for name in names} - {""}


def _imported(recipe: Recipe) -> set[str]:
    """The modules that its class imports, where it is a user's, its functions, and the recipes within it."""
    kind, names = type(recipe), set[str]()
    for value in [*([] if kind.__module__.startswith("everfit.") else [kind]), *dict(recipe).values()]:
        if isinstance(value, Recipe):
            names |= _imported(value)
        elif callable(value):
            names |= _imported_by(value)
    return names


def _imported_by(code: Any) -> set[str]:
    """What it imports, but for what it tries to import only."""
    try:
        nodes = list(ast.walk(ast.parse(textwrap.dedent(inspect.getsource(code)))))
    except (OSError, TypeError, SyntaxError):  # of an object, or where no text is kept
        return set()
    tried = {id(node) for each in nodes if isinstance(each, ast.Try) for part in each.body for node in ast.walk(part)}
    return imported_in(node for node in nodes if id(node) not in tried)
