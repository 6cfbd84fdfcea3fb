"""The gate: whether a candidate may replace the champion, with the reason and its numbers in either case."""

from dataclasses import dataclass

from everfit.declaration import Gate
from everfit.declaration.gate import SLICE_MARGIN, Question
from everfit.declaration.metrics import Metric
from everfit.evaluation.comparison import Comparison
from everfit.evaluation.intervals import Mean
from everfit.evaluation.rules import Rule

REFUTED = 0.05  # how often a candidate that is as good as asked may be rejected
SAME = 1e-5  # of log loss: closer losses are equal; a recipe that learnt the same as the champion differs only by rounding


@dataclass(frozen=True, slots=True)
class Speed:
    """The time of one answer: ``latency_ms`` on an idle machine, and how many times slower the measuring machine was."""

    latency_ms: float
    slowdown: float = 1.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a candidate is held to, in units of the metric's loss.

    ``allowed`` is the difference that it must lie below, ``slice`` what a slice may lose, ``level`` the probability with which
    the comparison may pass it wrongly.
    """

    allowed: float
    slice: float
    level: float

    @classmethod
    def of(cls, gate: Gate, metric: Metric, cause: str, *, spread: float, champion_loss: float, level: float) -> "Allowance":
        """As declared; the margin of a slice, where none is, relative to the champion's loss on the rows compared on.

        ``spread`` is the standard deviation of the champion's weekly mean loss.
        """
        unit = metric.unit(champion_loss)
        allowed = allowed_difference(gate.question(cause), spread, same=SAME * max(unit, SAME))
        return cls(allowed, SLICE_MARGIN * unit if gate.slice_margin is None else gate.slice_margin, level)


def allowed_difference(question: Question, spread: float, *, same: float) -> float:
    """The limit of the difference: above 0 what may be lost, below 0 what must be gained; at least what is rounding."""
    units, share = question.allowed
    margin = max(units if units is not None else (share or 0.0) * spread, same)
    return -margin if question.prove == "better" else margin


def check_candidate(gate: Gate, metric: Metric, limits: Allowance, comparison: Comparison, speed: Speed) -> list[Rule]:
    """Compare a candidate with the champion: the rules that it is held to, the comparison first.

    The comparison passes where a difference as large as allowed would look so good with at most the level's probability; it is
    open where it neither passes nor shows that more is lost. One answer may take at most ``gate.max_latency_ms`` (99 % quantile
    over the rows) on an idle machine. Of a metric that is the better the higher, people are shown the difference of its own
    values.
    """
    return [_difference(metric, comparison, limits), latency(gate, speed)]


def _difference(metric: Metric, comparison: Comparison, limits: Allowance) -> Rule:
    """The bound of the interval that is held against what is allowed."""
    difference = comparison.difference
    bounds = difference.lower(limits.level), difference.upper(limits.level)
    mean, lower, upper = metric.shown_interval(difference.mean, *bounds)
    measured = (
        f"{metric.title} {mean:+.4f} against the champion's on {comparison.rows} rows "
        f"of {difference.days} unseen days, interval [{lower:+.4f}, {upper:+.4f}] at the level {limits.level:.3g} a side"
    )
    higher, allowed = metric.higher_is_better, limits.allowed
    figure, limit = (lower, -allowed) if higher else (upper, allowed)
    asked, passed = "no worse" if allowed > 0 else "better", _outcome(difference, limits)
    if passed:
        words = f"{asked}: {measured}, allowed {limit:+.4f}"
    else:
        side = "its lower bound must be above" if higher else "its upper bound must be below"
        found = f"shown not to be {asked}" if passed is False else f"not shown to be {asked}, nor the contrary; {_open(limits)}"
        words = f"{found}: {measured}; {side} {limit:+.4f}"
    return Rule(name="difference", figure=figure, allowed=limit, passed=passed, words=words)


def _open(limits: Allowance) -> str:
    return "more days may tell" if limits.level else "the year's budget of wrong promotions is spent"


def _outcome(difference: Mean, limits: Allowance) -> bool | None:
    if difference.p_value(limits.allowed) <= limits.level:
        return True
    return False if difference.lower(REFUTED) > limits.allowed else None


def latency(gate: Gate, speed: Speed) -> Rule:
    """How long one answer takes; with the measured time where a reference graph shows that the machine was slow."""
    measured = f"{speed.latency_ms:.2f} ms an answer"
    if speed.slowdown > 1:
        slow = speed.latency_ms * speed.slowdown
        measured += f" ({slow:.2f} measured while a fixed graph took {speed.slowdown:.1f} times its time)"
    passed = speed.latency_ms <= gate.max_latency_ms
    words = f"{'' if passed else 'too slow: '}{measured}, allowed {gate.max_latency_ms:g}"
    return Rule(name="latency", figure=speed.latency_ms, allowed=gate.max_latency_ms, passed=passed, words=words)
