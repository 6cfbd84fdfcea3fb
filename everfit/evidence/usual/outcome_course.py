"""How the outcomes of a day usually are: how much they are alike, and how far they agree with the answers."""

from collections.abc import Sequence

import msgspec

from everfit.declaration.reserved_columns import LABEL
from everfit.evidence.day_figures import DayFigures
from everfit.evidence.usual.column_ranges import LEAST_VALUES, log_odds
from everfit.evidence.usual.tails import LEAST_DAYS, Course


class OutcomeCourse(msgspec.Struct, frozen=True):
    """``value``: the commonest outcome of training time, where there are few; ``alike``: the log odds of its share, of many
    outcomes those of each day's commonest. ``agreeing``: the correlation of the outcomes with the answers, which ``relation``
    names. None where it could not be measured."""

    value: str
    relation: str
    alike: Course | None
    agreeing: Course | None

    @classmethod
    def of(cls, days: Sequence[DayFigures], relation: str) -> "OutcomeCourse | None":
        """Of the figures of days in order; None where they have no outcomes."""
        labelled = [day for day in days if LABEL in day.columns and day.columns[LABEL].values >= LEAST_VALUES]
        if len(labelled) < LEAST_DAYS:
            return None
        course = cls(_commonest(labelled), relation, None, None)
        odds = [found for day in labelled if (found := course.odds(day)) is not None]
        agreement = [found for day in labelled if (found := course.agreement(day)) is not None]
        enough = len(agreement) >= LEAST_DAYS
        return cls(course.value, relation, Course.of(odds), Course.of(agreement) if enough else None)

    def odds(self, day: DayFigures) -> float | None:
        """The log odds of the commonest outcome's share on a day."""
        figures = day.columns.get(LABEL)
        if figures is None or figures.values < LEAST_VALUES:
            return None
        return log_odds(figures.shares.get(self.value, 0.0) if self.value else figures.top)

    def agreement(self, day: DayFigures) -> float | None:
        """The correlation with the answers on a day."""
        return day.relations.get(self.relation)

    def extended(self, days: Sequence[DayFigures]) -> "OutcomeCourse":
        """With further days in order."""
        odds = [found for day in days if (found := self.odds(day)) is not None]
        agreement = [found for day in days if (found := self.agreement(day)) is not None]
        return msgspec.structs.replace(
            self,
            alike=self.alike and self.alike.extended(odds),
            agreeing=self.agreeing and self.agreeing.extended(agreement),
        )


def _commonest(days: Sequence[DayFigures]) -> str:
    """The commonest outcome of days that name their outcomes; none where they are too many to be named."""
    total: dict[str, float] = {}
    for day in days:
        for value, share in day.columns[LABEL].shares.items():
            total[value] = total.get(value, 0.0) + share
    return max(sorted(total), key=lambda value: total[value]) if total else ""
