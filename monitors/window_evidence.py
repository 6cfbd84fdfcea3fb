"""Gather the evidence on one window: for each version that answered in it, and for the champion, every kind in its order.

What is counted is counted over all rows. What is measured (distances, losses) is measured on all of them up to a bound, and on
a sample drawn in the database above it, so that a window costs so much and no more.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any

import msgspec
import polars as pl
import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, SCORE, renewed
from everfit.declaration.views import Features
from everfit.declaration.window_grid import Span
from everfit.evidence import Evidence, Kind
from everfit.evidence.counts import Tally, tally
from everfit.evidence.drift import judge_drift
from everfit.evidence.freshness import judge_freshness
from everfit.evidence.out_of_bounds import within
from everfit.evidence.performance import judge_performance
from everfit.evidence.quality import judge_quality
from everfit.pipeline import manifests
from everfit.pipeline.manifests import Trained, Version
from everfit.store import frames, ledger, schemas, window_counts
from everfit.store.judgements import Judgement
from everfit.store.lake import Lake
from everfit.timing import format_time
from monitors.attempts import Trial, unjudged

SAMPLE_ROWS = 20_000  # of a version: a share is known to less than a per cent by them, and they take seconds and megabytes

Found = tuple[Evidence, dict[str, Any]]  # and what a person may open of it


@dataclass(frozen=True, slots=True)
class Window:
    """One closed window of a model, and what it is judged with."""

    connection: sa.Connection
    lake: Lake
    model: Model
    span: Span

    @property
    def known_at(self) -> datetime:
        """When it could close at the earliest: outcomes observed later do not count."""
        return self.model.windows.complete_at(self.span[1])

    def gather(self, champion: int, trial: Trial) -> Iterator[Judgement]:
        """All evidence; a window that spans a swap of champions is judged for each version apart."""
        counts = frames.answered(self.connection, self.model, self.span)
        for version in sorted({*counts, champion}):
            count = counts.get(version, 0)
            promoted = ledger.promoted(self.connection, self.model.name, version)
            if promoted is None:
                yield self.judgement(version, _of_a_stranger(version, count))
                continue
            for kind, judge in self._kinds(promoted, count, whole=count == sum(counts.values())).items():
                yield self.judgement(version, *trial(judge, partial(_instead, kind)))

    def judgement(self, version: int, evidence: Evidence, report: dict[str, Any] | None = None) -> Judgement:
        """Evidence on a version as it is stored."""
        text = "|".join([self.model.name, str(version), format_time(self.span[1]), evidence.kind])
        return Judgement(
            id=hashlib.sha256(text.encode()).hexdigest()[:16],
            model=self.model.name,
            version=version,
            window_start=self.span[0],
            window_end=self.span[1],
            kind=evidence.kind,
            verdict=evidence.verdict,
            statistic=evidence.statistic,
            threshold=evidence.threshold,
            reason=evidence.reason,
            detail=evidence.detail | (report or {}),
        )

    def _kinds(self, promoted: ledger.Champion, count: int, *, whole: bool) -> dict[Kind, Callable[[], Found]]:
        """How each kind is judged of one version; rows and manifest are read by the first that needs them."""
        model, (start, end) = self.model, self.span
        known = cache(partial(manifests.get, self.lake, promoted.manifest, Version))
        inputs = cache(lambda: manifests.signature_of(self.lake, known()).features)
        rows = cache(lambda: self._rows(promoted.version, count, inputs()))
        of_rows = {"sampled_of": count} if count > SAMPLE_ROWS else {}

        def quality() -> Evidence:
            counted = self._tally(promoted.version, count, rows(), inputs())
            gone = [name for name, kind in inputs() if (name, kind) not in model.features]
            declared = schemas.of_model(self.connection, model)
            profile = known().candidate.profile
            return judge_quality(model, profile, counted, whole=whole, length=end - start, schemas=declared.keys(), gone=gone)

        return {
            "quality": lambda: (quality(), {}),
            "drift": lambda: self._drift(known().candidate, rows(), of_rows),
            "performance": lambda: (self._performance(known(), rows()), of_rows),
            "freshness": lambda: (judge_freshness(promoted.trained_until, end, model.freshness.max_training_age), {}),
        }

    def _rows(self, version: int, count: int, inputs: Features) -> pl.DataFrame:
        """The version's rows with its own inputs; of more than :data:`SAMPLE_ROWS` about so many, drawn by request ids."""
        share = min(1.0, SAMPLE_ROWS / max(count, 1))
        read = partial(frames.logged, self.connection, self.model, self.span, known_at=self.known_at)
        return read(version=version, share=share, features=inputs)

    def _tally(self, version: int, count: int, rows: pl.DataFrame, inputs: Features) -> Tally:
        """Counts over all rows: the database's, where only a sample was read."""
        counted = tally(self.model, rows, [name for name, _ in inputs])
        if count <= SAMPLE_ROWS:
            return counted
        by_database = window_counts.tally(self.connection, self.model, self.span, version, counted.columns)
        return msgspec.structs.replace(by_database, unreadable=counted.unreadable)

    def _drift(self, candidate: Trained, rows: pl.DataFrame, of_rows: dict[str, Any]) -> Found:
        """With Evidently's report of an alarm."""
        reference = renewed(self.lake.get_frame(candidate.reference), self.model.label)
        evidence, html = judge_drift(candidate.calibration.renewed(), reference, within(self.model, rows), html=True)
        return evidence, of_rows | ({"html": self.lake.put(html.encode(), "html")} if html else {})

    def _performance(self, known: Version, rows: pl.DataFrame) -> Evidence:
        """Of the rows whose outcome is known, and old enough that a slow one would be too."""
        mature = pl.col(EVENT_TIME) <= self.known_at - self.model.training.label_delay
        matured = rows.filter(pl.col(LABEL).is_not_null(), mature)
        return judge_performance(
            self.model.task,
            matured[EVENT_TIME].dt.date().to_numpy(),
            matured[LABEL].to_numpy(),
            matured[SCORE].to_numpy(),
            expected=known.expected_loss,
            min_rows=self.model.drift.min_rows,
        )


def _instead(kind: Kind, error: Exception) -> Found:
    return unjudged(kind, error), {}


def _of_a_stranger(version: int, rows: int) -> Evidence:
    """Told, never a reason to stop: there is nothing to hold such rows against."""
    told = f"version {version} answered {rows} rows as champion, and the ledger does not know it"
    return Evidence(kind="quality", verdict="insufficient", reason=told, detail={"rows": rows})
