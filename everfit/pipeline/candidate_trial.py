"""The trial of a candidate's artifact, beside what its recipe answered on the rolling origins."""

from typing import TYPE_CHECKING

import msgspec

from everfit.declaration import Model
from everfit.declaration.reserved_columns import declared, renewed
from everfit.pipeline.manifests import Compared, Trained, TrainingSet
from everfit.store.lake import Lake
from everfit.training.trial_rules import CHECK_ROWS, trial_rules

if TYPE_CHECKING:
    import polars as pl


def tried(lake: Lake, model: Model, candidate: Trained, compared: Compared, training_set: TrainingSet) -> Compared:
    """What was compared, with the rules of the trial; what fails there rejects the candidate, and is told first.

    One that was refused, because its exported answers are not its own, is not tried.
    """
    if candidate.refused or candidate.signature is None:
        return compared
    content = lake.get(candidate.artifact, candidate.signature.kind)
    rows = _rows(lake, model, candidate, training_set)
    rules = trial_rules(model.gate, model.task, content, candidate.signature, rows)
    failed = [rule.words for rule in rules if rule.passed is False]
    reason = "; ".join([*failed, compared.reason])
    return msgspec.structs.replace(
        compared, rules=[*compared.rules, *rules], passed=compared.passed and not failed, reason=reason
    )


def _rows(lake: Lake, model: Model, candidate: Trained, training_set: TrainingSet) -> "pl.DataFrame":
    """The newest rows that the candidate was tested on, or else was trained on, as users' functions see them."""
    tested = renewed(lake.get_frame(candidate.backtest), model.label)
    rows = tested if tested.height else renewed(lake.get_frame(training_set.rows_hash), model.label)
    named = declared(rows.tail(CHECK_ROWS), model.label)
    kept = {name for name, _ in model.features} | {model.label, "event_time"}
    return named.select(name for name in named.columns if name in kept)
