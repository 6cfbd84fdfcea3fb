"""A declared model with a policy to play, and a policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from everfit import DriftPolicy, FreshnessPolicy, Limits, Model
from everfit.declaration.retraining import Decision, Finding, History
from models.electricity_price import electricity_price

LIMITS = Limits(cooldown="0d", retrains_per_month=1_000)


@dataclass(frozen=True)
class SummedRegret:
    """As the product's regret, in three lines."""

    cost: float
    every: int = 1
    comparator: str = "recipe"

    def decide(self, model: Any, at: datetime, current: Sequence[Finding], history: History) -> Decision:
        total = 0.0
        for finding in [*history.findings, *current]:
            if finding.kind == "regret" and finding.verdict == "ok":
                gap = finding.detail["champion"] - finding.detail["comparator"]
                total = max(0.0, 0.9 ** finding.detail["weeks"] * total + finding.detail["weeks"] * gap)
        return Decision("retrain", "regret", f"{total:.2f}") if total >= self.cost else Decision("none", None, f"{total:.2f}")


def declared(policy: Any, **other: Any) -> Model:
    freshness = FreshnessPolicy(max_training_age="3650d")
    changed = {"retraining": policy, "limits": LIMITS, "freshness": freshness, "drift": DriftPolicy(min_rows=2)} | other
    return electricity_price.model_copy(update=changed)
