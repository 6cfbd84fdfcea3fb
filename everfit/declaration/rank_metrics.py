"""Metrics of the order that answers bring the rows into, by scikit-learn."""

from everfit.declaration.metrics import Counts, RankMetric
from everfit.declaration.part import Name
from everfit.declaration.tasks import Floats, Labels


class AUC(RankMetric):
    """The area under the ROC curve: how often a positive is scored above a negative."""

    name: Name = "auc"

    @property
    def title(self) -> str:
        """An abbreviation."""
        return "AUC"

    def figure(self, labels: Labels, answers: Floats, counts: Counts) -> float:
        """``sklearn.metrics.roc_auc_score``."""
        from sklearn.metrics import roc_auc_score

        return float(roc_auc_score(labels, answers, sample_weight=counts))


class AveragePrecision(RankMetric):
    """The mean precision over the positives, in the order of the scores."""

    name: Name = "average_precision"

    def figure(self, labels: Labels, answers: Floats, counts: Counts) -> float:
        """``sklearn.metrics.average_precision_score``."""
        from sklearn.metrics import average_precision_score

        return float(average_precision_score(labels, answers, sample_weight=counts))
