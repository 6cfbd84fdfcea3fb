"""Policies of policies: one is enough, all must agree, or more than half."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from everfit.declaration import Model
from everfit.declaration.retraining import FRESHNESS, Decision, Finding, History, policy_fault
from everfit.errors import DeclarationError


@dataclass(frozen=True, init=False)
class Composed:
    """Retrain where enough of these policies would; the cause is that of the first which does.

    Training data that are too old need nobody's consent. Regret among the policies has its comparators.

    Raises:
        DeclarationError: when one is no policy, or there is none.
    """

    policies: tuple[Any, ...]

    def __init__(self, *policies: Any) -> None:
        name = type(self).__name__
        if not policies:
            raise DeclarationError(f"{name}() has no policies; give some, such as {name}(OnDrift(), Timer('28d'))")
        for policy in policies:
            if fault := policy_fault(policy):
                raise DeclarationError(f"{name}: {fault}")
        object.__setattr__(self, "policies", policies)

    @property
    def needed(self) -> int:
        """How many must agree."""
        raise NotImplementedError

    @property
    def comparator(self) -> Any:
        """What the first policy that compares the champion compares it with; None where none does."""
        return getattr(self._comparing, "comparator", None)

    @property
    def every(self) -> int:
        """How many windows a comparator stands for."""
        return int(getattr(self._comparing, "every", 1))

    @property
    def _comparing(self) -> Any:
        return next((policy for policy in self.policies if getattr(policy, "comparator", None) is not None), None)

    def decide(self, model: Model, at: datetime, current: Sequence[Finding], history: History) -> Decision:
        """Decide on the window that ends ``at``: every policy is asked, and what each says is told."""
        votes: list[Decision] = [policy.decide(model, at, current, history) for policy in self.policies]
        ayes = [vote for vote in votes if vote.action == "retrain"]
        if fresh := next((vote for vote in ayes if vote.cause == FRESHNESS), None):
            return fresh
        told = "; ".join(f"{type(policy).__name__}: {vote.reason}" for policy, vote in zip(self.policies, votes, strict=True))
        reason = f"{len(ayes)} of {len(votes)} policies would retrain, {self.needed} needed. {told}"
        pending = [*ayes, *(vote for vote in votes if vote.action == "wait")]
        if not pending:
            return Decision("none", None, reason)
        evidence = tuple(dict.fromkeys(name for vote in pending for name in vote.evidence))
        return Decision("retrain" if len(ayes) >= self.needed else "wait", pending[0].cause, reason, evidence)


class AnyOf(Composed):
    """Retrain where one of these policies would."""

    @property
    def needed(self) -> int:
        """One."""
        return 1


class AllOf(Composed):
    """Retrain where all of these policies would."""

    @property
    def needed(self) -> int:
        """All."""
        return len(self.policies)


class Majority(Composed):
    """Retrain where more than half of these policies would."""

    @property
    def needed(self) -> int:
        """More than half."""
        return len(self.policies) // 2 + 1
