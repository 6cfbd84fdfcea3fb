"""What answers for a version, whatever it is kept as."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from everfit.declaration.values import Value
from everfit.training.arrays import Floats
from everfit.training.artifact import Scorer, Signature

if TYPE_CHECKING:
    import polars as pl


class VersionScorer(Protocol):
    """Answers of one version; see :class:`everfit.training.artifact.Scorer`."""

    signature: Signature

    def score(self, frame: "pl.DataFrame") -> Floats:
        """The answers to rows, float64[N] or float64[N, K]."""

    def score_one(self, features: Mapping[str, Value]) -> Any:
        """The answer to one row, a number or K numbers."""


def open_scorer(content: bytes, signature: Signature) -> VersionScorer:
    """What answers for a version: its graph in this process, or, where the signature says so, its process of its own.

    Raises:
        NotServableError: when it cannot be loaded; of a process of its own, the first answer raises it.
    """
    if signature.native is None:
        return Scorer(content, signature)
    from everfit.training.native_scorer import NativeScorer

    return NativeScorer(content, signature)
