"""A module as its source file has it: what it defines, and what it imports. Nothing is imported to know it."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path


class SourceModule:
    """The definitions and the imports of a module.

    Attributes:
        name: of the module, with its package.
        is_package: whether other modules lie in it.
        definitions: the statements that define each name at the module's own level, branches included.
        imports: the dotted path that each imported name stands for.
    """

    def __init__(self, name: str, file: Path) -> None:
        self.name = name
        self.tree = ast.parse(file.read_bytes())
        self.is_package = file.name == "__init__.py"
        self._package = name if self.is_package else name.rpartition(".")[0]
        self.definitions: dict[str, list[ast.stmt]] = {}
        self.imports: dict[str, str] = {}
        for statement in _statements(self.tree.body):
            self.imports |= self.imported(statement)
            for defined in _defined(statement):
                self.definitions.setdefault(defined, []).append(statement)

    def imported(self, node: ast.AST) -> dict[str, str]:
        """The names that an import binds, each with its dotted path; none for a node that is no import."""
        match node:
            case ast.Import(names=aliases):
                return {alias.asname or _top(alias.name): alias.name if alias.asname else _top(alias.name) for alias in aliases}
            case ast.ImportFrom(module=module, names=aliases, level=level):
                above = self._package.split(".")[: len(self._package.split(".")) - level + 1] if level else []
                home = ".".join([*above, *filter(None, [module])])
                return {alias.asname or alias.name: f"{home}.{alias.name}" for alias in aliases}
        return {}


@cache
def source_module(name: str) -> SourceModule | None:
    """The module of that name; None where there is none, or it has no source file."""
    file = source_file(name)
    return SourceModule(name, Path(file)) if file else None


@cache
def source_file(name: str) -> str | None:
    """Where a module's source is; None where there is none."""
    top, _, rest = name.partition(".")
    try:
        spec = find_spec(top)
    except ValueError:  # a program that was typed in
        return None
    if spec is None:
        return None
    paths = [f"{folder}/{rest.replace('.', '/')}" for folder in spec.submodule_search_locations or []]
    files = [file for path in paths for file in (f"{path}/__init__.py", f"{path}.py")] if rest else [str(spec.origin)]
    return next((file for file in files if file.endswith(".py") and Path(file).is_file()), None)


def _top(name: str) -> str:
    return name.partition(".")[0]


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module's own level, those of its branches included."""
    for statement in body:
        if isinstance(statement, ast.If | ast.Try | ast.With):
            for branch in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(statement, branch, []))
            for handler in getattr(statement, "handlers", []):
                yield from _statements(handler.body)
        else:
            yield statement


def _defined(statement: ast.stmt) -> list[str]:
    """The names that a statement defines."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.AugAssign(target=ast.Name(id=name)):
            return [name]
    return []
