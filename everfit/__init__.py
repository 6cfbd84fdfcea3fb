"""everfit: event-driven continuous training of models in production.

A file that declares a model imports what it needs from here: ``from everfit import Model, Source``. Each name is loaded when it
is first used, so that importing another module of the package does not load the declaration.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from everfit.environment import former_names

if TYPE_CHECKING:
    from everfit.declaration import (
        AUC,
        AbsoluteError,
        ABTest,
        Approval,
        AveragePrecision,
        BackfillPolicy,
        BatchScoring,
        BinaryClassification,
        Brier,
        Canary,
        Category,
        Champion,
        Column,
        CostMatrix,
        Decision,
        DriftPolicy,
        Exploration,
        Finding,
        FitContext,
        Fitted,
        Flag,
        FreshnessPolicy,
        Gate,
        Guard,
        History,
        Integer,
        Limits,
        Metric,
        Model,
        MulticlassClassification,
        Number,
        PoissonDeviance,
        PredictionLog,
        QualityPolicy,
        QuantileRegression,
        Question,
        RankMetric,
        Recipe,
        Regression,
        RetrainingPolicy,
        RowMetric,
        Shadow,
        Source,
        SquaredError,
        Straight,
        Task,
        Text,
        Time,
        TrainingWindow,
        Vector,
        count,
        feature_view,
        latest,
        mean,
        total,
    )
    from everfit.policy.after_rows import AfterRows
    from everfit.policy.composed import AllOf, AnyOf, Majority
    from everfit.policy.on_drift import OnDrift
    from everfit.policy.regret import Regret
    from everfit.policy.timer import Timer
    from everfit.training.gradient_boosting import GradientBoosting
    from everfit.training.keras_recipe import Keras
    from everfit.training.mlp import TorchMLP
    from everfit.training.searching import Search
    from everfit.training.sklearn_recipe import Sklearn
    from everfit.training.torch_recipe import Torch

__all__ = [
    "AUC",
    "ABTest",
    "AbsoluteError",
    "AfterRows",
    "AllOf",
    "AnyOf",
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
    "Finding",
    "FitContext",
    "Fitted",
    "Flag",
    "FreshnessPolicy",
    "Gate",
    "GradientBoosting",
    "Guard",
    "History",
    "Integer",
    "Keras",
    "Limits",
    "Majority",
    "Metric",
    "Model",
    "MulticlassClassification",
    "Number",
    "OnDrift",
    "PoissonDeviance",
    "PredictionLog",
    "QualityPolicy",
    "QuantileRegression",
    "Question",
    "RankMetric",
    "Recipe",
    "Regression",
    "Regret",
    "RetrainingPolicy",
    "RowMetric",
    "Search",
    "Shadow",
    "Sklearn",
    "Source",
    "SquaredError",
    "Straight",
    "Task",
    "Text",
    "Time",
    "Timer",
    "Torch",
    "TorchMLP",
    "TrainingWindow",
    "Vector",
    "count",
    "feature_view",
    "latest",
    "mean",
    "total",
]

_ELSEWHERE = {
    "AfterRows": "everfit.policy.after_rows",
    "AllOf": "everfit.policy.composed",
    "AnyOf": "everfit.policy.composed",
    "GradientBoosting": "everfit.training.gradient_boosting",
    "Keras": "everfit.training.keras_recipe",
    "Majority": "everfit.policy.composed",
    "OnDrift": "everfit.policy.on_drift",
    "Regret": "everfit.policy.regret",
    "Search": "everfit.training.searching",
    "Sklearn": "everfit.training.sklearn_recipe",
    "Timer": "everfit.policy.timer",
    "Torch": "everfit.training.torch_recipe",
    "TorchMLP": "everfit.training.mlp",
}

former_names.install()

if not TYPE_CHECKING:  # a type checker would take any name to be there

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_ELSEWHERE.get(name, "everfit.declaration")), name)
