"""Judge and decide on one closed window in the caller's transaction: all that is written about it stands or falls together.

A window that spans a swap of champions is judged for each version apart; the policy hears what concerns the champion, and the
version that answered a whole window in its place.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.retraining import Decision, History
from everfit.declaration.window_grid import Span
from everfit.policy.decision import decide
from everfit.store import closed_windows, decisions, frames, judgements, ledger, quarantines, requests
from everfit.store.failures import describe
from everfit.store.judgements import Judgement
from everfit.store.lake import Lake
from everfit.store.ledger import Champion
from monitors.attempts import Trial, unjudged
from monitors.window_evidence import Window


@dataclass(slots=True)
class Judged:
    """What was written about a window."""

    judgements: list[Judgement] = field(default_factory=list)
    requested: bool = False


def judge_window(connection: sa.Connection, lake: Lake, model: Model, span: Span, *, last: bool = False) -> Judged:
    """Close the window, judge it, decide, and ask for a retraining where the policy says so.

    Only outcomes known when the window could close at the earliest count, so that the verdict is the same whenever it is made.

    Args:
        connection: in a transaction, which a failure ends.
        lake: holds the versions' manifests and reference samples.
        model: whose window.
        span: half-open, of event time.
        last: no attempt follows: what fails is evidence by itself, 'insufficient: could not be judged', and the window closes.
    """
    window = Window(connection, lake, model, span)
    champion = ledger.champion(connection, model.name)
    if not closed_windows.close(connection, model, span, at=window.known_at, champion=champion.version if champion else None):
        return Judged()
    if champion is None:
        return Judged()
    trial = Trial(connection, last)
    stand_in = _stand_in(window, champion)
    history = decisions.history(connection, model, champion, stand_in)
    judged = [*_recorded(window, trial, [*window.gather(champion.version, trial)])]
    decision = trial(partial(_decide, model, span, {champion.version, stand_in}, judged, history), _undecided)
    decisions.record(connection, model, span[1], champion.version, decision)
    _quarantine(connection, model, span, judged)
    return Judged(judged, _request(connection, model, span, champion.version, decision))


def judge_again(connection: sa.Connection, lake: Lake, model: Model, start: datetime) -> list[Judgement]:
    """Judge what of a closed window could not be judged; its decision stays, later ones go by the new evidence.

    Raises:
        UnknownWindowError: when no window of the model that closed under a champion begins there.
    """
    closed = closed_windows.find(connection, model, start)
    there = judgements.judged_kinds(connection, model, closed.end)
    window = Window(connection, lake, model, (start, closed.end))
    judged = [one for one in window.gather(closed.champion, Trial(connection)) if (one.version, one.kind) not in there]
    judgements.replace_unjudged(connection, judged)
    _quarantine(connection, model, window.span, judged)
    return judged


def _recorded(window: Window, trial: Trial, judged: Sequence[Judgement]) -> Iterator[Judgement]:
    """Each piece of evidence once it is written; in a last attempt one that cannot be is said to be unjudged."""
    for one in judged:

        def write(found: Judgement = one) -> Judgement:
            judgements.record(window.connection, [found])
            return found

        def instead(error: Exception, found: Judgement = one) -> Judgement:
            made = window.judgement(found.version, unjudged(found.kind, error))
            judgements.record(window.connection, [made])
            return made

        yield trial(write, instead)


def _stand_in(window: Window, champion: Champion) -> int | None:
    """The version that serves in the champion's place, because serving could not load that one: its alarms count.

    It answered a whole window that began after the champion was promoted. None where the champion answered any of it, or where
    the ledger does not know who did.
    """
    connection, name = window.connection, window.model.name
    promoted_at = ledger.since(connection, name)
    counts = frames.answered(connection, window.model, window.span)
    if not counts or champion.version in counts or promoted_at is None or promoted_at > window.span[0]:
        return None
    version = max(counts, key=lambda one: counts[one])
    return version if ledger.promoted(connection, name, version) else None


def _decide(
    model: Model, span: Span, versions: Collection[int | None], judged: Sequence[Judgement], history: History
) -> Decision:
    current = [one.finding() for one in judged if one.version in versions]
    return decide(model, span[1], current, history)


def _undecided(error: Exception) -> Decision:
    return Decision("none", None, f"could not be decided: {describe(error)}")


def _quarantine(connection: sa.Connection, model: Model, span: Span, judged: list[Judgement]) -> None:
    """What is broken is not trained on until somebody releases it: by column, every day of the window."""
    reasons: dict[str, str] = {}
    for one in judged:
        if one.kind == "quality" and one.verdict == "alarm":
            for column, reason in one.detail["by_column"].items():
                reasons[column] = "; ".join(filter(None, [reasons.get(column), reason]))
    quarantines.put(connection, model.name, span, reasons)


def _request(connection: sa.Connection, model: Model, span: Span, champion: int, decision: Decision) -> bool:
    if decision.action != "retrain" or decision.cause is None:
        return False
    return requests.add(connection, requests.new(model, decision.cause, decision.reason, champion=champion, cutoff=span[1]))
