"""Judge and decide on one closed window in the caller's transaction: all that is written about it stands or falls together.

A window that spans a swap of champions is judged for each version apart; the policy is given the findings on the champion, and
on the version that answered a whole window in its place.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.retraining import Decision
from everfit.declaration.window_grid import Span
from everfit.evidence.quality import EVERY
from everfit.pipeline.declaration_document import declaration_document, declaration_id
from everfit.policy.decision import decide
from everfit.store import (
    closed_windows,
    comparators,
    decisions,
    declarations,
    frames,
    judgements,
    ledger,
    quarantines,
    requests,
)
from everfit.store.failures import describe
from everfit.store.judgements import Judgement
from everfit.store.lake import Lake
from everfit.store.ledger import Champion
from monitors.attempts import Attempt
from monitors.window_evidence import ClosedWindow


@dataclass(slots=True)
class Judged:
    """What was written about a window."""

    judgements: list[Judgement] = field(default_factory=list)
    requested: bool = False


def judge_window(connection: sa.Connection, lake: Lake, model: Model, span: Span, *, is_last: bool = False) -> Judged:
    """Close the window, judge it, decide, and request a retraining where the policy decides so.

    The comparator of the next window is asked for, where the policy wants one.
    Only outcomes known when the window could close at the earliest count, so that the verdict is the same whenever it is made.

    Args:
        connection: in a transaction, which a failure ends.
        lake: holds the versions' manifests and reference samples.
        model: whose window.
        span: half-open, of event time.
        is_last: no attempt follows: what fails is recorded as 'insufficient: could not be judged', and the window closes.
    """
    champion = ledger.champion(connection, model.name)
    version = champion.version if champion else None
    complete_at = model.windows.complete_at(span[1])
    if not closed_windows.close(connection, model, span, at=complete_at, champion=version) or champion is None:
        return Judged()
    window, attempt = ClosedWindow(connection, lake, model, span, champion.version), Attempt(connection, is_last)
    stand_in = _stand_in(window, champion)
    history = decisions.history(connection, model, champion, stand_in)
    broken = [*_recorded(window, attempt, [*window.breaks(attempt)])]
    _quarantine(window, broken)
    judged = [*broken, *_recorded(window, attempt, [*window.changes(attempt)])]
    current = [judgement.finding() for judgement in judged if judgement.version in (champion.version, stand_in)]
    decision = _decided(window, attempt, partial(decide, model, span[1], current, history))
    attempt(partial(comparators.ask, connection, model, champion.version, span[1]), lambda _: False)
    return Judged(judged, _request(connection, model, span, champion.version, decision))


def judge_again(connection: sa.Connection, lake: Lake, model: Model, start: datetime) -> list[Judgement]:
    """Judge what of a closed window could not be judged; its decision stays, later ones go by the new evidence.

    Raises:
        UnknownWindowError: when no window of the model that closed under a champion begins there.
    """
    closed = closed_windows.find(connection, model, start)
    judged_before = judgements.judged_kinds(connection, model, closed.end)
    window, attempt = ClosedWindow(connection, lake, model, (start, closed.end), closed.champion), Attempt(connection)

    def anew(made: Iterable[Judgement]) -> list[Judgement]:
        judged = [judgement for judgement in made if (judgement.version, judgement.kind) not in judged_before]
        judgements.replace_unjudged(connection, judged)
        return judged

    broken = anew(window.breaks(attempt))
    _quarantine(window, broken)
    return [*broken, *anew(window.changes(attempt))]


def _recorded(window: ClosedWindow, attempt: Attempt, judged: Sequence[Judgement]) -> Iterator[Judgement]:
    """Each judgement once it is written; in the last attempt, one that cannot be written is recorded as unjudged."""

    def record(judgement: Judgement) -> Judgement:
        judgements.record(window.connection, [judgement])
        return judgement

    def record_unjudged(judgement: Judgement, error: Exception) -> Judgement:
        return record(window.unjudged(judgement.version, judgement.kind, error))

    for judgement in judged:
        yield attempt(partial(record, judgement), partial(record_unjudged, judgement))


def _stand_in(window: ClosedWindow, champion: Champion) -> int | None:
    """The version that serves in the champion's place, because serving could not load that one: its alarms count.

    It answered a whole window that began after the champion was promoted. None where the champion answered any of it, or where
    the ledger does not know who did.
    """
    connection, name = window.connection, window.model.name
    counts = frames.answered(connection, window.model, window.span, ["champion"])  # a challenger stands in for nobody
    promoted_at = ledger.since(connection, name)
    if not counts or champion.version in counts or promoted_at is None or promoted_at > window.span[0]:
        return None
    version = max(counts, key=lambda answered: counts[answered])
    return version if ledger.recorded(connection, name, version) else None


def _decided(window: ClosedWindow, attempt: Attempt, policy: Callable[[], Decision]) -> Decision:
    """The decision once it is written; in the last attempt, one that cannot be made or written is recorded as none."""

    def record(decision: Decision, declaration: str | None) -> Decision:
        decisions.record(window.connection, window.model, window.span[1], window.champion, decision, declaration)
        return decision

    def record_undecided(error: Exception) -> Decision:
        return record(Decision("none", None, f"could not be decided: {describe(error)}"), None)

    return attempt(lambda: record(policy(), _declaration(window)), record_undecided)


def _declaration(window: ClosedWindow) -> str:
    """The id of the declaration that is decided by, which is kept with it."""
    document = declaration_document(window.model)
    name = declaration_id(document)
    declarations.keep(window.connection, window.model.name, name, document)
    return name


def _quarantine(window: ClosedWindow, broken: Sequence[Judgement]) -> None:
    """What is broken counts for nothing until somebody releases it: by column, every day of the window."""
    reasons: dict[str, str] = {}
    for judgement in broken:
        if judgement.verdict == "alarm" and "days" not in judgement.detail:  # else they were when each of them was over
            for column, reason in judgement.detail.get("by_column", {EVERY: judgement.reason}).items():
                reasons[column] = "; ".join(filter(None, [reasons.get(column), reason]))
    quarantines.put(window.connection, window.model.name, window.span, reasons)


def _request(connection: sa.Connection, model: Model, span: Span, champion: int, decision: Decision) -> bool:
    if decision.action != "retrain" or decision.cause is None:
        return False
    return requests.add(connection, requests.new(model, decision.cause, decision.reason, champion=champion, cutoff=span[1]))
