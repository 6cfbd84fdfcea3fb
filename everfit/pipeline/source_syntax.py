"""What a statement does, as words, and what it names. Formatting, docstrings and annotations do nothing, and leave no word."""

import ast
from typing import Any

SILENT = {"annotation", "returns", "ctx", "type_comment", "type_ignores"}


class Syntax:
    """Reads statements.

    Attributes:
        words: of the syntax, in order: equal words are equal code.
        names: what is referred to, ``a.b.c`` as its names.
        imports: the imports inside of the statements.
    """

    def __init__(self) -> None:
        self.words: list[str] = []
        self.names: set[tuple[str, ...]] = set()
        self.imports: list[ast.stmt] = []

    def read(self, node: ast.AST) -> None:
        """Add a node with all that lies in it."""
        if names := _chain(node):
            self.names.add(names)
            self.words.append(".".join(names))
            return
        if isinstance(node, ast.Import | ast.ImportFrom):
            self.imports.append(node)
        self.words.append(type(node).__name__)
        for field in node._fields:
            if field not in SILENT:
                self._read_value(_without_docstring(node) if field == "body" else getattr(node, field, None))
        self.words.append("end")

    def _read_value(self, value: object) -> None:
        if isinstance(value, ast.AST):
            self.read(value)
        elif isinstance(value, list):
            self.words.append(str(len(value)))
            for part in value:
                self._read_value(part)
        else:
            self.words.append(repr(value))


def _without_docstring(node: ast.AST) -> object:
    documented = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None
    body: Any = vars(node)["body"]  # of a lambda or a condition it is an expression
    return body[1:] if documented else body


def _chain(node: ast.AST) -> tuple[str, ...]:
    """``a.b.c`` as its names; none where it does not begin with a name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()
