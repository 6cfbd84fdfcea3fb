"""From a verdict to a champion: register, promote by compare-and-set, record, announce."""

from dataclasses import replace
from typing import Any

import msgspec
import sqlalchemy as sa

from everfit.declaration import Model
from everfit.declaration.retraining import Status
from everfit.declaration.rollouts import Guard, Role, stages_of
from everfit.errors import PromotionError
from everfit.evaluation.rules import Verdict
from everfit.pipeline import manifests, provenance, rollout_changes
from everfit.pipeline.announcement import announce
from everfit.pipeline.manifests import Evaluation, TrainedModel, TrainingSet, Version
from everfit.pipeline.model_card import publish_card
from everfit.pipeline.native_versions import NOT_PORTABLE, not_portable, require_loading
from everfit.pipeline.reconciliation import reconcile
from everfit.pipeline.training_record import TAG_CHARACTERS, rule_tags
from everfit.registry import MANIFEST, Artifact
from everfit.runtime import Runtime
from everfit.store import ledger, model_clocks, requests, schemas
from everfit.store.ledger import EvaluationResult


class Conclusion(msgspec.Struct, frozen=True, kw_only=True):
    """How an evaluation ended, with the reason: one candidate passed as ``version``; none did where that is None.

    ``verdict`` then says whether all are rejected, or one is inconclusive and judged again as days come in. ``in_rollout``: the
    version goes through its rollout before it is champion.
    """

    version: int | None
    replaced: int | None
    candidate: str | None
    reason: str
    verdict: Verdict
    in_rollout: bool = False


class _Case(msgspec.Struct, frozen=True, kw_only=True):
    """An evaluation to carry out, with its hash and everything that led to it."""

    model: Model
    evaluation: Evaluation
    digest: str
    trained: TrainedModel
    training_set: TrainingSet
    actor: str


def conclude(runtime: Runtime, model: Model, *, actor: str, digest: str | None = None) -> Conclusion:
    """Carry out an evaluation, by its hash or the newest: its winner begins its rollout, or none won, which is recorded.

    The winner is registered first, because the registry numbers the versions. Then one transaction compares the champion with
    the one of the evaluation, writes the ledger's row and the request's end, and begins the rollout: where it has no step but
    the guard, the version is champion at once, and the registry's alias follows. The registry is never asked while the ledger
    is locked. An evaluation is carried out once; the second time its conclusion is returned.

    Raises:
        PromotionError: when a person has paused the model.
        StaleChampionError: when another version became champion since the comparison.
        NotServableError: when the registry gives back a version that does not load; the champion stays.
    """
    evaluation, digest = manifests.of(runtime, model, Evaluation, digest)
    with runtime.engine.connect() as connection:
        earlier = ledger.evaluation_result(connection, model.name, digest)
        if earlier is None:
            _require_going_on(connection, model)
        if earlier is None or not earlier.in_rollout:
            ledger.require_champion(connection, model.name, (earlier and earlier.version) or evaluation.champion)
    if earlier:
        return _conclusion(evaluation, earlier)
    trained = manifests.get(runtime.lake, evaluation.trained_model, TrainedModel)
    request = manifests.get(runtime.lake, trained.training_set, TrainingSet).request
    training_set = msgspec.structs.replace(manifests.learnt(runtime.lake, trained), request=request)
    case = _Case(model=model, evaluation=evaluation, digest=digest, trained=trained, training_set=training_set, actor=actor)
    if evaluation.winner is None:
        _leave(runtime, case)
        return _conclusion(evaluation, EvaluationResult(None))
    return _conclusion(evaluation, _roll_out_winner(runtime, case))


def _roll_out_winner(runtime: Runtime, case: _Case) -> EvaluationResult:
    described = _describe(case)
    manifest = runtime.lake.put_json(described)
    version = register(runtime, described, manifest)
    require_loading(runtime.lake, runtime.registry.fetch(case.model.name, version))
    until = case.training_set.cutoff.isoformat()
    signature = manifests.signature_of(runtime.lake, described)
    detail = {
        "manifest": manifest,
        "schema": signature.schema,
        "trained_until": until,
        "candidate": described.candidate.name,
        "evaluation": case.digest,
        "spent": case.evaluation.spent,
    }
    with runtime.engine.begin() as connection:
        schemas.record(connection, case.model.name, signature.schema, signature.features)
        in_rollout = _begin(connection, case, _entry(connection, case, "promoted", version, detail))
        _end_request(connection, case, "in_rollout" if in_rollout else "promoted")
    role: Role = stages_of(case.model.rollout)[0].role if in_rollout else "champion"
    announce(runtime.settings.kafka, case.model, version, case.evaluation.reason, role=role)
    if not in_rollout:
        reconcile(runtime, [case.model.name])
    publish_card(runtime, case.model, version)
    return EvaluationResult(version, in_rollout)


def _begin(connection: sa.Connection, case: _Case, entry: ledger.Entry) -> bool:
    """Begin the rollout; False where the version is champion at once: only the guard is declared, or nothing answers yet."""
    ledger.lock(connection, case.model.name)
    _require_going_on(connection, case.model)
    if ledger.evaluation_result(connection, case.model.name, case.digest):
        raise PromotionError(f"{case.model.name}: another run has carried out this evaluation meanwhile")
    compared = next(each for each in case.evaluation.compared if each.name == case.evaluation.winner)
    margin = max(compared.margin or 0.0, 0.0)
    if case.model.rollout and not isinstance(case.model.rollout[0], Guard) and entry.from_version is not None:
        ledger.require_champion(connection, case.model.name, entry.from_version)
        rollout_changes.begin(connection, case.model, replace(entry, action="registered"), margin)
        return True
    ledger.replace_champion(connection, entry)
    rollout_changes.guard(connection, case.model, entry, margin)
    return False


def _require_going_on(connection: sa.Connection, model: Model) -> None:
    if ledger.is_paused(connection, model.name):
        paused = f"{model.name} was paused by a person"
        raise PromotionError(f"{paused}: nothing is concluded; `everfit resume {model.name}`, then train again")


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


def _conclusion(evaluation: Evaluation, result: EvaluationResult) -> Conclusion:
    passed = result.version is not None
    return Conclusion(
        version=result.version,
        replaced=evaluation.champion if passed else None,
        candidate=evaluation.winner if passed else None,
        reason=evaluation.reason,
        verdict=_verdict(evaluation),
        in_rollout=result.in_rollout,
    )


def _verdict(evaluation: Evaluation) -> Verdict:
    """What a candidate came to that came furthest; without a champion there is no second look, so that none is inconclusive."""
    if evaluation.winner is not None:
        return "passed"
    return "inconclusive" if evaluation.verdict == "inconclusive" and evaluation.champion is not None else "rejected"


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
