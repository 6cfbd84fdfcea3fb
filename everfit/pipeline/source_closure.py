"""Which code a definition rests on: its own source, and all that it refers to of its package and of everfit, by the imports.

It is read from the source files, imports inside of functions included, definition by definition: of a module that is imported
counts what is used of it.
"""

from collections.abc import Sequence
from functools import cache

from everfit.pipeline.source_module import SourceModule, source_file, source_module
from everfit.pipeline.source_syntax import Syntax

PACKAGE = "everfit"

Place = tuple[str, str]  # a module, and a name that it defines


def source_closure(roots: Sequence[str], neutral: Sequence[str] = ()) -> dict[Place, str]:
    """The source of the roots and of everything that they rest on, in the order of the modules and names.

    Args:
        roots: dotted paths of functions, classes and constants, or of modules, for all that these define.
        neutral: dotted paths of modules and packages that decide nothing: what lies there is passed over, with what it refers
            to in turn. A root is never passed over.

    Raises:
        LookupError: when one of these paths leads to nothing.
    """
    for path in neutral:
        if source_file(path) is None:
            raise LookupError(f"no module {path!r} to pass over; correct its name")
    inside, outside = _prefixes([PACKAGE, *(root.partition(".")[0] for root in roots)]), _prefixes(neutral)
    waiting = [place for root in roots for place in _required(root)]
    closure: dict[Place, str] = {}
    while waiting:
        place = waiting.pop()
        if place not in closure:
            closure[place], used = _definition(place)
            for path in used:
                if f"{path}.".startswith(inside) and not f"{path}.".startswith(outside):
                    waiting += [other for other in _places(path) if not f"{other[0]}.".startswith(outside)]
    return dict(sorted(closure.items()))


def _required(root: str) -> tuple[Place, ...]:
    places = _places(root)
    if not places or not (source_module(root) or root.rpartition(".")[2] == places[0][1]):
        raise LookupError(f"no {root!r} among the sources; correct its name")
    return places


def _prefixes(names: Sequence[str]) -> tuple[str, ...]:
    """With what the path of a module begins, its last dot added, that is one of these or lies in one."""
    return tuple(f"{name}." for name in names)


@cache
def _places(path: str) -> tuple[Place, ...]:
    """What a dotted path leads to: a definition, all of a module, or nothing where there is no such module."""
    name, *rest = path.split(".")
    module = source_module(name)
    for part in rest:
        name = f"{name}.{part}"
        within = source_module(name) if module is None or module.is_package else None
        if within is None and module is not None:
            return _named(module, part)
        module = within
    return tuple((module.name, defined) for defined in module.definitions) if module else ()


def _named(module: SourceModule, name: str) -> tuple[Place, ...]:
    """A definition of a module, or of the one that it imports it from; all of the module where its name is made as it runs."""
    if name in module.definitions:
        return ((module.name, name),)
    if name in module.imports and module.imports[name] != f"{module.name}.{name}":
        return _places(module.imports[name])
    return tuple((module.name, defined) for defined in module.definitions)


@cache
def _definition(place: Place) -> tuple[str, frozenset[str]]:
    """The syntax of a definition, and the dotted paths that it refers to."""
    module = source_module(place[0])
    assert module is not None, place
    syntax = Syntax()
    for statement in module.definitions[place[1]]:
        syntax.read(statement)
    paths = module.imports | {name: f"{module.name}.{name}" for name in module.definitions}
    for node in syntax.imports:
        paths |= module.imported(node)
    used = (".".join([paths[first], *rest]) for first, *rest in syntax.names if first in paths)
    return "\n".join(syntax.words), frozenset(used)
