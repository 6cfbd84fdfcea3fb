"""Training data that are too old: a cause of their own, whatever else a policy decides by."""

from collections.abc import Sequence
from datetime import datetime

from everfit.declaration import Model
from everfit.declaration.retraining import FRESHNESS, Decision, Finding, History
from everfit.policy.limits import refusal


def with_freshness(model: Model, at: datetime, current: Sequence[Finding], history: History, decided: Decision) -> Decision:
    """What was decided otherwise; a retraining for freshness where the data are too old and its limits allow one.

    The gate asks less of such a candidate, so that no rejection for another cause can keep the champion old.
    """
    stale = next((finding for finding in current if finding.kind == FRESHNESS and finding.verdict == "alarm"), None)
    if stale is None:
        return decided
    refused = refusal(model, at, FRESHNESS, history)
    if refused and decided.cause:
        return decided
    if refused:
        return Decision("wait", FRESHNESS, f"{stale.reason}; {refused}", (stale.id,))
    besides = f"; besides, {decided.cause}: {decided.reason}" if decided.cause else ""
    return Decision("retrain", FRESHNESS, f"{stale.reason}{besides}", (stale.id, *decided.evidence))
