"""What a closed window of the prediction log says: broken data, drift, lost performance, stale training data."""

from typing import Any, Literal

import msgspec

Kind = Literal["quality", "drift", "performance", "freshness"]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict. ``statistic`` at or above ``threshold`` is an alarm; both are None where nothing could be measured.

    ``detail`` holds the numbers behind it, JSON-able.
    """

    kind: Kind
    verdict: Literal["ok", "alarm", "insufficient"]
    statistic: float | None = None
    threshold: float | None = None
    reason: str
    detail: dict[str, Any] = {}
