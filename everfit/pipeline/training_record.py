"""What a training leaves on its trackers: all that it is made from before the first fit, then its figures, then the verdict."""

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from everfit.declaration import Model
from everfit.declaration.metrics import Metric
from everfit.declaration.reserved_columns import CANDIDATE, LABEL, renewed
from everfit.evaluation.plots import calibration, intervals
from everfit.pipeline import provenance
from everfit.pipeline.trackers import Dataset, Tracker
from everfit.runtime import Runtime
from everfit.store.lake import Lake

if TYPE_CHECKING:
    from everfit.declaration.tasks import Curve
    from everfit.evaluation.rules import Rule
    from everfit.pipeline.manifests import Compared, Evaluation, TrainedModel, TrainingSet

TAG_CHARACTERS = 4_000  # below what MLflow takes
UNTRACKED = re.compile(r"[^\w.-]+", re.ASCII)  # what MLflow takes in no name of a metric


def begin(tracker: Tracker, runtime: Runtime, model: Model, given: "TrainingSet") -> None:
    """Record data, code, cause, settings and environment, so that a run that fails says what it tried."""
    import polars as pl

    tags = {"data_version": given.rows_hash, "code_version": given.code_version, "cause": given.cause, "reason": given.reason}
    made_with = provenance.provenance(model)
    tracker.log_tags({f"everfit.{name}": value for name, value in tags.items()} | provenance.tags(made_with))
    for candidate in model.candidates:
        tracker.log_params(flat(candidate.name, candidate.parameters()))
    baseline = model.task.baseline_figures(given.baseline)
    tracker.log_metrics({"rows": given.rows} | {UNTRACKED.sub("_", name): value for name, value in baseline.items()})
    tracker.log_document(msgspec.to_builtins(given), "training_set.json")
    for name, document in provenance.documents(made_with).items():
        tracker.log_document(document, name)
    path = runtime.lake.path(given.rows_hash, "parquet")
    columns = {name: str(kind) for name, kind in pl.read_parquet_schema(path).items()}
    tracker.log_dataset(Dataset(model.name, given.rows_hash, f"lake:{path.name}", given.rows, columns))


def finish(tracker: Tracker, runtime: Runtime, model: Model, made: "TrainedModel") -> str:
    """Record each candidate's figures and curve, and what was left out; returns the drawing of the curves."""
    for candidate in made.candidates:
        tracker.log_metrics({f"{candidate.name}.{name}": value for name, value in candidate.metrics.items()})
    tracker.log_document(left_out(made), "left_out.json")
    drawing = calibration(_curves(runtime, model, made))
    tracker.log_plot(drawing, "calibration.svg")
    return drawing


def judged(tracker: Tracker, model: Model, made: "Evaluation") -> str:
    """Record how each candidate compares with the champion, and the verdict; returns the drawing, empty without any."""
    tracker.log_tags({"everfit.winner": made.winner or "none", "everfit.verdict": made.reason[:TAG_CHARACTERS]})
    for compared in made.compared:
        bounds = interval(model.metric, compared) or ()
        difference = dict(zip(("difference_lower", "difference", "difference_upper"), bounds, strict=False))
        finite = {f"{compared.name}.{name}": value for name, value in difference.items() if math.isfinite(value)}
        tracker.log_metrics(finite | rule_figures(compared.rules, f"{compared.name}.gate."))
        tracker.log_tags(rule_tags(compared.rules, f"everfit.gate.{compared.name}."))
    tracker.log_document(msgspec.to_builtins(made), "evaluation.json")
    if not (shown := _bounds(model.metric, made)):
        return ""
    drawing = intervals(shown, _margin(model.metric, made))
    tracker.log_plot(drawing, "comparison.svg")
    return drawing


def keep_rejected(tracker: Tracker, lake: Lake, trained: "TrainedModel", made: "Evaluation") -> None:
    """Record the artifact of every candidate but the winner, which the registry keeps."""
    for candidate in trained.candidates:
        if candidate.name != made.winner and candidate.signature is not None:
            kind = candidate.signature.kind
            tracker.log_file(lake.get(candidate.artifact, kind), f"candidates/{candidate.name}.{kind}")


def rule_figures(rules: "Sequence[Rule]", prefix: str) -> dict[str, float]:
    """The finite figures of the rules, by ``{prefix}{rule}``."""
    figures = {rule.name: rule.figure for rule in rules if rule.figure is not None and math.isfinite(rule.figure)}
    return {prefix + UNTRACKED.sub("_", name): figure for name, figure in figures.items()}


def rule_tags(rules: "Sequence[Rule]", prefix: str) -> dict[str, str]:
    """Outcome and finding of the rules, by ``{prefix}{rule}``."""
    return {prefix + UNTRACKED.sub("_", rule.name): f"{rule.state}: {rule.words}"[:TAG_CHARACTERS] for rule in rules}


def flat(name: str, value: Any) -> dict[str, Any]:
    """A setting by its name; one that has parts as one each, ``{name}.{part}``."""
    if not isinstance(value, dict):
        return {name: value}
    return {key: each for part, inner in value.items() for key, each in flat(f"{name}.{part}", inner).items()}


def left_out(made: "TrainedModel") -> dict[str, str]:
    """What the data affected, and why: isolated candidates, folds and features left out, classes learnt otherwise."""
    values = {f"{name} set aside": reason for name, reason in made.set_aside.items()}
    for candidate in made.candidates:
        for what, reasons in (("features", candidate.left_out), ("folds", candidate.folds_left_out)):
            if reasons:
                joined = "; ".join(f"{each}: {why}" for each, why in reasons.items())
                values[f"{candidate.name}, {what} left out"] = joined
        if candidate.notes:
            values[f"{candidate.name}, learnt otherwise"] = "; ".join(candidate.notes)
    return values


def _curves(runtime: Runtime, model: Model, made: "TrainedModel") -> "dict[str, Curve]":
    """Each candidate's answers on the rolling origins against what came true; none where it was not tested."""
    tested = {each.name: renewed(runtime.lake.get_frame(each.backtest), model.label) for each in made.candidates}
    return {
        name: model.task.curve(rows[LABEL].to_numpy(), rows[CANDIDATE].to_numpy())
        for name, rows in tested.items()
        if rows.height
    }


def interval(metric: Metric, compared: "Compared") -> tuple[float, float, float] | None:
    """Bound, mean and bound of a candidate's difference, in the metric's own direction; None without a comparison."""
    if compared.lower is None or compared.mean is None or compared.upper is None:
        return None
    mean, lower, upper = metric.shown_interval(compared.mean, compared.lower, compared.upper)
    return lower, mean, upper


def _bounds(metric: Metric, made: "Evaluation") -> dict[str, tuple[float, float, float]]:
    """The interval of each candidate's difference from the champion, where it has finite ones."""
    found = {each.name: interval(metric, each) for each in made.compared}
    return {name: each for name, each in found.items() if each is not None and all(map(math.isfinite, each))}


def _margin(metric: Metric, made: "Evaluation") -> float:
    """What newer data might cost, in the metric's own direction; 0 without a comparison."""
    found = next((each.margin for each in made.compared if each.margin is not None), 0.0)
    return -found if metric.higher_is_better else found
