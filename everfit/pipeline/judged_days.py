"""Whether there are days to judge a candidate on, or it is left to the guard."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from everfit.declaration import Model
from everfit.declaration.reserved_columns import EVENT_TIME
from everfit.evaluation.folds import folds, required_days
from everfit.evaluation.rules import Rule
from everfit.pipeline.manifests import Trained, Version

if TYPE_CHECKING:
    import polars as pl

NAME = "days"


def judged_days(
    model: Model, candidate: Trained, tested: "pl.DataFrame", current: Version | None, *, cutoff: datetime, cause: str
) -> Rule:
    """The rule on the days that a candidate is judged on, of which only those with rows count.

    Open, where they are too few for now. Where the champion is so young that no layout of folds leaves days, a candidate that
    must be no worse, and meet no figure, passes unjudged: the guard watches it once it serves.
    """
    have = tested[EVENT_TIME].dt.date().n_unique()
    if current is None:
        return _rule(have, model.gate.min_unseen_days, False, f"can be judged{_left_out(candidate)}")
    since = current.training_set.cutoff
    origins = folds(model.gate, cutoff, since)
    if not origins:
        return _too_young(model, (cutoff - since) / timedelta(days=1), cause)
    needed = required_days(model.gate, origins[-1].end - model.training.label_delay - origins[0].start)
    return _rule(have, needed, None, f"that the champion has not seen can be judged{_left_out(candidate)}")


def _rule(have: int, needed: int, short: bool | None, what: str) -> Rule:
    passed = True if have >= needed else short
    words = f"{have} days with rows {what}" if passed else f"{have} days with rows, fewer than {needed}, {what}"
    return Rule(name=NAME, figure=have, allowed=needed, passed=passed, words=words)


def _too_young(model: Model, unseen: float, cause: str) -> Rule:
    if unseen <= 0:
        nothing = "it has learnt nothing that the champion has not; it waits for days that neither has seen"
        return Rule(name=NAME, figure=0, passed=None, words=nothing)
    young = f"the champion has seen all but {unseen:.1f} days, too few to learn from and to judge on"
    if model.gate.question(cause).prove == "better" or model.gate.require:
        return Rule(name=NAME, figure=0, passed=None, words=f"{young}; it waits for more")
    return Rule(name=NAME, figure=0, passed=True, words=f"not judged: {young}; left to the guard, which watches it serve")


def _left_out(candidate: Trained) -> str:
    parts = "; ".join(f"the fold of {day} was left out: {reason}" for day, reason in candidate.folds_left_out.items())
    return f"; {parts}" if parts else ""
