"""The second look at candidates whose verdict was inconclusive: judged on more days, without a new training."""

import logging
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from everfit.declaration import Model
from everfit.declaration.reserved_columns import CANDIDATE, EVENT_TIME, REQUEST_ID, renewed
from everfit.evaluation.rules import verdict
from everfit.evidence.propensity import drawn_by_chance
from everfit.features.column_types import answer_type
from everfit.pipeline import manifests
from everfit.pipeline.manifests import Evaluation, Trained, TrainedModel, TrainingSet
from everfit.runtime import Runtime
from everfit.store import verdicts

if TYPE_CHECKING:
    import polars as pl

logger = logging.getLogger(__name__)


class FirstLook(NamedTuple):
    """An evaluation that was inconclusive, and what it was of."""

    digest: str
    evaluation: Evaluation
    trained: TrainedModel


def first_look(runtime: Runtime, model: Model, training_set: TrainingSet) -> FirstLook | None:
    """What is to be judged again on these rows, whoever became champion since; None where nothing was inconclusive before."""
    with runtime.engine.connect() as connection:
        digest = verdicts.evaluation_before(connection, model.name, training_set.cutoff)
    if digest is None:
        return None
    evaluation = manifests.get(runtime.lake, digest, Evaluation)
    return FirstLook(digest, evaluation, manifests.get(runtime.lake, evaluation.trained_model, TrainedModel))


def look_again(
    runtime: Runtime, model: Model, first: FirstLook, training_set: TrainingSet, data_version: str
) -> TrainedModel | None:
    """The candidates that are inconclusive, as they were trained, with their own answers to what has become known since.

    What they had not learnt judges them themselves; the days before judge their recipes, as at the first look. None where the
    declaration asks for other inputs now: then they are to be trained anew.

    Args:
        runtime: the parts to work with.
        model: the declaration.
        first: the evaluation before.
        training_set: the rows that are known now.
        data_version: its hash.
    """
    evaluation, before = first.evaluation, first.trained
    names = {each.name for each in evaluation.compared if verdict(each.rules) == "inconclusive"}
    kept = [each for each in before.candidates if each.name in names]
    if not kept or any(each.signature is None or each.signature.schema != model.schema_id for each in kept):
        logger.info("%s: no candidate of the evaluation %s can be judged again; all are trained anew", model.name, first.digest)
        return None
    learnt = manifests.learnt(runtime.lake, before)
    rows = renewed(runtime.lake.get_frame(training_set.rows_hash), model.label)
    rows = drawn_by_chance(model, rows.filter(rows[EVENT_TIME] > learnt.cutoff - model.training.label_delay))
    return TrainedModel(
        training_set=data_version,
        champion=evaluation.champion,
        candidates=[_with_more_days(runtime, model, each, rows) for each in kept],
        made_with=before.made_with,
        learnt=before.learnt or before.training_set,
        cause=before.cause,
    )


def _with_more_days(runtime: Runtime, model: Model, candidate: Trained, rows: "pl.DataFrame") -> Trained:
    """The candidate with the rows that it had neither learnt nor been judged on, answered by what it would serve."""
    import polars as pl

    from everfit.training.version_scorer import open_scorer

    assert candidate.signature is not None, "an older record is trained anew"
    tested = renewed(runtime.lake.get_frame(candidate.backtest), model.label)
    new = rows.join(tested.select(REQUEST_ID), on=REQUEST_ID, how="anti", maintain_order="left")
    scorer = open_scorer(runtime.lake.get(candidate.artifact, candidate.signature.kind), candidate.signature)
    answered = new.with_columns(pl.Series(CANDIDATE, scorer.score(new), dtype=answer_type(model.task)))
    together = pl.concat([tested, answered.select(tested.columns)], how="vertical_relaxed")
    return msgspec.structs.replace(candidate, backtest=runtime.lake.put_frame(together))
