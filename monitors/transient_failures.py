"""Which failures are transient, such as an unreachable server or a killed worker, and which last, such as bad data.

A launcher reports a failure by the name of its exception's class; nothing else of it crosses the process.
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
    """Why a run failed: the class of its exception, if there was one, and the message."""

    kind: str | None
    message: str

    def __str__(self) -> str:
        first = self.message.strip().splitlines()[0] if self.message.strip() else "no reason was given"
        return f"{self.kind}: {first}" if self.kind and not first.startswith(self.kind) else first

    @property
    def can_pass(self) -> bool:
        """Whether the same attempt may succeed later; failures that are not known to last are retried."""
        if self.kind is None:
            return True
        error_class = getattr(errors, self.kind, None) or getattr(builtins, self.kind, None)
        if not (isinstance(error_class, type) and issubclass(error_class, Exception)):
            return self.kind not in FOREIGN
        if issubclass(error_class, errors.EverfitError):
            return issubclass(error_class, PASSING)
        return not issubclass(error_class, LASTING)
