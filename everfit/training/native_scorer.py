"""Answers of a version that ONNX cannot hold: as :class:`everfit.training.artifact.Scorer`, from a process of its own."""

import time
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from everfit.declaration.input_kinds import NUMERIC, size_of
from everfit.declaration.values import Value
from everfit.errors import FeatureError, ServiceError
from everfit.training.arrays import Floats
from everfit.training.artifact import Signature
from everfit.training.native_process import NativeProcess

if TYPE_CHECKING:
    import polars as pl

ANSWER_SECONDS = 5.0  # for the rows of one request, its waiting included
BATCH_ROWS, BATCH_SECONDS = 10_000, 120.0


class NativeScorer:
    """Answers of one file of skops. Its process starts with the first question, and ends when nobody holds the scorer."""

    def __init__(self, content: bytes, signature: Signature) -> None:
        self.signature = signature
        self._process = NativeProcess(content, signature.native or [], signature.model)
        self._in_turn = ThreadPoolExecutor(1, thread_name_prefix=f"{signature.model}-native")
        weakref.finalize(self, self._process.end)

    def score(self, frame: "pl.DataFrame") -> Floats:
        """Score rows; columns are taken by name and others ignored.

        Returns:
            answers float64[N], or float64[N, K], of the model's task.

        Raises:
            FeatureError: when a feature's column is missing or holds values of another kind than the signature declares.
            ProcessEndedError: when the process crashes or hangs.
            NotServableError: when the file cannot be loaded, or the estimator raises anything.
        """
        import numpy as np

        taken = frame.select(name for name, _ in self.signature.features if name in frame.columns)
        batches = list(taken.iter_slices(BATCH_ROWS)) or [taken]
        return np.concatenate([self._process.ask(batch, BATCH_SECONDS) for batch in batches])

    def score_one(self, features: Mapping[str, Value]) -> Any:
        """The answer to one row, a number or K numbers; raises as :meth:`score`."""
        return self._process.ask(self._frame([features]), ANSWER_SECONDS)[0].tolist()

    def later(self, rows: Sequence[Mapping[str, Value]]) -> "Future[list[Any]]":
        """The answers to the rows of a request, in its turn, in a thread of its own; it raises as :meth:`score`.

        Raises:
            ServiceError: when its turn does not come within :data:`ANSWER_SECONDS`.
        """
        return self._in_turn.submit(self._answers, rows, time.monotonic() + ANSWER_SECONDS)

    def _answers(self, rows: Sequence[Mapping[str, Value]], until: float) -> list[Any]:
        if time.monotonic() > until:
            raise ServiceError(f"{self.signature.model}: its process is busy; ask again, or run more servers")
        answers: list[Any] = self._process.ask(self._frame(rows), ANSWER_SECONDS).tolist()
        return answers

    def _frame(self, rows: Sequence[Mapping[str, Value]]) -> "pl.DataFrame":
        import polars as pl

        kinds = {name: _type(kind) for name, kind in self.signature.features}
        try:
            columns = {
                name: [None if row[name] is None else float(row[name]) for row in rows]  # type: ignore[arg-type]
                if kind == pl.Float64
                else [row[name] for row in rows]
                for name, kind in kinds.items()
            }
            return pl.DataFrame(columns, schema=kinds)
        except KeyError as error:
            raise FeatureError(f"no feature {error.args[0]!r}; {self.signature.model} takes {', '.join(kinds)}") from error
        except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
            raise FeatureError(f"{self.signature.model} takes {dict(self.signature.features)}: {error}") from error


def _type(kind: str) -> Any:
    import polars as pl

    if size := size_of(kind):
        return pl.Array(pl.Float32, size)
    return pl.Float64 if kind in NUMERIC else pl.String
