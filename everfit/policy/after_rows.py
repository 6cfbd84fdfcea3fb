"""Retrain by the amount of new labelled rows."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from everfit.declaration import Model, Part
from everfit.declaration.retraining import REGRET, Decision, Finding, History
from everfit.policy.freshness import with_freshness
from everfit.timing import format_time

CAUSE = "rows"


class AfterRows(Part):
    """Retrain whenever so many rows that the champion answered have got their labels, since the promotion or the last request.

    They are counted window by window, as labels fall due; rows of quarantined days and out of bounds count for nothing.
    """

    rows: int = Field(ge=1)

    def __init__(self, rows: int) -> None:
        super().__init__(rows=rows)

    def decide(self, model: Model, at: datetime, current: Sequence[Finding], history: History) -> Decision:
        """Decide on the window that ends ``at``, within the limits."""
        asked = [each.requested_at for each in history.requests if each.cause == CAUSE and each.status != "failed"]
        since = max(asked, default=None)
        regrets = [each for each in [*history.findings, *current] if each.kind == REGRET]
        counted = [each for each in regrets if since is None or each.end > since]
        known = sum({str(each.detail.get("scored")): _labelled(each) for each in counted}.values())
        told = f"{known} of {self.rows} new labelled rows"
        enough = Decision("retrain", CAUSE, told, tuple(each.id for each in counted))
        waiting = Decision("none", None, f"{told}; next: the window until {format_time(at + model.drift.window)}")
        return with_freshness(model, at, current, history, enough if known >= self.rows else waiting)


def _labelled(finding: Finding) -> int:
    """The labelled rows of a window; where it was sampled, about as many as all of it has."""
    return int(finding.detail.get("labelled", finding.detail.get("rows", 0)))
