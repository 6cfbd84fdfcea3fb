"""The working folder of a user: its modules are found last, so that none takes the place of another of the same name."""

import sys
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

OWN_PACKAGES = ("everfit", "assets", "monitors", "orchestration")
_HERE = Path(__file__).resolve().parents[2]  # the folder that holds them


class ProjectFolder(MetaPathFinder):
    """Finds top-level modules in one folder. It stands behind all other finders, so that it hides no module of theirs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG002 - given by the import system
    ) -> ModuleSpec | None:
        """The module in the folder, or nothing where there is none or the name has a dot."""
        return PathFinder.find_spec(fullname, [str(self.folder)]) if path is None else None


def put_behind(folder: Path) -> None:
    """Let modules of the folder be found last, in this process; where ``sys.path`` names the folder, it is taken out.

    Of a checkout of everfit it stays there, too: what it holds is everfit's own.
    """
    folder = folder.resolve()
    if folder != _HERE:
        sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != folder]
    if not any(isinstance(finder, ProjectFolder) and finder.folder == folder for finder in sys.meta_path):
        sys.meta_path.append(ProjectFolder(folder))


def hidden_modules(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The modules of the folder in whose place others are imported, each with the words that say so.

    Args:
        folder: where a user works.
        names: top-level modules to look for.
    """
    hidden = {}
    for name in names:
        theirs = PathFinder.find_spec(name, [str(folder.resolve())])
        used = find_spec(name)
        if theirs and theirs.origin and used and used.origin != theirs.origin:
            hidden[name] = f"{theirs.origin} is hidden by {used.origin}"
    return hidden
