"""Dagster's pools that a training takes: one training a model at a time, and so many in all.

Under the granularity ``run`` a run holds the pools of all its steps from its start to its end. The limits are declared in
:mod:`orchestration.pool_limits`; here are only the names.
"""

from everfit.declaration import Model

TRAINING = "training"  # the fitting, of whichever model


def training_of(model: Model) -> str:
    """The pool of everything that hands on a manifest: two runs of one model never mix their stages."""
    return f"training_{model.name}"
