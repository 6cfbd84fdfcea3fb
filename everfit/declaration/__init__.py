"""What a user declares: a :class:`Model` and its parts. Frozen, validated at construction, unknown keys refused.

Budgets are stated, not thresholds: 'four false alarms a year', 'three retrainings a month'.
"""

from typing import Any

from everfit.declaration.binary_classification import BinaryClassification
from everfit.declaration.columns import Category, Column, Flag, Integer, Number, Numeric, Text, Time, Vector
from everfit.declaration.daily_scoring import BatchScoring
from everfit.declaration.exploration import Exploration
from everfit.declaration.fit_context import Champion, FitContext
from everfit.declaration.gate import Gate, Question
from everfit.declaration.metrics import Metric, RankMetric, RowMetric
from everfit.declaration.model import Model, RetrainingPolicy
from everfit.declaration.multiclass_classification import MulticlassClassification
from everfit.declaration.part import Name, Part
from everfit.declaration.policies import (
    BackfillPolicy,
    DriftPolicy,
    FreshnessPolicy,
    Limits,
    PredictionLog,
    QualityPolicy,
    TrainingWindow,
)
from everfit.declaration.quantile_regression import QuantileRegression
from everfit.declaration.rank_metrics import AUC, AveragePrecision
from everfit.declaration.recipes import Fitted, Recipe
from everfit.declaration.regression import Regression
from everfit.declaration.retraining import Decision, Finding, History
from everfit.declaration.rollouts import ABTest, Approval, Canary, Guard, Shadow, Step, Straight
from everfit.declaration.row_metrics import AbsoluteError, Brier, CostMatrix, PoissonDeviance, SquaredError
from everfit.declaration.source import Source
from everfit.declaration.tasks import Task
from everfit.declaration.views import FeatureView, count, feature_view, latest, mean, total
from everfit.environment.former_names import former_attribute

__all__ = [
    "AUC",
    "ABTest",
    "AbsoluteError",
    "Approval",
    "AveragePrecision",
    "BackfillPolicy",
    "BatchScoring",
    "BinaryClassification",
    "Brier",
    "Canary",
    "Category",
    "Champion",
    "Column",
    "CostMatrix",
    "Decision",
    "DriftPolicy",
    "Exploration",
    "FeatureView",
    "Finding",
    "FitContext",
    "Fitted",
    "Flag",
    "FreshnessPolicy",
    "Gate",
    "Guard",
    "History",
    "Integer",
    "Limits",
    "Metric",
    "Model",
    "MulticlassClassification",
    "Name",
    "Number",
    "Numeric",
    "Part",
    "PoissonDeviance",
    "PredictionLog",
    "QualityPolicy",
    "QuantileRegression",
    "Question",
    "RankMetric",
    "Recipe",
    "Regression",
    "RetrainingPolicy",
    "RowMetric",
    "Shadow",
    "Source",
    "SquaredError",
    "Step",
    "Straight",
    "Task",
    "Text",
    "Time",
    "TrainingWindow",
    "Vector",
    "count",
    "feature_view",
    "latest",
    "mean",
    "total",
]


def __getattr__(name: str) -> Any:
    return former_attribute(__name__, name)
