"""Rolling origins: the newest days divided into folds, each scored by a model that was trained only on earlier rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from everfit.declaration import Gate

DAY = timedelta(days=1)
LEAST = 2  # days to judge: one tells nothing of others


@dataclass(frozen=True, slots=True)
class Fold:
    """A fold: scored on the half-open span ``[start, end)`` of event time, trained on what was known at ``start``."""

    start: datetime
    end: datetime


def folds(gate: Gate, cutoff: datetime, unseen_since: datetime | None) -> list[Fold]:
    """The newest ``gate.backtest`` before the cutoff in ``gate.folds`` equal parts, of whole days where there are as many.

    Against a champion, the recipe of the first fold must have learnt days that the champion has not: where its days are laid
    out in one part more than there are folds, the first is learnt alone. A fold in which both had learnt the same would compare
    nothing.

    Args:
        gate: the declared gate.
        cutoff: what became known later is left out.
        unseen_since: the champion's own cutoff. None: no champion.

    Returns:
        Folds in order of time; none where fewer than two days are left to judge.
    """
    start = cutoff - gate.backtest
    if unseen_since is not None:
        start = max(min(start, cutoff - LEAST * DAY), unseen_since + learnt_alone(gate, cutoff - unseen_since))
    span = cutoff - start
    if unseen_since is not None and span < LEAST * DAY:
        return []
    number = min(gate.folds, max(1, span // DAY)) if unseen_since else gate.folds
    bounds = [start + _whole(span * part / number) for part in range(number)]
    return [Fold(*bound) for bound in zip(bounds, [*bounds[1:], cutoff], strict=True)]


def learnt_alone(gate: Gate, unseen: timedelta) -> timedelta:
    """How much of what the champion has not seen is learnt and not judged."""
    return _whole(unseen / (gate.folds + 1))


def required_days(gate: Gate, judged: timedelta) -> int:
    """The days with rows that must be among those judged, where their folds span ``judged``.

    As many as are judged of ``gate.min_unseen_days`` that all have rows, and no more than there are.
    """
    least = gate.min_unseen_days * DAY
    return max(LEAST, min(least - learnt_alone(gate, least), judged) // DAY)


def _whole(span: timedelta) -> timedelta:
    """In whole days, where it is at least one."""
    return span // DAY * DAY if span >= DAY else span
