"""Metrics of probabilities against outcomes. Shapes: labels[N] of 0 and 1, scores[N] in [0, 1]."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CLIP = 1e-15  # a score of 0 or 1 that is wrong costs 34.5, not infinity


def log_losses(labels: Floats, scores: Floats) -> Floats:
    """Log loss of each row, float64[N]; scores are clipped to [1e-15, 1 - 1e-15]."""
    clipped = np.clip(scores, CLIP, 1 - CLIP)
    losses: Floats = -np.where(labels > 0.5, np.log(clipped), np.log1p(-clipped))
    return losses


def brier(labels: Floats, scores: Floats) -> float:
    """Mean squared difference of score and outcome."""
    return float(np.mean((scores - labels) ** 2))


def auc(labels: Floats, scores: Floats) -> float:
    """Probability that a positive is scored above a negative, ties counting half (Mann and Whitney, 1947).

    Raises:
        ValueError: when all labels are the same: it is not defined then.
    """
    positive = labels > 0.5
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        raise ValueError(f"AUC needs both outcomes; {len(labels)} rows hold {positives} positives")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def summary(labels: Floats, scores: Floats) -> dict[str, float]:
    """Rows, share of positives, log loss, Brier score, and AUC where both outcomes occur.

    Raises:
        ValueError: when there are no rows.
    """
    if len(labels) == 0:
        raise ValueError("no labelled rows to take metrics of")
    found = {
        "rows": float(len(labels)),
        "positives": float(labels.mean()),
        "log_loss": float(log_losses(labels, scores).mean()),
        "brier": brier(labels, scores),
    }
    return found | ({"auc": auc(labels, scores)} if 0 < labels.mean() < 1 else {})


def calibration_curve(labels: Floats, scores: Floats, *, bins: int = 10) -> list[tuple[float, float]]:
    """Mean score and share of positives of each of ``bins`` equally large parts of the rows, ordered by score."""
    order = np.argsort(scores, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return [(float(scores[part].mean()), float(labels[part].mean())) for part in parts]


def base_rate_loss(labels: Floats, share: float) -> float:
    """Mean log loss of always answering ``share``, the training rows' share of positives."""
    return float(log_losses(labels, np.full(len(labels), share)).mean())
