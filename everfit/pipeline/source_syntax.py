"""What a statement does, as words, and what it names. Formatting, docstrings and annotations do nothing, and leave no word."""

import ast

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
        if isinstance(node, ast.Name | ast.Attribute) and (names := _chain(node)):
            self.names.add(names)
            self.words.append(".".join(names))
            return
        if isinstance(node, ast.Import | ast.ImportFrom):
            self.imports.append(node)
        self.words.append(type(node).__name__)
        values = vars(node)
        for field in node._fields:
            if field in SILENT:
                continue
            value = values.get(field)
            if isinstance(value, ast.AST):
                self.read(value)
            elif isinstance(value, list):
                self._read_list(value[1:] if field == "body" and _is_documented(node) else value)
            else:
                self.words.append(repr(value))
        self.words.append("end")

    def _read_list(self, values: list[object]) -> None:
        self.words.append(str(len(values)))
        for value in values:
            if isinstance(value, ast.AST):
                self.read(value)
            else:
                self.words.append(repr(value))


def _is_documented(node: ast.AST) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    return ast.get_docstring(node, clean=False) is not None


def _chain(node: ast.AST) -> tuple[str, ...]:
    """``a.b.c`` as its names; none where it does not begin with a name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()
