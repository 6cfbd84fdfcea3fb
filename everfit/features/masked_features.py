"""Which features of a view a mask of its source concerns at a moment: their values are missing, or made without some rows."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from everfit.declaration.values import Value
from everfit.declaration.views import FeatureView, Latest
from everfit.features.running_sums import RunningRow

SLOWEST = timedelta(days=1)  # within which a masked row became known: until then a null may be the mask's


class MaskedColumns(msgspec.Struct, frozen=True, array_like=True):
    """Columns that a view takes, from ``start`` to ``end`` by the event time of the rows; None while the mask is open."""

    start: datetime
    end: datetime | None
    columns: list[str]

    def reaches(self, at: datetime) -> bool:
        """Whether a row of that event time, or known soon after it, may be masked."""
        return self.start <= at and (self.end is None or at <= self.end + SLOWEST)


def concerned(
    view: FeatureView, masks: Sequence[MaskedColumns], at: datetime, now: RunningRow | None, features: dict[str, Value]
) -> dict[str, datetime]:
    """The features that a mask concerns, each with the beginning of the mask.

    Args:
        view: whose features.
        masks: of the view's version.
        at: the moment of the answer, UTC.
        now: the newest row of the key known at that moment.
        features: the view's answer.
    """
    found: dict[str, datetime] = {}
    for mask in masks:
        for name, feature in view.features.items():
            if feature.column not in mask.columns or at < mask.start:
                continue
            if isinstance(feature, Latest):
                newest = now.known_at if now else mask.start
                is_concerned = newest < mask.start if features[name] is not None else mask.reaches(newest)
            else:
                is_concerned = mask.end is None or at - feature.over < mask.end
            if is_concerned:
                found[name] = min(mask.start, found.get(name, mask.start))
    return found
