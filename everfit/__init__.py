"""everfit: event-driven continuous training of models in production.

A file that declares a model imports what it needs from here: ``from everfit import Model, Source``. Each name is loaded when it
is first used, so that importing another module of the package does not load the declaration.
"""

from typing import TYPE_CHECKING

from everfit.environment import former_names

if TYPE_CHECKING:
    from everfit.declaration import (
        BackfillPolicy,
        BinaryClassification,
        Candidate,
        Category,
        Column,
        DriftPolicy,
        FreshnessPolicy,
        Gate,
        GradientBoosting,
        Integer,
        Limits,
        Model,
        Number,
        PredictionLog,
        QualityPolicy,
        Source,
        Straight,
        Task,
        Time,
        TorchMLP,
        TrainingWindow,
        count,
        feature_view,
        latest,
        mean,
        total,
    )

__all__ = [
    "BackfillPolicy",
    "BinaryClassification",
    "Candidate",
    "Category",
    "Column",
    "DriftPolicy",
    "FreshnessPolicy",
    "Gate",
    "GradientBoosting",
    "Integer",
    "Limits",
    "Model",
    "Number",
    "PredictionLog",
    "QualityPolicy",
    "Source",
    "Straight",
    "Task",
    "Time",
    "TorchMLP",
    "TrainingWindow",
    "count",
    "feature_view",
    "latest",
    "mean",
    "total",
]

former_names.install()

if not TYPE_CHECKING:  # a type checker would take any name to be there

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from everfit import declaration

        return getattr(declaration, name)
