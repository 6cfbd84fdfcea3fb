"""Which code made a thing: a hash of everfit's own sources and of the module that declares the model."""

import hashlib
import sys
from functools import cache
from pathlib import Path

from everfit.declaration import Model

PACKAGE = Path(__file__).parents[1]


@cache
def sources_hash() -> str:
    """SHA-256 over the package's Python files, in the order of their names."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        digest.update(str(file.relative_to(PACKAGE)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def code_version(model: Model) -> str:
    """Twelve hex digits that change with everfit's code or the model's declaration."""
    module = sys.modules[model.history.__module__]
    declared = Path(module.__file__).read_bytes() if module.__file__ else repr(model).encode()
    return hashlib.sha256(sources_hash().encode() + declared).hexdigest()[:12]
