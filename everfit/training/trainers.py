"""Fit whichever candidate was declared."""

from typing import TYPE_CHECKING, Protocol

from everfit.declaration import Candidate, GradientBoosting, TorchMLP
from everfit.errors import DeclarationError, FeatureError
from everfit.training.arrays import Features, Floats

if TYPE_CHECKING:
    import polars as pl


class Fitted(Protocol):
    """A fitted candidate: native answers, and the graph that gives the same."""

    def predict(self, frame: "pl.DataFrame") -> Floats:
        """Probabilities of the label, float64[N].

        Raises:
            FeatureError: when a feature's column is missing or of a type that does not fit.
        """

    def to_onnx(self) -> bytes:
        """The graph of :mod:`everfit.training.artifact`."""


def fit(candidate: Candidate, frame: "pl.DataFrame", *, features: Features, label: str) -> Fitted:
    """Fit a candidate on labelled rows; the same rows in the same order and seed give the same model.

    Args:
        candidate: the recipe.
        frame: one row an event, with the features and the label; it is not changed.
        features: name and kind of every input, in order.
        label: column of 0 and 1.

    Raises:
        FeatureError: when a column is missing or of a wrong type, or the labels do not hold both 0 and 1.
        DeclarationError: when nothing here fits such a candidate.
    """
    labels = _labels(frame, label)
    match candidate:
        case GradientBoosting():
            from everfit.training import gradient_boosting

            return gradient_boosting.fit(candidate, frame, features, labels)
        case TorchMLP():
            from everfit.training import mlp

            return mlp.fit(candidate, frame, features, labels)
    raise DeclarationError(
        f"candidate {candidate.name}: no trainer for {type(candidate).__name__}; use GradientBoosting or TorchMLP"
    )


def _labels(frame: "pl.DataFrame", label: str) -> Floats:
    import numpy as np
    import polars as pl

    if label not in frame.columns:
        raise FeatureError(f"no label column {label!r} in the rows; they have {', '.join(frame.columns)}")
    labels: Floats = frame[label].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    found = np.unique(labels)
    if not np.array_equal(found, [0.0, 1.0]):
        raise FeatureError(f"label {label!r} must hold both 0 and 1 and nothing else; {len(labels)} rows hold {found[:5]}")
    return labels.copy()
