"""What policies would have led to over a span: side by side, with timers as the curve and hindsight as the bound."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec
import numpy as np

from everfit.declaration import Model
from everfit.declaration.model import RetrainingPolicy
from everfit.policy.gate_on_losses import GateOnLosses
from everfit.policy.losses import Losses
from everfit.policy.play import Played, play

MOST = 16  # retrainings of timers and hindsight
AHEAD = 4  # windows after a promotion by which it was right or wrong


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one policy led to, ungated or through a gate.

    ``loss`` is the mean of all rows, ``timer`` and ``hindsight`` those of as many promotions. A promotion that lost more in its
    first four windows than the champion before it would have is a false alarm. ``delay`` is the mean number of windows from a
    moment at which hindsight retrains, as often as the policy did, to the policy's next promotion. ``fits`` counts candidates
    and ``comparators`` what the policy compares with, each with its seconds.
    """

    policy: str
    gated: bool
    promoted: list[datetime]
    refused: int
    undecided: int
    held_back: int
    loss: float
    timer: float
    hindsight: float
    false_alarms: int
    delay: float | None
    fits: int
    fit_seconds: float
    comparators: int
    comparator_seconds: float
    by_window: list[float | None]
    last: str


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """The outcomes over a span of a model's windows; losses are in units of its metric, ``timers`` and ``hindsight`` by count
    from 0 on."""

    model: str
    metric: str
    start: datetime
    window_days: int
    starts: list[datetime]
    never: list[float | None]
    weekly: list[float | None]
    never_loss: float
    weekly_loss: float
    timers: list[float]
    hindsight: list[float]
    outcomes: list[Outcome]


def simulate(
    model: Model,
    losses: Losses,
    policies: Mapping[str, RetrainingPolicy],
    gates: Sequence[bool],
    comparators: Mapping[str, Losses] | None = None,
) -> Simulation:
    """Play each policy, through the model's gate where ``gates`` says so, within the model's limits.

    Args:
        model: the declaration.
        losses: of models of its recipe, of at least one window.
        policies: by the names that they are shown by.
        gates: of False for ungated, and True for gated, those that are wanted.
        comparators: by policy, the losses of what it compares with, where that is not the model's own recipe.
    """
    most = min(MOST, losses.windows - 1)
    bounds = [losses.mean([0]), *(losses.timer(count) for count in range(1, most + 1))], losses.hindsight(losses.windows - 1)
    outcomes = []
    for name, policy in policies.items():
        for gated in gates:
            declared = model.model_copy(update={"retraining": policy})
            gate = GateOnLosses(model.gate, losses) if gated else None
            played = play(declared, losses, gate=gate, comparators=(comparators or {}).get(name))
            outcomes.append(_outcome(name, gated, losses, played, bounds[1]))
    return Simulation(
        model=model.name,
        metric=model.metric.title,
        start=losses.start,
        window_days=losses.window // timedelta(days=1),
        starts=[losses.at(window) for window in range(losses.windows)],
        never=_by_window(losses, [0] * losses.windows),
        weekly=_by_window(losses, range(losses.windows)),
        never_loss=bounds[0][0],
        weekly_loss=losses.weekly,
        timers=bounds[0],
        hindsight=bounds[1][: most + 1],
        outcomes=outcomes,
    )


def _outcome(name: str, gated: bool, losses: Losses, played: Played, hindsight: Sequence[float]) -> Outcome:
    count, ends = len(played.promotions), [request.status for request in played.requests]
    compared = {
        finding.detail["cutoff"]: finding.detail["fit_seconds"] for finding in played.findings if "cutoff" in finding.detail
    }
    candidates = [losses.seconds[n] for n, (_, decision) in enumerate(played.decisions, 1) if decision.action == "retrain"]
    return Outcome(
        policy=name,
        gated=gated,
        promoted=[losses.at(window) for window in played.promotions],
        refused=ends.count("rejected"),
        undecided=ends.count("inconclusive"),
        held_back=sum(decision.action == "wait" for _, decision in played.decisions),
        loss=losses.mean_of(played.serving),
        timer=losses.timer(count) if count else losses.mean([0]),
        hindsight=hindsight[count],
        false_alarms=_false_alarms(losses, played),
        delay=_delay(losses, played.promotions),
        fits=played.trained,
        fit_seconds=round(float(sum(candidates)), 1),
        comparators=len(compared),
        comparator_seconds=round(sum(compared.values()), 1),
        by_window=_by_window(losses, played.serving),
        last=played.decisions[-1][1].reason if played.decisions else "",
    )


def _false_alarms(losses: Losses, played: Played) -> int:
    def lost(model: int, window: int) -> float:
        days = slice(losses.days(window).start, losses.days(min(window + AHEAD, losses.windows) - 1).stop)
        return float(losses.sums[model, days].sum())

    serving = played.serving
    return sum(lost(serving[window], window) > lost(serving[window - 1], window) for window in played.promotions)


def _delay(losses: Losses, promotions: Sequence[int]) -> float | None:
    """Of moments of hindsight that a promotion followed before the next of them."""
    best = losses.best_moments(len(promotions))
    waited = []
    for moment, end in pairwise([*best, losses.windows]):
        next_one = bisect_left(promotions, moment)
        waited += [promotions[next_one] - moment] if next_one < len(promotions) and promotions[next_one] < end else []
    return float(np.mean(waited)) if waited else None


def _by_window(losses: Losses, serving: Sequence[int]) -> list[float | None]:
    """The mean loss of each window; None where it has no rows."""
    found = []
    for window, model in enumerate(serving):
        days = losses.days(window)
        rows = float(losses.rows[days].sum())
        found.append(float(losses.sums[model, days].sum()) / rows if rows else None)
    return found
