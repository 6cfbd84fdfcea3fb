"""Which failures can pass by themselves: a server that was away, a worker that was killed. Bad data will be bad tomorrow.

A launcher tells a failure by the name of its exception's class; nothing more of it crosses the process.
"""

import builtins
from dataclasses import dataclass

from everfit import errors

PASSING = (errors.ServiceError, errors.StaleChampionError)
LASTING = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    ImportError,
    NotImplementedError,
)
FOREIGN = {"ValidationError", "SchemaError", "ColumnNotFoundError", "ComputeError", "InvalidOperationError", "ShapeError"}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed: the class of its exception where there was one, and what it said."""

    kind: str | None
    message: str

    def __str__(self) -> str:
        first = self.message.strip().splitlines()[0] if self.message.strip() else "no reason was told"
        return f"{self.kind}: {first}" if self.kind and not first.startswith(self.kind) else first

    @property
    def can_pass(self) -> bool:
        """Whether the same attempt may succeed later. What is not known to last is tried again."""
        if self.kind is None:
            return True
        error_class = getattr(errors, self.kind, None) or getattr(builtins, self.kind, None)
        if not (isinstance(error_class, type) and issubclass(error_class, Exception)):
            return self.kind not in FOREIGN
        if issubclass(error_class, errors.EverfitError):
            return issubclass(error_class, PASSING)
        return not issubclass(error_class, LASTING)
