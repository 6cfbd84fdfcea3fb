"""The evidence on one closed window: of each version that answered in it, and of the champion, every kind in its order."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.window_grid import Span
from everfit.errors import EvidenceError
from everfit.evidence import Evidence, EvidenceKind
from everfit.evidence.kinds import Quality, kinds
from everfit.evidence.quality import EVERY
from everfit.store import frames, ledger
from everfit.store.judgements import Judgement
from everfit.store.lake import Lake
from everfit.timing import format_time
from monitors.attempts import Attempt, unjudged
from monitors.version_share import VersionShare


@dataclass(frozen=True)
class ClosedWindow:
    """One closed window of a model, and where its rows and the versions' records are."""

    connection: sa.Connection
    lake: Lake
    model: Model
    span: Span
    champion: int

    @cached_property
    def answered(self) -> Mapping[int, int]:
        """Number of requests that each version answered to clients, without late rows."""
        return frames.answered(self.connection, self.model, self.span)

    @cached_property
    def requests(self) -> int:
        """Number of requests that clients got answers to, without late rows: each counts once, whoever answered."""
        return frames.requests(self.connection, self.model, self.span)

    @cached_property
    def versions(self) -> Mapping[int, VersionShare | None]:
        """The versions that answered and the champion, each with its share; None of one that the ledger does not know."""
        return {version: self._share(version) for version in sorted({*self.answered, self.champion})}

    def breaks(self, attempt: Attempt) -> Iterator[Judgement]:
        """What of the window is broken: each version's rows are judged apart, the window's volume for the champion."""
        for version, share in self.versions.items():
            if share is None:
                yield self.judgement(version, Quality.name, _of_an_unknown_version(version, self.answered[version]))
        yield from self._evidence(attempt, [kind for kind in kinds().values() if kind.triggers == "quarantine"])

    def changes(self, attempt: Attempt) -> Iterator[Judgement]:
        """All other evidence, of each version apart, on the rows of days that are not quarantined by then."""
        yield from self._evidence(attempt, [kind for kind in kinds().values() if kind.triggers != "quarantine"])

    def _evidence(self, attempt: Attempt, judging: Sequence[EvidenceKind]) -> Iterator[Judgement]:
        known = {version: share for version, share in self.versions.items() if share is not None}
        for version, share in known.items():
            for kind in judging:
                yield attempt(partial(self._judge, kind, share), partial(self.unjudged, version, kind.name))

    def _share(self, version: int) -> VersionShare | None:
        promoted, count = ledger.recorded(self.connection, self.model.name, version), self.answered.get(version, 0)
        if promoted is None:
            return None
        alone = count == sum(self.answered.values())
        requests = self.requests if alone or (count and version == self.champion) else None
        return VersionShare(self.connection, self.lake, self.model, self.span, promoted, count, alone, requests)

    def unjudged(self, version: int, kind: str, error: Exception) -> Judgement:
        """What is stored where a kind could not be judged."""
        return self.judgement(version, kind, unjudged(error))

    def judgement(self, version: int, kind: str, evidence: Evidence) -> Judgement:
        """Evidence on a version as it is stored; its report goes into the lake."""
        report = {"html": self.lake.put(evidence.report.encode(), "html")} if evidence.report else {}
        text = "|".join([self.model.name, str(version), format_time(self.span[1]), kind])
        return Judgement(
            id=hashlib.sha256(text.encode()).hexdigest()[:16],
            model=self.model.name,
            version=version,
            window_start=self.span[0],
            window_end=self.span[1],
            kind=kind,
            verdict=evidence.verdict,
            statistic=evidence.statistic,
            threshold=evidence.threshold,
            reason=evidence.reason,
            detail=evidence.detail | report,
        )

    def _judge(self, kind: EvidenceKind, share: VersionShare) -> Judgement:
        evidence = kind.judge(share if kind.triggers == "quarantine" else share.trusted)
        if not isinstance(evidence, Evidence):
            raise EvidenceError(f"{type(kind).__name__}.judge returned {evidence!r}; it must return Evidence")
        if kind.triggers == "quarantine" and evidence.verdict == "alarm" and "by_column" in evidence.detail:
            _check_columns(kind, evidence.detail["by_column"], share)
        return self.judgement(share.version, kind.name, evidence)


def _check_columns(kind: EvidenceKind, by_column: Any, share: VersionShare) -> None:
    """Whether what is to be quarantined are columns of the window, or all of them, each with its reason."""
    if not isinstance(by_column, dict) or not by_column or not all(isinstance(why, str) and why for why in by_column.values()):
        raise EvidenceError(f"{kind.name}: detail['by_column'] is {by_column!r}; give a dict of columns to reasons")
    model = share.model
    columns = {name for name, _ in [*model.features, *share.inputs]} | {column.name for column in model.request} | {model.label}
    if unknown := by_column.keys() - columns - {EVERY}:
        known = ", ".join(sorted(columns))
        raise EvidenceError(
            f"{kind.name}: detail['by_column'] names {sorted(unknown, key=repr)}; there are {known}, and {EVERY}"
        )


def _of_an_unknown_version(version: int, rows: int) -> Evidence:
    """Reported, and no reason to stop: there is nothing on record that such rows could be compared with."""
    reason = f"version {version} answered {rows} rows of clients, and the ledger does not know it"
    return Evidence(verdict="insufficient", reason=reason, detail={"rows": rows})
