"""What each asset does, as plain functions over a deployment: land, compute, assemble, fit, compare, promote.

``training_rows`` is for notebooks: ``from everfit.pipeline import training_rows``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from everfit.pipeline.training_set import training_rows

__all__ = ["training_rows"]

if not TYPE_CHECKING:  # a type checker would take any name to be there

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module("everfit.pipeline.training_set"), name)
