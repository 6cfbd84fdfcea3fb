"""Rows, figures and weights that were made again, held against those on record."""

import msgspec

from everfit.pipeline import manifests
from everfit.pipeline.manifests import Trained, TrainedModel, TrainingSet, Version
from everfit.store.lake import Lake

ANSWERED = 1_000  # the newest rows, on which answers are compared where weights differ


class ReproducedPart(msgspec.Struct, frozen=True, kw_only=True):
    """One of data, metrics and weights: what names it on record and now, and the finding in words."""

    name: str
    recorded: str
    made: str
    identical: bool
    finding: str


def data(lake: Lake, recorded: TrainingSet, made: TrainingSet) -> ReproducedPart:
    """The training rows."""
    identical = made.rows_hash == recorded.rows_hash
    finding = f"{made.rows:,} rows of {len(recorded.days):,} days"
    if not identical:
        finding = _rows_apart(lake, recorded, made)
    return _part("data", recorded.rows_hash, made.rows_hash, identical=identical, finding=finding)


def fit(lake: Lake, recorded: Version, made: TrainedModel) -> list[ReproducedPart]:
    """The figures on the rolling origins, and the weights."""
    then = recorded.candidate
    if not made.candidates:
        why = f"it cannot be fitted: {'; '.join(made.set_aside.values())}"
        return [_part(name, "", "", identical=False, finding=why) for name in ("metrics", "weights")]
    (now,) = made.candidates
    return [_metrics(lake, then, now), _weights(lake, recorded, now)]


def _metrics(lake: Lake, then: Trained, now: Trained) -> ReproducedPart:
    """The figures, and the answers that they rest on."""
    differing = [name for name in sorted({*then.metrics, *now.metrics}) if then.metrics.get(name) != now.metrics.get(name)]
    told = ", ".join(f"{name} {then.metrics.get(name)!r} on record and {now.metrics.get(name)!r} now" for name in differing)
    identical = not differing and _same_answers(lake, then, now)
    finding = (
        f"all {len(now.metrics)} figures" if identical else told or "the figures agree, and the answers they rest on do not"
    )
    return _part("metrics", then.backtest, now.backtest, identical=identical, finding=finding)


def _same_answers(lake: Lake, then: Trained, now: Trained) -> bool:
    """Whether the answers on the rolling origins are the same; after them, a second look has added those to later rows."""
    if then.backtest == now.backtest:
        return True
    made = lake.get_frame(now.backtest)
    return made.height > 0 and lake.get_frame(then.backtest).head(made.height).equals(made)


def _weights(lake: Lake, recorded: Version, now: Trained) -> ReproducedPart:
    then = recorded.candidate
    identical = then.artifact == now.artifact
    finding = "byte by byte"
    if not identical:
        finding = f"answers differ by at most {_answers_apart(lake, recorded, now):.3g} on the {ANSWERED:,} newest rows"
    return _part("weights", then.artifact, now.artifact, identical=identical, finding=finding)


def _rows_apart(lake: Lake, recorded: TrainingSet, made: TrainingSet) -> str:
    """How many rows are only in one of both, a changed row counting on both sides."""
    before, now = lake.get_frame(recorded.rows_hash), lake.get_frame(made.rows_hash)
    if before.schema != now.schema:
        names = sorted({*before.schema.items()} ^ {*now.schema.items()}, key=str)
        return f"columns differ: {', '.join(f'{name} ({kind})' for name, kind in names)}"
    lost = before.join(now, on=before.columns, how="anti", nulls_equal=True).height
    new = now.join(before, on=before.columns, how="anti", nulls_equal=True).height
    return f"{recorded.rows:,} rows on record and {made.rows:,} now; {lost:,} of these are no longer so, and {new:,} are new"


def _answers_apart(lake: Lake, recorded: Version, now: Trained) -> float:
    """The largest difference of an answer, in its unit."""
    import numpy as np

    from everfit.training.version_scorer import open_scorer

    rows = lake.get_frame(recorded.training_set.rows_hash).tail(ANSWERED)
    before = open_scorer(manifests.content_of(lake, recorded), manifests.signature_of(lake, recorded)).score(rows)
    assert now.signature is not None, "it was made by this everfit"
    after = open_scorer(lake.get(now.artifact, now.signature.kind), now.signature).score(rows)
    return float(np.abs(before - after).max(initial=0.0))


def _part(name: str, recorded: str, made: str, *, identical: bool, finding: str) -> ReproducedPart:
    return ReproducedPart(name=name, recorded=recorded, made=made, identical=identical, finding=finding)
