"""A fitted estimator as it answers: alone, or from a file of skops in a process of its own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.training.arrays import Features, Floats
from everfit.training.estimator_inputs import inputs_of

if TYPE_CHECKING:
    import polars as pl


class NativeEstimator:
    """A fitted estimator, the inputs that it takes, and the answers that are wanted of it.

    Its attributes are of plain types, as skops keeps them.
    """

    def __init__(self, estimator: Any, features: Features, shape: Sequence[int], *, probabilities: bool) -> None:
        """``shape`` is that of an answer, () or (K,); ``probabilities``: of classes, in place of numbers."""
        self.estimator = estimator
        self.features = [(name, kind) for name, kind in features]
        self.shape = tuple(shape)
        self.probabilities = probabilities

    def predict(self, frame: "pl.DataFrame") -> Floats:
        """The answers, float64[N] or [N, K].

        Raises:
            FeatureError: when a feature's column is missing, or of a type that does not fit.
        """
        inputs = inputs_of(self.features, frame)
        if frame.is_empty():  # an estimator refuses a frame without rows
            return np.empty((0, *self.shape))
        if self.probabilities:
            probabilities = self.estimator.predict_proba(inputs).astype(np.float64)
            return np.asarray((probabilities @ self.selection).reshape(-1, *self.shape))
        answers: Floats = np.asarray(self.estimator.predict(inputs), dtype=np.float64)
        column = answers.ndim == 2 and answers.shape[1] == 1
        return answers[:, 0] if column else answers

    @property
    def selection(self) -> Floats:
        """0 and 1, float64[C, K]: which of the C classes that the fit has seen is which of the task's K probabilities."""
        wanted = np.arange(self.shape[0]) if self.shape else np.array([1])
        seen = np.asarray(self.estimator.classes_, dtype=np.int64)
        chosen: Floats = np.equal.outer(seen, wanted).astype(np.float64)
        return chosen


class NativeProduct:
    """What answers a smaller task, and the matrix float64[G, K] that its answers[N, G] are multiplied by."""

    def __init__(self, native: Any, shares: Floats) -> None:
        self.native = native
        self.shares = shares

    def predict(self, frame: "pl.DataFrame") -> Floats:
        """The answers, float64[N, K]; raises as that of the smaller task."""
        answers: Floats = self.native.predict(frame) @ self.shares
        return answers
