"""Judge and decide on one closed window in the caller's transaction: all that is written about it stands or falls together.

A window that spans a swap of champions is judged for each version apart; the policy hears only what concerns the champion.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl
import sqlalchemy as sa

from everfit.columns import EVENT_TIME, LABEL, SCORE, VERSION, renewed
from everfit.declaration import Model
from everfit.evidence import Evidence
from everfit.evidence.drift import judge_drift
from everfit.evidence.freshness import judge_freshness
from everfit.evidence.performance import judge_performance
from everfit.evidence.quality import judge_quality
from everfit.policy import Decision, decide, request_id
from everfit.store import frames, judgements, ledger, requests
from everfit.store.judgements import Judgement
from everfit.store.lake import Lake
from everfit.store.requests import RetrainRequest
from everfit.timing import format_time
from everfit.workflow import manifests
from everfit.workflow.manifests import Version

Span = tuple[datetime, datetime]


@dataclass(slots=True)
class Judged:
    """What was written about a window."""

    judgements: list[Judgement] = field(default_factory=list)
    requested: bool = False


def judge_window(connection: sa.Connection, lake: Lake, model: Model, span: Span) -> Judged:
    """Close the window, judge it, decide, and ask for a retraining where the policy says so.

    Only outcomes known when the window could close at the earliest count, so that the verdict is the same whenever it is made.
    """
    known_at = span[1] + model.log.lateness
    champion = ledger.champion(connection, model.name)
    if not judgements.close(connection, model, span, at=known_at, champion=champion.version if champion else None):
        return Judged()
    if champion is None:
        return Judged()
    rows = frames.logged(connection, model, span, known_at=known_at)
    versions = sorted({*rows[VERSION].to_list(), champion.version})
    judged = [one for version in versions for one in _judge(connection, lake, model, span, version, rows)]
    history = judgements.history(connection, model, champion)
    judgements.record(connection, judged)
    current = [one.finding() for one in judged if one.version == champion.version]
    decision = decide(model, span[1], current, history)
    judgements.record_decision(connection, model, span[1], champion.version, decision)
    _quarantine(connection, model, span, judged)
    return Judged(judged, _request(connection, model, span, champion.version, decision))


def _judge(
    connection: sa.Connection, lake: Lake, model: Model, span: Span, version: int, window: pl.DataFrame
) -> Iterator[Judgement]:
    """All evidence on one version's rows of the window, in its order: quality, drift, performance, freshness."""
    rows = window.filter(pl.col(VERSION) == version)
    promoted = ledger.promoted(connection, model.name, version)
    if promoted is None:
        yield _judgement(model, version, span, _of_a_stranger(version, rows.height))
        return
    known = manifests.get(lake, promoted.manifest, Version)
    candidate = known.candidate
    whole = rows.height == window.height
    quality = judge_quality(model, candidate.profile, rows, whole=whole, length=span[1] - span[0])
    yield _judgement(model, version, span, quality)
    reference = renewed(lake.get_frame(candidate.reference), model.label)
    drift, html = judge_drift(candidate.calibration.renewed(), reference, rows, html=True)
    report = {"html": lake.put(html.encode(), "html")} if html else {}
    yield _judgement(model, version, span, drift, report)
    yield _judgement(model, version, span, _performance(model, known, rows, span[1] + model.log.lateness))
    freshness = judge_freshness(promoted.trained_until, span[1], model.freshness.max_training_age)
    yield _judgement(model, version, span, freshness)


def _of_a_stranger(version: int, rows: int) -> Evidence:
    """Told, never a reason to stop: there is nothing to hold such rows against."""
    told = f"version {version} answered {rows} rows as champion, and the ledger does not know it"
    return Evidence(kind="quality", verdict="insufficient", reason=told, detail={"rows": rows})


def _performance(model: Model, known: Version, rows: pl.DataFrame, at: datetime) -> Evidence:
    """Of the rows whose outcome is known, and old enough that a slow one would be too."""
    matured = rows.filter(pl.col(LABEL).is_not_null(), pl.col(EVENT_TIME) <= at - model.training.label_delay)
    return judge_performance(
        matured[EVENT_TIME].dt.date().to_numpy(),
        matured[LABEL].to_numpy(),
        matured[SCORE].to_numpy(),
        expected=known.expected_loss,
        min_rows=model.drift.min_rows,
    )


def _judgement(model: Model, version: int, span: Span, evidence: Evidence, detail: dict[str, str] | None = None) -> Judgement:
    text = "|".join([model.name, str(version), format_time(span[1]), evidence.kind])
    return Judgement(
        id=hashlib.sha256(text.encode()).hexdigest()[:16],
        model=model.name,
        version=version,
        window_start=span[0],
        window_end=span[1],
        kind=evidence.kind,
        verdict=evidence.verdict,
        statistic=evidence.statistic,
        threshold=evidence.threshold,
        reason=evidence.reason,
        detail=evidence.detail | (detail or {}),
    )


def _quarantine(connection: sa.Connection, model: Model, span: Span, judged: list[Judgement]) -> None:
    """Broken windows are not trained on until somebody releases them."""
    broken = [one.reason for one in judged if one.kind == "quality" and one.verdict == "alarm"]
    if broken:
        judgements.quarantine(connection, model, span, "; ".join(broken))


def _request(connection: sa.Connection, model: Model, span: Span, champion: int, decision: Decision) -> bool:
    if decision.action != "retrain" or decision.cause is None:
        return False
    request = RetrainRequest(
        id=request_id(model, champion, span[1], decision.cause),
        model=model.name,
        cause=decision.cause,
        reason=decision.reason,
        champion=champion,
        cutoff=span[1],
        requested_at=span[1],
    )
    return requests.ask(connection, request)
