"""Rolling origins: the newest days divided into folds, each scored by a model that was trained only on earlier rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from everfit.declaration import Gate


@dataclass(frozen=True, slots=True)
class Fold:
    """A fold: scored on the half-open span ``[start, end)`` of event time, trained on what was known at ``start``."""

    start: datetime
    end: datetime


def folds(gate: Gate, cutoff: datetime, unseen_since: datetime | None) -> list[Fold]:
    """The newest ``gate.backtest`` before the cutoff in ``gate.folds`` equal parts, without the champion's training days.

    Args:
        gate: the declared gate.
        cutoff: what became known later is left out.
        unseen_since: the champion's own cutoff; a fold that begins before it is shortened or dropped. None: no champion.

    Returns:
        Folds in order of time; none where fewer than ``gate.min_unseen_days`` remain.
    """
    length = gate.backtest / gate.folds
    starts = [cutoff - length * i for i in range(gate.folds, 0, -1)]
    unseen = unseen_since or starts[0]
    origins = [Fold(max(start, unseen), start + length) for start in starts if start + length > unseen]
    days = sum((fold.end - fold.start for fold in origins), timedelta())
    return origins if days >= timedelta(days=gate.min_unseen_days) else []
