"""Binary classification: labels[N] of 0 and 1, answers[N] the probabilities of 1, raw[N] their logits."""

from collections.abc import Mapping
from typing import Any

from everfit.declaration.tasks import Curve, Floats, GraphNodes, Label, Labels, Task
from everfit.errors import FeatureError

CLIP = 1e-15  # an answer of 0 or 1 that is wrong costs 34.5, not infinity


class BinaryClassification(Task):
    """Will it happen? The label is a column of 0 and 1; the score is the probability of 1."""

    @property
    def loss(self) -> str:
        """Log loss."""
        return "log_loss"

    @property
    def baseline_name(self) -> str:
        """The base rate."""
        return "share of positives"

    def label_fault(self, label: Label) -> str:
        """A label is 0 or 1."""
        return "" if label in (0.0, 1.0) else "0 or 1"

    def answer_fault(self, answer: Any) -> str:
        """An answer is a probability."""
        return "" if 0 <= answer <= 1 else "probability in [0, 1]"

    def losses(self, labels: Labels, answers: Floats) -> Floats:
        """Log loss of each row, float64[N]; answers are clipped to [1e-15, 1 - 1e-15]."""
        import numpy as np

        clipped = np.clip(answers, CLIP, 1 - CLIP)
        losses: Floats = -np.where(labels > 0.5, np.log(clipped), np.log1p(-clipped))
        return losses

    def summary(self, labels: Labels, answers: Floats) -> dict[str, float]:
        """Rows, share of positives, log loss, Brier score, calibration error, and AUC where both labels occur.

        Raises:
            ValueError: when there are no rows.
        """
        figures = super().summary(labels, answers)
        share = float(labels.mean())
        figures = {"rows": figures["rows"], "positives": share, self.loss: figures[self.loss]}
        figures["brier"] = float(((answers - labels) ** 2).mean())
        figures["calibration_error"] = self.curve(labels, answers).gap
        return figures | ({"auc": auc(labels, answers)} if 0 < share < 1 else {})

    @property
    def sides(self) -> Mapping[str, bool]:
        """The calibration error, the lower the better."""
        return {"calibration_error": False}

    def curve(self, labels: Labels, answers: Floats) -> Curve:
        """Calibration: mean score and share of positives of each tenth of the rows, ordered by score."""
        return Curve(super().curve(labels, answers).points, "mean score", "share that came true", 0.0, 1.0)

    def targets(self, labels: Labels) -> Floats:
        """The labels themselves; both 0 and 1 must be there.

        Raises:
            FeatureError: when they are not, or anything else is.
        """
        import numpy as np

        targets = super().targets(labels)
        values = np.unique(targets)
        if len(values) < 2:
            raise FeatureError(
                f"label {self.label!r} must hold both 0 and 1, and is {values[0]:g} in all {len(targets)} rows to learn from; "
                f"wait for {1 - values[0]:g}, or learn from a longer history"
            )
        return targets

    def answers(self, raw: Floats) -> Floats:
        """The sigmoid of the logits."""
        from scipy.special import expit

        probabilities: Floats = expit(raw)
        return probabilities

    def head(self, graph: GraphNodes, raw: str) -> str:
        """The sigmoid of the logits."""
        return graph.add("Sigmoid", raw)


def auc(labels: Labels, scores: Floats) -> float:
    """Probability that a positive is scored above a negative, ties counting half (Mann and Whitney, 1947).

    Raises:
        ValueError: when all labels are the same: it is not defined then.
    """
    import numpy as np

    positive = labels > 0.5
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        raise ValueError(f"AUC needs both outcomes; {len(labels)} rows hold {positives} positives")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))
