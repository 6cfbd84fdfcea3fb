"""The manifests of the unpartitioned stages: JSON in the lake, with their hash as data version.

Manifests outlive the version of everfit that wrote them: a new field needs a default; see :mod:`everfit.environment.formats`.
"""

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from everfit.declaration import Model
from everfit.declaration.views import Kind
from everfit.environment import formats
from everfit.environment.formats import Kept
from everfit.errors import EmptyPartitionError
from everfit.evaluation.rules import Rule
from everfit.evidence.calibration import Calibration
from everfit.evidence.day_profile import DayProfile
from everfit.evidence.quality import Profile
from everfit.pipeline.code_versions import code_version
from everfit.pipeline.provenance import Provenance
from everfit.runtime import Runtime
from everfit.store import partitions
from everfit.store.lake import Lake
from everfit.store.partitions import PartitionVersion
from everfit.training.artifact import Signature


class TrainingSet(Kept, frozen=True, kw_only=True):
    """Labelled rows known by the cutoff. ``rows_hash`` names them in the lake; ``days`` are the partitions they came from.

    ``sources`` are the days of each source that the labels from before the go-live were made of, ``outcomes`` the labels since
    then as an object of the lake, ``quarantined`` the spans that were left out: with them the rows are made again.
    ``source_days`` is what the newest days of each source looked like, by which later ones are judged; none in an older record.
    """

    model: str
    cutoff: datetime
    cause: str
    reason: str
    request: str | None
    rows_hash: str
    rows: int
    baseline: float | list[float] = msgspec.field(name="positive_share")  # what the task answers that knows nothing of a row
    days: dict[str, str]
    code_version: str
    unusable: int = 0  # rows left out because their label is none of the task's
    unusable_because: str = ""  # such a label, what it would have to be, and what to do
    sources: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    outcomes: str | None = None  # None in a record of an older version, which cannot be made again
    quarantined: list[tuple[datetime, datetime]] = msgspec.field(default_factory=list)
    source_days: list[DayProfile] = msgspec.field(default_factory=list)


class Trained(Kept, frozen=True, kw_only=True):
    """One candidate, refit on everything up to the cutoff, and what its recipe answered on the rolling origins.

    ``artifact``, ``backtest`` (the folds' rows with their label and ``candidate`` score) and ``reference`` name objects of the
    lake. ``refused`` says why it must not serve, where its exported answers are not its own. ``checkpoint`` are the files that
    its fit left in its folder, by name, as objects of the lake; ``parent`` is the version that the fit went on from, if any.
    """

    name: str
    config: dict[str, Any]
    artifact: str = msgspec.field(name="onnx")  # a graph, or what its signature's kind says
    backtest: str
    reference: str
    calibration: Calibration
    profile: Profile
    metrics: dict[str, float]
    latency_ms: float
    refused: str | None
    seconds: float
    signature: Signature | None = None  # see signature_of
    left_out: dict[str, str] = msgspec.field(default_factory=dict)  # features that say nothing in its rows, and why
    folds_left_out: dict[str, str] = msgspec.field(
        default_factory=dict
    )  # rolling origins that could not be trained for, by their first day, and why
    notes: list[str] = msgspec.field(default_factory=list)  # what was learnt otherwise than declared
    searched: dict[str, Any] = msgspec.field(default_factory=dict)  # of a search: trials, params, and the metric
    slowdown: float = 1.0  # how many times slower than usual the machine was that measured latency_ms
    checkpoint: dict[str, str] = msgspec.field(default_factory=dict)
    parent: int | None = None
    day_profile: DayProfile | None = None  # of the rows' days; None in a record of an older version


class TrainedModel(Kept, frozen=True, kw_only=True):
    """All candidates of one training set. ``champion`` is the version whose data decided which days were unseen.

    ``set_aside`` are the candidates that could not be fitted, and why. ``made_with`` is None in a record of an older version.
    ``learnt`` is the hash of the training set that they have learnt, where they were trained earlier and are judged again on
    what this one knows besides; ``cause`` that of the first look, where a second had to train them anew; see :func:`learnt`.
    """

    training_set: str
    champion: int | None
    candidates: list[Trained]
    set_aside: dict[str, str] = msgspec.field(default_factory=dict)
    made_with: Provenance | None = None
    learnt: str | None = None
    cause: str = ""


class Compared(Kept, frozen=True, kw_only=True):
    """One candidate against the champion: the mean daily difference of the metric with its interval (null where there
    was nothing to compare with), and the verdict. All of the metric are losses, the lower the better.

    ``window_losses`` are those of the candidate's backtest, window by window; ``margin`` is what its interval had to lie below,
    ``level`` with which probability a bound may be wrong, and ``p_value`` how probable so good a mean is at the margin;
    None where it cannot be told, which costs nothing of the budget.
    ``rules`` are all that it was held to, with what each found; none in a record of an older version.
    """

    name: str
    mean: float | None
    lower: float | None
    upper: float | None
    days: int
    rows: int
    loss: float
    champion_loss: float
    passed: bool
    reason: str
    window_losses: list[float] = msgspec.field(default_factory=list)
    margin: float | None = None
    rules: list[Rule] = msgspec.field(default_factory=list)
    level: float | None = None
    p_value: float | None = None


class Evaluation(Kept, frozen=True, kw_only=True):
    """The gate's verdict. ``winner`` is None where no candidate passed; ``reason`` says why either way.

    ``verdict`` is passed, rejected or inconclusive; empty in a record of an older version, whose winner tells. ``spent`` is
    what it has cost of the year's budget of wrong promotions.
    """

    trained_model: str
    champion: int | None
    compared: list[Compared]
    winner: str | None
    reason: str
    metric: str = ""  # what was compared by, as expectation.metric_key names it
    verdict: str = ""
    spent: float = 0.0


class Version(Kept, frozen=True, kw_only=True):
    """A registered version: its training, its evaluation, and the references that its windows are judged against."""

    model: str
    candidate: Trained
    training_set: TrainingSet
    evaluation: Evaluation
    expected_loss: float
    made_with: Provenance | None = None

    @property
    def parent(self) -> int | None:
        """The version that its fit went on from; None where it began anew."""
        return self.candidate.parent


def learnt(lake: Lake, trained: TrainedModel) -> TrainingSet:
    """What the candidates have learnt, with the cause that they were first trained for."""
    given = get(lake, trained.learnt or trained.training_set, TrainingSet)
    return msgspec.structs.replace(given, cause=trained.cause or given.cause)


def found(candidate: Trained) -> str:
    """What a search has found, in words; empty where there was none."""
    if not candidate.searched:
        return ""
    settings = ", ".join(f"{name}={value}" for name, value in candidate.searched["params"].items())
    return f"{settings}, the best of {candidate.searched['trials']} trials"


def content_of(lake: Lake, version: Version) -> bytes:
    """The artifact of a version.

    Raises:
        LakeError: when it is missing.
    """
    return lake.get(version.candidate.artifact, signature_of(lake, version).kind)


def signature_of(lake: Lake, version: Version) -> Signature:
    """The signature of a version; read from its reference sample where an older manifest lacks it.

    Raises:
        LakeError: when the sample is missing.
    """
    import polars as pl

    candidate = version.candidate
    if candidate.signature is not None:
        return candidate.signature
    sample = lake.get_frame(candidate.reference).schema
    names = [column.column for column in candidate.profile.columns]
    kinds: list[tuple[str, Kind]] = [(name, "category" if sample[name] == pl.String else "number") for name in names]
    return Signature(model=version.model, features=kinds, schema=candidate.profile.schema)


Manifest = TypeVar("Manifest", TrainingSet, TrainedModel, Evaluation, Version)
STAGES: dict[type[msgspec.Struct], str] = {
    TrainingSet: "training_set",
    TrainedModel: "trained_model",
    Evaluation: "evaluation",
}


def put(runtime: Runtime, model: Model, stage: str, manifest: msgspec.Struct, rows: int) -> str:
    """Store a stage's manifest as its newest version; returns its hash."""
    digest = runtime.lake.put_json(manifest)
    version = PartitionVersion(f"{model.name}/{stage}", "", digest, rows, code_version(model), {})
    with runtime.engine.begin() as connection:
        partitions.record(connection, [version])
    return digest


def of(runtime: Runtime, model: Model, kind: type[Manifest], digest: str | None) -> tuple[Manifest, str]:
    """The manifest with this hash, and the hash; the newest where none is given."""
    if digest is None:
        return newest(runtime, model, STAGES[kind], kind)
    return get(runtime.lake, digest, kind), digest


def newest(runtime: Runtime, model: Model, stage: str, kind: type[Manifest]) -> tuple[Manifest, str]:
    """The newest manifest of a stage and its hash.

    Raises:
        EmptyPartitionError: when the stage was never materialized.
    """
    with runtime.engine.connect() as connection:
        versions = partitions.newest(connection, f"{model.name}/{stage}")
    if not versions:
        raise EmptyPartitionError(f"{model.name}: {stage} was never materialized; materialize it first")
    return get(runtime.lake, versions[""], kind), versions[""]


def get(lake: Lake, digest: str, kind: type[Manifest]) -> Manifest:
    """A manifest by its hash, as written by this or an earlier version of everfit.

    Raises:
        MissingObjectError: when the lake lacks it.
        FormatError: when a newer version wrote it.
    """
    return formats.read(lake.get(digest, "json"), kind, digest)
