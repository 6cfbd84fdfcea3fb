"""The flights model with ``FLIGHT_TREES`` trees, which only a person retrains."""

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import models.flight_delay as real
from everfit import Decision, FreshnessPolicy, GradientBoosting


@dataclass(frozen=True)
class Never:
    """Asks for no retraining."""

    def decide(self, model: Any, at: Any, current: Any, history: Any) -> Decision:  # noqa: ARG002
        """The same whatever has happened."""
        return Decision("none", None, "a person asks")


_declared = next(candidate for candidate in real.flight_delay.candidates if isinstance(candidate, GradientBoosting))
_trees = int(os.environ["FLIGHT_TREES"])
_changes = {
    "candidates": [_declared.model_copy(update={"trees": _trees})],
    "retraining": Never(),
    "freshness": FreshnessPolicy(max_training_age=timedelta(days=400)),
}
flight_delay = real.flight_delay.model_copy(update=_changes)
