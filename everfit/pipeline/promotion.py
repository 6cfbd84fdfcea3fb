"""From a verdict to a champion: register, promote by compare-and-set, record, announce."""

from typing import Any

import msgspec
import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.retraining import Status
from everfit.evaluation.rules import Verdict
from everfit.pipeline import manifests, provenance
from everfit.pipeline.announcement import announce
from everfit.pipeline.manifests import Evaluation, TrainedModel, TrainingSet, Version
from everfit.pipeline.model_card import publish_card
from everfit.pipeline.native_versions import NOT_PORTABLE, not_portable, require_loading
from everfit.pipeline.training_record import TAG_CHARACTERS, rule_tags
from everfit.registry import MANIFEST, Artifact, Registry
from everfit.runtime import Runtime
from everfit.store import ledger, model_clocks, requests, schemas


class Conclusion(msgspec.Struct, frozen=True, kw_only=True):
    """How an evaluation ended, with the reason: one candidate passed as ``version``; none did where that is None.

    ``verdict`` then says whether all are rejected, or one is inconclusive and judged again as days come in.
    """

    version: int | None
    replaced: int | None
    candidate: str | None
    reason: str
    verdict: Verdict


class _Case(msgspec.Struct, frozen=True, kw_only=True):
    """An evaluation to carry out, with its hash and everything that led to it."""

    model: Model
    evaluation: Evaluation
    digest: str
    trained: TrainedModel
    training_set: TrainingSet
    actor: str


def conclude(runtime: Runtime, model: Model, *, actor: str, digest: str | None = None) -> Conclusion:
    """Carry out an evaluation, by its hash or the newest: promote its winner, or record that there is none.

    The winner is registered first, because the registry numbers the versions. Then one transaction compares the champion with
    the one of the evaluation, writes the ledger's row and the request's end, and sets the role. An evaluation is carried out
    once; the second time its conclusion is returned.

    Raises:
        StaleChampionError: when another version became champion since the comparison.
        NotServableError: when the registry gives back a version that does not load; the champion stays.
    """
    evaluation, digest = manifests.of(runtime, model, Evaluation, digest)
    with runtime.engine.connect() as connection:
        earlier = ledger.evaluation_result(connection, model.name, digest)
        ledger.require_champion(connection, model.name, (earlier and earlier.version) or evaluation.champion)
    if earlier:
        return _conclusion(evaluation, earlier.version)
    trained = manifests.get(runtime.lake, evaluation.trained_model, TrainedModel)
    training_set = manifests.get(runtime.lake, trained.training_set, TrainingSet)
    case = _Case(model=model, evaluation=evaluation, digest=digest, trained=trained, training_set=training_set, actor=actor)
    if evaluation.winner is None:
        _leave(runtime, case)
        return _conclusion(evaluation, None)
    return _conclusion(evaluation, _promote_winner(runtime, case))


def _promote_winner(runtime: Runtime, case: _Case) -> int:
    described = _describe(case)
    manifest = runtime.lake.put_json(described)
    version = register(runtime, described, manifest)
    require_loading(runtime.lake, runtime.registry.fetch(case.model.name, version))
    until = case.training_set.cutoff.isoformat()
    detail = {
        "manifest": manifest,
        "trained_until": until,
        "candidate": described.candidate.name,
        "evaluation": case.digest,
        "spent": case.evaluation.spent,
    }
    signature = manifests.signature_of(runtime.lake, described)
    with runtime.engine.begin() as connection:
        schemas.record(connection, case.model.name, signature.schema, signature.features)
        promote(connection, runtime.registry, _entry(connection, case, "promoted", version, detail))
        _end_request(connection, case, "promoted")
    announce(runtime.settings.kafka, case.model, version, case.evaluation.reason)
    publish_card(runtime, case.model, version)
    return version


def _describe(case: _Case) -> Version:
    name = case.evaluation.winner
    winner = next(candidate for candidate in case.trained.candidates if candidate.name == name)
    compared = next(comparison for comparison in case.evaluation.compared if comparison.name == name)
    return Version(
        model=case.model.name,
        candidate=winner,
        training_set=case.training_set,
        evaluation=case.evaluation,
        expected_loss=compared.loss,
        made_with=case.trained.made_with,
    )


def _leave(runtime: Runtime, case: _Case) -> None:
    """Leave the champion: no candidate has passed."""
    ended = _verdict(case.evaluation)
    assert ended != "passed", "what passed has a winner"
    detail = {"trained_model": case.evaluation.trained_model, "evaluation": case.digest, "spent": case.evaluation.spent}
    with runtime.engine.begin() as connection:
        ledger.lock(connection, case.model.name)
        if ledger.evaluation_result(connection, case.model.name, case.digest) is None:
            ledger.append(connection, _entry(connection, case, ended, None, detail))
            _end_request(connection, case, ended)


def _conclusion(evaluation: Evaluation, version: int | None) -> Conclusion:
    passed = version is not None
    return Conclusion(
        version=version,
        replaced=evaluation.champion if passed else None,
        candidate=evaluation.winner if passed else None,
        reason=evaluation.reason,
        verdict=_verdict(evaluation),
    )


def _verdict(evaluation: Evaluation) -> Verdict:
    """What a candidate came to that came furthest; without a champion there is no second look, so that none is inconclusive."""
    if evaluation.winner is not None:
        return "passed"
    return "inconclusive" if evaluation.verdict == "inconclusive" and evaluation.champion is not None else "rejected"


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


def register(runtime: Runtime, described: Version, manifest: str) -> int:
    """Register a version's artifact, as its manifest of that hash describes it; returns the number it got."""
    given = described.training_set
    tags = {
        MANIFEST: manifest,
        "everfit.candidate": described.candidate.name,
        "everfit.cause": given.cause,
        "everfit.data_version": given.rows_hash,
        "everfit.code_version": given.code_version,
        **(provenance.tags(described.made_with) if described.made_with else {}),
        **({} if described.parent is None else {"everfit.parent": str(described.parent)}),
        "everfit.left_out": ", ".join(described.candidate.left_out)[:TAG_CHARACTERS],
    }
    judged = next((each for each in described.evaluation.compared if each.name == described.candidate.name), None)
    tags |= (
        {}
        if judged is None
        else {"everfit.verdict": judged.reason[:TAG_CHARACTERS], **rule_tags(judged.rules, "everfit.gate.")}
    )
    signature = manifests.signature_of(runtime.lake, described)
    tags |= {"everfit.found": said[:TAG_CHARACTERS]} if (said := manifests.found(described.candidate)) else {}
    tags |= {NOT_PORTABLE: not_portable(signature)} if signature.native is not None else {}
    artifact = Artifact(manifests.content_of(runtime.lake, described), signature, tags)
    with runtime.engine.connect() as connection:
        used = ledger.highest(connection, described.model)
    return runtime.registry.register(described.model, artifact, above=used)


def _entry(
    connection: sa.Connection, case: _Case, action: ledger.Action, version: int | None, detail: dict[str, Any]
) -> ledger.Entry:
    return ledger.Entry(
        model=case.model.name,
        action=action,
        from_version=case.evaluation.champion,
        to_version=version,
        actor=case.actor,
        cause=case.training_set.cause,
        reason=case.evaluation.reason,
        request=case.training_set.request,
        event_time=model_clocks.read(connection, case.model) or case.model.go_live,
        detail=detail,
    )


def _end_request(connection: sa.Connection, case: _Case, status: Status) -> None:
    if case.training_set.request:
        requests.mark(connection, case.training_set.request, status, result=case.evaluation.reason)
