"""Play the policy that a model declares over what its models lost: with the findings, history and limits of the loop.

Nothing is decided by what becomes known later: at the end of a window a policy sees the losses of rows whose labels are due.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from everfit.declaration import Model
from everfit.declaration.retraining import (
    FRESHNESS,
    REGRET,
    SECOND_LOOK,
    Decision,
    Finding,
    History,
    Inconclusive,
    PastRequest,
    Status,
)
from everfit.evidence.freshness import judge_freshness
from everfit.policy.decision import decide
from everfit.policy.losses import Losses
from everfit.timing import format_time

Verdict = Callable[[int, int, int, str], Status]  # of the gate: champion, candidate, window of the verdict, cause
Watch = Callable[[int, int], list[Finding]]  # further evidence: champion, window


@dataclass(slots=True)
class Played:
    """What a policy did; a model is named by the window at whose start it was fitted.

    ``serving`` is the champion of each window, ``decisions`` what was decided at its end, ``findings`` those of all champions.
    """

    serving: list[int] = field(default_factory=lambda: [0])
    decisions: list[tuple[datetime, Decision]] = field(default_factory=list)
    requests: list[PastRequest] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def promotions(self) -> list[int]:
        """The windows that began with a new champion."""
        return [n for n, (before, now) in enumerate(pairwise(self.serving), 1) if before != now]

    @property
    def trained(self) -> int:
        """How many candidates were trained."""
        return sum(request.cause != SECOND_LOOK for request in self.requests)


def play(
    model: Model, losses: Losses, *, gate: Verdict | None = None, watch: Watch | None = None, comparators: Losses | None = None
) -> Played:
    """Decide at the end of every window but the last, as the loop does, within the declared limits.

    Args:
        model: the declaration, with the policy to play.
        losses: of models of its recipe.
        gate: the verdict on a candidate; None promotes each.
        watch: evidence of other kinds on a window, such as drift.
        comparators: the losses of the recipe that the champion is compared with; by default that of the model itself.
    """
    played, own, candidate = Played(), list[Finding](), 0
    waits: Inconclusive | None = None
    for window in range(losses.windows - 1):
        champion, at = played.serving[-1], losses.at(window + 1)
        found = [_regret(model, losses, comparators or losses, champion, window)]
        found += [_freshness(model, losses, champion, at), *(watch(champion, window) if watch else [])]
        versions = len(played.promotions) + 1
        decision = decide(model, at, found, History(versions, losses.at(champion), own, played.requests, inconclusive=waits))
        played.decisions.append((at, decision))
        played.findings += found
        own, waits = [*own, *found], None
        played.serving.append(champion)
        if decision.action != "retrain" or decision.cause is None:
            continue
        candidate = candidate if decision.cause == SECOND_LOOK else window + 1
        status = gate(champion, candidate, window + 1, decision.cause) if gate else "promoted"
        played.requests.append(PastRequest(decision.cause, status, at))
        if status == "promoted":
            played.serving[-1], own = candidate, []
        elif status == "inconclusive":
            waits = Inconclusive(at, "the gate waits for more days")
    return played


def _regret(model: Model, losses: Losses, comparators: Losses, champion: int, window: int) -> Finding:
    """The champion against the newest comparator, on the newest window of the champion whose labels are all due."""
    named = f"{REGRET}-{window}", REGRET
    span, scored = (losses.at(window), losses.at(window + 1)), window - losses.lag
    if missing := _missing(model, losses, champion, scored):
        return Finding(*named, "insufficient", missing[1], *span, None, None, {"missing": missing[0]})
    fitted = scored - scored % int(getattr(model.retraining, "every", 1))
    own, other = losses.due_mean(champion, scored), comparators.due_mean(fitted, scored)
    detail = {
        "scored": [format_time(losses.at(scored)), format_time(losses.at(scored + 1))],
        "champion": own,
        "comparator": other,
        "rows": losses.due_count(scored),
        "weeks": losses.weeks,
        "cutoff": format_time(losses.at(fitted)),
        "fit_seconds": float(comparators.seconds[fitted]),
    }
    reason = f"the champion lost {own:.4f} a row, a model as of {detail['cutoff']} {other:.4f}"
    return Finding(*named, "ok", reason, *span, own - other, None, detail)


def _missing(model: Model, losses: Losses, champion: int, scored: int) -> tuple[str, str] | None:
    """What a window cannot be scored without, and the reason in words; None where it can be."""
    if getattr(model.retraining, "comparator", None) is None:
        return "policy", "the model's retraining policy compares with no fresh model"
    if scored < champion:
        return "rows", f"no window since {format_time(losses.at(champion))} has all its labels yet"
    if (rows := losses.due_count(scored)) < model.drift.min_rows:
        return "labels", f"{rows} matured labels; {model.drift.min_rows} are needed"
    return None


def _freshness(model: Model, losses: Losses, champion: int, at: datetime) -> Finding:
    judged = judge_freshness(losses.at(champion), at, model.freshness.max_training_age)
    identity = f"{FRESHNESS}-{format_time(at)}"
    return Finding(
        identity, FRESHNESS, judged.verdict, judged.reason, at - losses.window, at, judged.statistic, judged.threshold
    )
