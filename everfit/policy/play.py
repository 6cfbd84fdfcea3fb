"""Play the policy that a model declares over what its models lost: with the findings, history and limits of the loop.

Nothing is decided by what becomes known later: at the end of a window a policy sees the losses of rows whose labels are due.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from everfit.declaration import Model
from everfit.declaration.retraining import FRESHNESS, Decision, Finding, History, Inconclusive, PastRequest, Status
from everfit.evidence.freshness import judge_freshness
from everfit.policy.decision import decide
from everfit.policy.losses import Losses
from everfit.timing import format_time

Verdict = Callable[[int, int, str], Status]  # of the gate: model of the champion, model of the candidate, cause
Watch = Callable[[int, int], list[Finding]]  # further evidence: model of the champion, window


@dataclass(slots=True)
class Played:
    """What a policy did: ``lives``, the models that were champions by their windows, and what was decided at each one's end."""

    lives: list[int] = field(default_factory=lambda: [0])
    decisions: list[tuple[datetime, Decision]] = field(default_factory=list)
    requests: list[PastRequest] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)  # of all champions

    @property
    def retrainings(self) -> int:
        """How many were promoted."""
        return len(self.lives) - 1


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
    played, own, waits = Played(), list[Finding](), None
    for window in range(losses.windows - 1):
        champion, at = played.lives[-1], losses.at(window + 1)
        current = [
            _regret(losses, comparators or losses, champion, window, _every(model)),
            _freshness(model, losses, champion, at),
        ]
        current += watch(champion, window) if watch else []
        history = History(len(played.lives), losses.at(champion), own, played.requests, inconclusive=waits)
        decision = decide(model, at, current, history)
        played.decisions.append((at, decision))
        played.findings += current
        own, waits = [*own, *current], None
        if decision.action == "retrain" and decision.cause:
            status = gate(champion, window + 1, decision.cause) if gate else "promoted"
            played.requests.append(PastRequest(decision.cause, status, at))
            if status == "promoted":
                played.lives.append(window + 1)
                own = []
            elif status == "inconclusive":
                waits = Inconclusive(at, "the gate waits for more days")
    return played


def _every(model: Model) -> int:
    """Every how many windows a comparator is fitted."""
    every = getattr(model.retraining, "every", 1)
    return every if isinstance(every, int) else 1


def _regret(losses: Losses, comparators: Losses, champion: int, window: int, every: int) -> Finding:
    """The champion against the newest comparator, on the newest window of the champion whose labels are all due."""
    scored = window - losses.lag
    start, end = losses.at(window), losses.at(window + 1)
    if scored < champion:
        reason = f"no window since {format_time(losses.at(champion))} has all its labels yet"
        return Finding(f"regret-{window}", "regret", "insufficient", reason, start, end)
    fitted = scored - scored % every
    own, other = losses.due_mean(champion, scored), comparators.due_mean(fitted, scored)
    if math.isnan(own) or math.isnan(other):
        return Finding(f"regret-{window}", "regret", "insufficient", "no row of the window has its label", start, end)
    detail = {
        "scored": [format_time(losses.at(scored)), format_time(losses.at(scored + 1))],
        "champion": own,
        "comparator": other,
        "rows": int(losses.due_rows[losses.days(scored)].sum()),
        "weeks": losses.weeks,
        "cutoff": format_time(losses.at(fitted)),
        "fit_seconds": float(comparators.seconds[fitted]),
    }
    reason = f"the champion lost {own:.4f} a row, a model as of {detail['cutoff']} {other:.4f}"
    return Finding(f"regret-{window}", "regret", "ok", reason, start, end, own - other, None, detail)


def _freshness(model: Model, losses: Losses, champion: int, at: datetime) -> Finding:
    judged = judge_freshness(losses.at(champion), at, model.freshness.max_training_age)
    identity = f"{FRESHNESS}-{format_time(at)}"
    return Finding(
        identity, FRESHNESS, judged.verdict, judged.reason, at - losses.window, at, judged.statistic, judged.threshold
    )
