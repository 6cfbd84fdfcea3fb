"""Dagster's pools of trainings: one training per model at a time, and a limited number in total.

With the granularity ``run`` a run occupies the pools of all its steps from its start to its end. The limits are in
:mod:`orchestration.pool_limits`; these are the names.
"""

from everfit.declaration import Model

TRAINING = "training"  # fitting, of any model


def training_of(model: Model) -> str:
    """The pool of all stages with a manifest, so that two runs of a model never mix their stages."""
    return f"training_{model.name}"
