"""From a verdict to a champion: register, promote by compare-and-set, write the ledger, announce."""

import logging
from contextlib import closing
from typing import Any

import msgspec
import sqlalchemy as sa
from kafka import KafkaProducer
from kafka.errors import KafkaError

from everfit.declaration import Model
from everfit.declaration.retraining import Status
from everfit.environment.kafka_options import options, require_kafka
from everfit.errors import EverfitError
from everfit.pipeline import manifests
from everfit.pipeline.manifests import Evaluation, TrainedModel, TrainingSet, Version
from everfit.registry import MANIFEST, Artifact, Registry
from everfit.runtime import Runtime
from everfit.store import ledger, model_clocks, requests, schemas
from everfit.timing import wall_clock
from everfit.topics.events import DEPLOYMENTS, Deployment, encode
from everfit.training.artifact import Scorer

ANNOUNCE_SECONDS = 5.0
TAG_CHARACTERS = 4_000  # below what MLflow takes

logger = logging.getLogger(__name__)


class Conclusion(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the candidates: one promoted as ``version``, or all rejected (None); either way with the reason."""

    version: int | None
    replaced: int | None
    candidate: str | None
    reason: str


def conclude(runtime: Runtime, model: Model, *, actor: str, verdict: str | None = None) -> Conclusion:
    """Carry out an evaluation, by its hash or the newest: promote its winner, or record the rejection.

    Registering comes first, because MLflow numbers the versions. Then, in one transaction, the champion is held against the one
    that the evaluation was made with, the ledger's row and the request's end are written, and the alias is set. An evaluation
    is carried out once: again, and its conclusion is only told again.

    Raises:
        StaleChampionError: when another version became champion since the comparison.
        NotServableError: when the registry gives back a version that does not load; the champion stays.
    """
    evaluation, digest = manifests.of(runtime, model, Evaluation, verdict)
    trained = manifests.get(runtime.lake, evaluation.trained_model, TrainedModel)
    training_set = manifests.get(runtime.lake, trained.training_set, TrainingSet)
    with runtime.engine.connect() as connection:
        earlier = ledger.evaluation_result(connection, model.name, digest)
        ledger.require_champion(connection, model.name, (earlier and earlier.version) or evaluation.champion)
    if earlier:
        return _conclusion(evaluation, earlier.version)
    if evaluation.winner is None:
        return _reject(runtime, model, evaluation, training_set, digest, actor)
    winner = next(candidate for candidate in trained.candidates if candidate.name == evaluation.winner)
    compared = next(one for one in evaluation.compared if one.name == winner.name)
    described = Version(
        model=model.name, candidate=winner, training_set=training_set, evaluation=evaluation, expected_loss=compared.loss
    )
    manifest = runtime.lake.put_json(described)
    version = register(runtime, described, manifest)
    registered = runtime.registry.fetch(model.name, version)
    Scorer(registered.onnx, registered.signature)  # what cannot be fetched and loaded never becomes champion
    until = training_set.cutoff.isoformat()
    detail = {"manifest": manifest, "trained_until": until, "candidate": winner.name, "evaluation": digest}
    with runtime.engine.begin() as connection:
        entry = _entry(connection, model, evaluation, training_set, actor, version, detail)
        signature = manifests.signature_of(runtime.lake, described)
        schemas.record(connection, model.name, signature.schema, signature.features)
        promote(connection, runtime.registry, entry)
        _end(connection, training_set, "promoted", evaluation.reason)
    announce(runtime.settings.kafka, model, version, evaluation.reason)
    return _conclusion(evaluation, version)


def promote(connection: sa.Connection, registry: Registry, entry: ledger.Entry) -> None:
    """Compare and set: the ledger's row, if ``entry.from_version`` still is champion, then the registry's role.

    Both belong to the caller's transaction. Where it does not commit, the role may have moved although the ledger has not: the
    ledger rules, and the next promotion or `everfit promote MODEL --restore` sets the role right.

    Raises:
        StaleChampionError: when another version became champion since the comparison.
        LostVersionError: when the registry does not have the version.
        ServiceError: when the registry does not answer.
    """
    assert entry.to_version is not None, "a promotion names its version"
    ledger.replace_champion(connection, entry)
    registry.point(entry.model, "champion", entry.to_version)


def _reject(
    runtime: Runtime, model: Model, evaluation: Evaluation, training_set: TrainingSet, digest: str, actor: str
) -> Conclusion:
    detail = {"trained_model": evaluation.trained_model, "evaluation": digest}
    with runtime.engine.begin() as connection:
        ledger.lock(connection, model.name)
        if ledger.evaluation_result(connection, model.name, digest) is None:
            ledger.append(connection, _entry(connection, model, evaluation, training_set, actor, None, detail))
            _end(connection, training_set, "rejected", evaluation.reason)
    return _conclusion(evaluation, None)


def _conclusion(evaluation: Evaluation, version: int | None) -> Conclusion:
    if version is None:
        return Conclusion(version=None, replaced=None, candidate=None, reason=evaluation.reason)
    return Conclusion(version=version, replaced=evaluation.champion, candidate=evaluation.winner, reason=evaluation.reason)


def register(runtime: Runtime, described: Version, manifest: str) -> int:
    """Register a version's artifact, as its manifest of that hash describes it; returns the number it got."""
    given = described.training_set
    tags = {
        MANIFEST: manifest,
        "everfit.candidate": described.candidate.name,
        "everfit.cause": given.cause,
        "everfit.data_version": given.rows_hash,
        "everfit.code_version": given.code_version,
        "everfit.left_out": ", ".join(described.candidate.left_out)[:TAG_CHARACTERS],
    }
    onnx = runtime.lake.get(described.candidate.onnx, "onnx")
    artifact = Artifact(onnx, manifests.signature_of(runtime.lake, described), tags)
    with runtime.engine.connect() as connection:
        used = ledger.highest(connection, described.model)
    return runtime.registry.register(described.model, artifact, above=used)


def _entry(
    connection: sa.Connection,
    model: Model,
    evaluation: Evaluation,
    training_set: TrainingSet,
    actor: str,
    version: int | None,
    detail: dict[str, Any],
) -> ledger.Entry:
    return ledger.Entry(
        model=model.name,
        action="rejected" if version is None else "promoted",
        from_version=evaluation.champion,
        to_version=version,
        actor=actor,
        cause=training_set.cause,
        reason=evaluation.reason,
        request=training_set.request,
        event_time=model_clocks.read(connection, model) or model.go_live,
        detail=detail,
    )


def _end(connection: sa.Connection, training_set: TrainingSet, status: Status, reason: str) -> None:
    if training_set.request:
        requests.mark(connection, training_set.request, status, result=reason)


def announce(bootstrap: str, model: Model, version: int, reason: str) -> None:
    """Send the new champion to the topic of deployments, once its promotion is committed.

    Serving reads the ledger every second anyway: where Kafka does not take the announcement, the promotion stands, and a
    warning is logged.
    """
    event = Deployment(model=model.name, version=version, role="champion", reason=reason, at=wall_clock())
    wait_ms = int(ANNOUNCE_SECONDS * 1_000)
    limits = {"max_block_ms": wait_ms, "bootstrap_timeout_ms": wait_ms, "delivery_timeout_ms": wait_ms}
    try:
        require_kafka(bootstrap)
        producer = KafkaProducer(**options(bootstrap), **limits, acks="all", linger_ms=0, request_timeout_ms=wait_ms // 2)
        with closing(producer):
            producer.send(DEPLOYMENTS, key=model.name.encode(), value=encode(event)).get(timeout=ANNOUNCE_SECONDS)
    except (EverfitError, KafkaError, OSError) as error:
        logger.warning("version %d of %s is champion, but Kafka did not take the announcement: %s", version, model.name, error)
