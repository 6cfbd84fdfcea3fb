"""When a model is retrained: what a policy is given, and what it answers."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import entry_points
from typing import Any, Literal, get_args

from everfit.declaration.part import call_fault

Action = Literal["retrain", "wait", "none"]
Status = Literal["pending", "launched", "promoted", "rejected", "inconclusive", "in_rollout", "failed"]

FRESHNESS = "freshness"  # kind of evidence, and cause: training data that are too old
REGRET = "regret"  # kind of evidence, and cause: a fresh model would have been so much better
SECOND_LOOK = "second_look"  # cause: a verdict was inconclusive, and more days are known; nothing is trained
BY_HAND = ("bootstrap", "person")  # causes of what people request: no limit of the loop counts it
CAUSES = ("drift", "performance", FRESHNESS, REGRET, "timer", "rows", "person")  # of everfit's own policies and kinds
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")  # of a cause, and of a kind of evidence
ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # Python's representation of an object that has none of its own


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict of one kind of evidence on one window, as a policy reads it; ``id`` is that of the stored evidence.

    ``statistic``, ``threshold`` and ``detail`` are the stored evidence's: the first two None where nothing was measured, what
    a detail holds is its kind's matter.
    """

    id: str
    kind: str
    verdict: str
    reason: str
    start: datetime
    end: datetime
    statistic: float | None = None
    threshold: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class PastRequest:
    """A retraining that was requested earlier, and what became of it; ``taken_back`` where its version failed on live outcomes,
    in its rollout or as a provisional champion."""

    cause: str
    status: Status
    requested_at: datetime
    taken_back: bool = False


@dataclass(frozen=True, slots=True)
class Inconclusive:
    """A verdict that waits for more days: when it was reached by the model's clock, and why."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class History:
    """What came before a decision: the champion, until when its training data reach, its findings on earlier windows, and all
    requests of the model; both oldest first.

    ``challenger`` is the version that is in its rollout, before it is champion; ``rolled_back_at`` the model's clock when a
    promotion was last taken back; ``paused``: a person has stopped the model's decisions; ``inconclusive`` the newest verdict,
    where it waits for more days.
    """

    champion: int
    trained_until: datetime
    findings: Sequence[Finding]
    requests: Sequence[PastRequest]
    challenger: int | None = None
    rolled_back_at: datetime | None = None
    paused: bool = False
    inconclusive: Inconclusive | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about a window, why, and on which evidence, by its ids.

    Raises:
        TypeError: for a cause or reason that is no text, or evidence that is no sequence of ids.
        ValueError: for an unknown action, a retraining without a cause, a cause that is no name or a person's, or a reason
            with NUL, which Postgres cannot store.
    """

    action: Action
    cause: str | None
    reason: str
    evidence: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.action not in get_args(Action):
            raise ValueError(f"action {self.action!r}: a decision is one of {', '.join(get_args(Action))}")
        self._check_types()
        if self.cause is None and self.action == "retrain":
            raise ValueError("a retraining without a cause: name one, such as 'drift'")
        if "\0" in self.reason:
            raise ValueError(f"reason {self.reason!r}: a reason is text without NUL")
        if self.cause is not None and (not NAME.fullmatch(self.cause) or self.cause in BY_HAND):
            also = f"; {' and '.join(BY_HAND)} stand for what people request"
            raise ValueError(f"cause {self.cause!r}: a cause is a lower-case name, such as 'drift'{also}")

    def _check_types(self) -> None:
        if not isinstance(self.cause, str | None):
            raise TypeError(f"cause {self.cause!r}: a cause is a lower-case name, such as 'drift', or None")
        if not isinstance(self.reason, str):
            raise TypeError(f"reason {self.reason!r}: a reason is text")
        if not isinstance(self.evidence, list | tuple) or not all(isinstance(name, str) for name in self.evidence):
            raise TypeError(f"evidence {self.evidence!r}: give the findings' ids, such as (finding.id,)")


def policy_fault(policy: Any) -> str:
    """Why an object cannot be a retraining policy; empty where it can."""
    if isinstance(policy, type):
        return f"{policy.__name__} is a class; give an object of it, {policy.__name__}(…)"
    if not callable(getattr(policy, "decide", None)):
        return f"{policy!r} has no method decide(model, at, current, history)"
    if fault := call_fault(policy.decide, "model", "at", "current", "history"):
        return f"{type(policy).__name__}.decide takes other arguments than (model, at, current, history): {fault}"
    if ADDRESS.search(repr(policy)):
        return f"{type(policy).__name__} has no representation that is the same in every process; make it a frozen dataclass"
    return ""


def cause_fault(causes: Iterable[str], policy: Any) -> str:
    """Which name is no cause of a retraining; empty where all are, or others may be given.

    A policy of the user's, and an installed kind of evidence, name causes of their own.
    """
    unknown = next((cause for cause in causes if cause not in CAUSES), None)
    if unknown is None or any(not each.__module__.startswith("everfit.") for each in _classes(policy)):
        return ""
    if entry_points(group="everfit.evidence"):
        return ""
    return f"nothing causes a retraining by the name {unknown!r}; the causes are {', '.join(CAUSES)}"


def _classes(policy: Any) -> Iterator[type]:
    """Those of a policy and of the policies that it is made of."""
    if not callable(getattr(policy, "decide", None)):
        return
    yield type(policy)
    declared = (getattr(type(policy), table, ()) for table in ("model_fields", "__dataclass_fields__"))
    for value in [getattr(policy, name) for names in declared for name in names]:
        for part in value if isinstance(value, list | tuple) else [value]:
            yield from _classes(part)
