"""The default policy: retrain when it costs more not to."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SerializeAsAny

from everfit.declaration import Model, Part
from everfit.declaration.recipes import DeclaredRecipe
from everfit.declaration.retraining import REGRET, Decision, Finding, History
from everfit.evidence.regret import windows_behind
from everfit.policy.cost import MONTH, WEEK, parse_cost, share_for_a_month
from everfit.policy.episode import cause_of, open_episode
from everfit.policy.freshness import with_freshness
from everfit.policy.limits import ceiling, refusal
from everfit.policy.on_drift import OnDrift
from everfit.policy.stakes import stakes
from everfit.policy.watch import GONE, Watch
from everfit.timing import format_duration, format_time


def _readable(cost: float | str) -> float | str:
    parse_cost(cost)
    return cost


class Regret(Part):
    """Retrain when what is at stake where the champion stays passes what a retraining costs: see :mod:`everfit.policy.stakes`.

    After each window the champion is compared with a fresh model, on the window's rows whose labels are due. An open drift or
    performance alarm is recorded as the cause; training data that are too old are one of their own. Where no comparator can be
    had, alarms decide as by :class:`OnDrift`.

    Attributes:
        cost: of a retraining: a share such as ``8 % of the metric for a month``, where the metric is the fresh models' mean
            loss since the promotion (of a rank, what it lacks to 1); ``300 s at 3 an hour, where 0.01 of the metric is worth
            20 a week``; or a number of units of the metric times weeks.
        comparator: the champion's own ``recipe``, fresh; the same on a tenth of the rows, ``light``; or another recipe.
        every: how many windows a comparator stands for.
    """

    cost: Annotated[float | str, AfterValidator(_readable)] = "8 % of the metric for a month"
    comparator: Literal["recipe", "light"] | SerializeAsAny[DeclaredRecipe] = "recipe"
    every: int = Field(1, ge=1, le=52)

    def decide(self, model: Model, at: datetime, current: Sequence[Finding], history: History) -> Decision:
        """Decide on the window that ends ``at``, within the limits."""
        findings = [*history.findings, *current]
        watch = Watch.of(findings)
        if watch.is_blind:
            return _by_alarms(model, at, current, history, watch)
        return with_freshness(model, at, current, history, self._weighed(model, at, watch, findings, history))

    def _weighed(self, model: Model, at: datetime, watch: Watch, findings: Sequence[Finding], history: History) -> Decision:
        """What is at stake against the cost."""
        unscored = "; ".join(f"window until {format_time(each.end)} not scored: {each.reason}" for each in watch.missing[-1:])
        if not watch.scored:
            return Decision("none", None, f"no regret known yet; {unscored or 'no window was scored'}; {_next(model, at)}")
        stake, cost = watch.stakes.mean, parse_cost(self.cost).at(watch.level)
        told = "; ".join(filter(None, [self._told(model, watch, cost), unscored]))
        episode = open_episode(model, findings, at)
        if not 0 < stake >= cost:
            alarms = "".join(f"; {each.kind} alarm open: {each.reason}" for each in episode[-1:])
            return Decision("none", None, f"{told}{alarms}; {_next(model, at)}")
        cause = cause_of(episode) or REGRET
        evidence = tuple(dict.fromkeys(each.id for each in [*watch.scored, *episode]))
        refused = refusal(model, at, cause, history)
        if refused:
            below = self._below(model, watch) if ceiling(model.limits, at, cause, history.requests) else ""
            return Decision("wait", cause, f"{told}; {refused}{below}; {_next(model, at)}", evidence)
        alarms = "".join(f"; {each.kind}: {each.reason}" for each in episode[-1:])
        return Decision("retrain", cause, f"{told}{alarms}", evidence)

    def _told(self, model: Model, watch: Watch, cost: float) -> str:
        """The stakes and the cost, with what they are made of."""
        found, newest, metric = watch.stakes, watch.scored[-1], model.metric
        price = f" ({self.cost}, of {watch.level:.4f})" if isinstance(self.cost, str) else ""
        champion, fresh = (metric.shown(newest.detail[name]) for name in ("champion", "comparator"))
        return (
            f"at stake {found.mean:.4f} of a cost of {cost:.4f}{price}: lost {found.lost:.4f} in {watch.weeks:.3g} weeks, "
            f"{max(found.ahead, 0.0):.4f} ahead; newest {metric.title} {champion:.4f}, fresh {fresh:.4f}{_late(model, newest)}"
        )

    def _below(self, model: Model, watch: Watch) -> str:
        """The cost that would keep below the limits, were the champion to go on losing as it has."""
        least = max(model.limits.cooldown, MONTH / model.limits.retrains_per_month)
        gaps = [(each.detail["weeks"], each.detail["champion"] - each.detail["comparator"]) for each in watch.scored]
        pace = max(sum(weeks * gap for weeks, gap in gaps) / watch.weeks, 0.0)
        windows = math.ceil(least / model.drift.window)
        needed = max(stakes([(model.drift.window / WEEK, pace)] * windows).mean, watch.stakes.mean)
        shown = share_for_a_month(needed, watch.level) if isinstance(self.cost, str) and watch.level else f"{needed:.4f}"
        return f"; a cost of {shown} would keep below the limits at this pace"


def _by_alarms(model: Model, at: datetime, current: Sequence[Finding], history: History, watch: Watch) -> Decision:
    """As OnDrift decides, told."""
    decided = OnDrift().decide(model, at, current, history)
    why = f"no comparator in the newest {GONE} windows ({watch.missing[-1].reason}), so alarms decide"
    return Decision(decided.action, decided.cause, f"{why}: {decided.reason}", decided.evidence)


def _next(model: Model, at: datetime) -> str:
    return f"next: the window until {format_time(at + model.drift.window)}"


def _late(model: Model, newest: Finding) -> str:
    """Which window was scored, where labels come late."""
    if not windows_behind(model):
        return ""
    until, delay = newest.detail["scored"][1], format_duration(model.training.label_delay)
    return f" of the window until {until}, the newest whose labels are all due after {delay}"
