"""One version's share of a closed window, read from the store and the lake when a kind of evidence first needs it.

What is counted is counted over all rows. What is measured (distances, losses) is measured on all of them up to a bound, and on
a sample drawn in the database above it, so that a window costs so much and no more.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import msgspec
import polars as pl
import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.reserved_columns import renewed
from everfit.declaration.views import Features
from everfit.declaration.window_grid import Span
from everfit.evidence.calibration import Calibration
from everfit.evidence.checked_days import DayVerdict
from everfit.evidence.counts import Tally, tally
from everfit.evidence.performance import Expectation
from everfit.evidence.quality import Profile
from everfit.evidence.regret import windows_behind
from everfit.evidence.trusted_rows import trusted
from everfit.pipeline import manifests
from everfit.pipeline.expectation import expectation
from everfit.pipeline.fresh_answers import FreshAnswers
from everfit.pipeline.manifests import Version
from everfit.store import comparators, day_verdicts, frames, judgements, ledger, quarantines, schemas, window_counts
from everfit.store.lake import Lake

SAMPLE_ROWS = 20_000  # of a version: a share is known to less than a per cent by them, and they take seconds and megabytes


@dataclass(frozen=True)
class VersionShare:
    """What one version answered in the window, and its records: a :class:`JudgedWindow` of the store and the lake."""

    connection: sa.Connection
    lake: Lake
    model: Model
    span: Span
    promoted: ledger.Champion
    row_count: int
    is_whole: bool
    requests: int | None = None
    whole: "VersionShare | None" = None  # the same with the rows of quarantined days, where these are left out
    known_at: datetime | None = None  # of an earlier window, what was known when a later one could close

    @property
    def complete_at(self) -> datetime:
        return self.known_at or self.model.windows.complete_at(self.span[1])

    @property
    def version(self) -> int:
        return self.promoted.version

    @property
    def trained_until(self) -> datetime:
        return self.promoted.trained_until

    @property
    def is_sample(self) -> bool:
        """Whether the rows are a sample."""
        return self.row_count > SAMPLE_ROWS

    @property
    def sampling(self) -> dict[str, int]:
        return {"sampled_of": self.row_count} if self.is_sample else {}

    @property
    def quarantined_rows(self) -> int:
        return self.answered.height - self.rows.height

    @cached_property
    def trusted(self) -> "VersionShare":
        """The share without the rows of days that are quarantined by the time that they are read."""
        return replace(self, whole=self)

    @cached_property
    def manifest(self) -> Version:
        """All that is on record about the version."""
        return manifests.get(self.lake, self.promoted.manifest, Version)

    @cached_property
    def inputs(self) -> Features:
        return manifests.signature_of(self.lake, self.manifest).features

    @cached_property
    def rows(self) -> pl.DataFrame:
        if self.whole is None:
            return self.answered
        return trusted(self.answered, quarantines.excluded_spans(self.connection, self.model, self.inputs))

    @cached_property
    def answered(self) -> pl.DataFrame:
        """All its rows; of more than :data:`SAMPLE_ROWS` about so many, drawn by request ids."""
        if self.whole is not None:
            return self.whole.answered
        return self._logged(self.complete_at, self.inputs)

    def outcomes(self, delay: timedelta) -> pl.DataFrame:
        """The answers with the labels that are known so long after the span, without inputs."""
        return self._logged(self.complete_at + delay, [])

    def _logged(self, known_at: datetime, features: Features) -> pl.DataFrame:
        return frames.logged(
            self.connection,
            self.model,
            self.span,
            known_at=known_at,
            version=self.version,
            share=min(1.0, SAMPLE_ROWS / max(self.row_count, 1)),
            features=features,
        )

    @cached_property
    def counts(self) -> Tally:
        """Counts over all rows: the database's, where only a sample was read."""
        of_rows = tally(self.model, self.answered, [name for name, _ in self.inputs])
        if not self.is_sample:
            return of_rows
        of_all = window_counts.tally(self.connection, self.model, self.span, self.version, of_rows.columns)
        return msgspec.structs.replace(of_all, unreadable=of_rows.unreadable)

    @cached_property
    def schemas(self) -> Collection[str]:
        return schemas.of_model(self.connection, self.model).keys()

    @cached_property
    def days(self) -> Sequence[DayVerdict]:
        return [day for day in day_verdicts.of_span(self.connection, self.model.name, self.span) if day.version == self.version]

    @property
    def profile(self) -> Profile:
        return self.manifest.candidate.profile

    @property
    def calibration(self) -> Calibration:
        return self.manifest.candidate.calibration.renewed()

    def earlier(self, kind: str, newest: int) -> Sequence[tuple[datetime, dict[str, Any]]]:
        return judgements.details_before(self.connection, self.model, self.version, kind, self.span[0], newest)

    @cached_property
    def reference(self) -> pl.DataFrame:
        return renewed(self.lake.get_frame(self.manifest.candidate.reference), self.model.label)

    @cached_property
    def comparator(self) -> FreshAnswers | None:
        found = comparators.standing(self.connection, self.model, self.span[0])
        return FreshAnswers(self.lake, found) if found else None

    @cached_property
    def expectation(self) -> Expectation:
        return expectation(self.lake, self.model, self.manifest)

    @cached_property
    def newest_matured(self) -> "VersionShare | None":
        """This one where labels come soon; else what the version answered of an earlier window, as it is known now."""
        behind = windows_behind(self.model)
        if not behind:
            return self
        span = self.model.windows.around(self.span[0] - behind * self.model.drift.window)
        counts = frames.answered(self.connection, self.model, span)
        count = counts.get(self.version, 0)
        if not count:
            return None
        is_whole = count == sum(counts.values())
        earlier = replace(self, span=span, row_count=count, is_whole=is_whole, whole=None, known_at=self.complete_at)
        return earlier if self.whole is None else earlier.trusted
