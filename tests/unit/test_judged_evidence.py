"""Backtest days with one outcome alone, or without rows, end in a verdict in words; trials are part of every verdict."""

import dataclasses
import math
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import polars as pl
import pytest

from everfit import AUC, Gate, Model
from everfit.declaration.input_kinds import frame_type
from everfit.declaration.reserved_columns import CANDIDATE, EVENT_TIME, LABEL
from everfit.environment.formats import read
from everfit.errors import MetricError
from everfit.evaluation.rules import Rule, verdict
from everfit.pipeline import evaluation
from everfit.pipeline.evaluation import evaluate
from everfit.pipeline.expectation import expectation
from everfit.pipeline.manifests import Compared, Evaluation, TrainedModel, Version
from everfit.pipeline.trackers import Tracker
from everfit.pipeline.training_record import judged as judged_record
from everfit.runtime import Runtime
from everfit.store import ledger, verdicts
from everfit.store.lake import Lake
from everfit.training.artifact import Signature
from tests import behaviours
from tests.events import MODEL
from tests.serving import graph
from tests.versions import CUTOFF, training_set, untrained

TIME = pl.Datetime("us", "UTC")
RANDOM = np.random.default_rng(5)


def backtested(model: Model, labels: Any) -> pl.DataFrame:
    """Rows of the newest days with a candidate that is right in most of them; an hour apart."""
    number = len(labels)
    features = {name: pl.Series([None] * number, dtype=frame_type(kind)) for name, kind in model.features}
    own = {
        EVENT_TIME: pl.Series([CUTOFF - timedelta(hours=number - hour) for hour in range(number)], dtype=TIME),
        LABEL: pl.Series(labels, dtype=pl.Float64),
        CANDIDATE: pl.Series(np.where(RANDOM.random(number) < 0.9, 0.2 + 0.6 * np.asarray(labels), 0.5), dtype=pl.Float64),
    }
    return pl.DataFrame(features | own)


def judged(folder: Path, monkeypatch: pytest.MonkeyPatch, model: Model, labels: Any, **given_with: Any) -> Compared:
    """The verdict on a first candidate that was tested on rows with these labels."""
    monkeypatch.setattr(ledger, "champion", lambda *_: None)
    monkeypatch.setattr(verdicts, "spent", lambda *_: 0.0)
    lake, rows = Lake(folder), backtested(model, labels)
    given = training_set(
        model, cutoff=CUTOFF, cause="person", reason="", rows_hash=lake.put_frame(backtested(model, [0.0, 1.0])), **given_with
    )
    artifact, backtest = lake.put(graph(model, 0.0), "onnx"), lake.put_frame(rows)
    version = untrained(model, name="mlp", artifact=artifact, backtest=backtest, reference="", signature=Signature.of(model))
    trained = TrainedModel(training_set=lake.put_json(given), champion=None, candidates=[version.candidate])
    runtime = cast("Runtime", SimpleNamespace(lake=lake, engine=SimpleNamespace(connect=nullcontext)))
    (compared,) = evaluate(runtime, model, trained, "hash").compared
    return compared


@pytest.mark.parametrize(
    ("labels", "fields", "passed", "told"),
    [
        ([0.0, 1.0] * 168, {}, True, "first champion: log loss 0."),
        ([1.0] * 336, {}, True, "first champion: log loss 0."),
        ([1.0] * 336, {"declared_metric": AUC()}, False, "AUC cannot be computed: the 336 labels to judge by are all 1.0"),
        ([1.0] * 336, {"gate": Gate(require={"auc": 0.7})}, False, "auc has no value on these rows, such as an AUC of one "),
        ([], {}, False, "0 days with rows, fewer than 7, can be judged"),
    ],
    ids=["both", "one", "one for a rank", "one for a required rank", "none"],
)
def test_days_of_one_outcome_and_days_without_rows_end_in_words(
    labels: Any, fields: dict[str, Any], passed: bool, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = judged(tmp_path, monkeypatch, MODEL.model_copy(update=fields), labels)
    assert (compared.passed, compared.reason[: len(told)]) == (passed, told)
    assert {"servable", "memory", "robustness"} <= {rule.name for rule in compared.rules}, "it is tried in any case"


def test_days_quarantined_since_a_first_look_count_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quarantined = [(CUTOFF - timedelta(days=9), CUTOFF - timedelta(days=1))]
    compared = judged(tmp_path, monkeypatch, MODEL, [0.0, 1.0] * 168, quarantined=quarantined)
    told = "6 days with rows, fewer than 7, can be judged"
    assert (compared.passed, compared.reason[: len(told)]) == (False, told)


def test_labels_of_one_outcome_leave_a_rank_open_and_a_broken_metric_rejects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next days may hold both outcomes; a function that fails is to be repaired."""
    model, lake = MODEL.model_copy(update={"declared_metric": AUC()}), Lake(tmp_path)
    tested = backtested(model, [1.0] * 336)
    against = gate(lake, model)
    assert against.current is not None
    candidate = msgspec.structs.replace(against.current.candidate, backtest=lake.put_frame(tested))
    champions = SimpleNamespace(training_set=SimpleNamespace(cutoff=tested[EVENT_TIME].min()))
    against = dataclasses.replace(against, current=cast("Version", champions))
    enough = Rule(name="days", figure=14, allowed=7, passed=True, words="14 days")
    monkeypatch.setattr(evaluation, "judged_days", lambda *_, **__: enough)
    monkeypatch.setattr(evaluation, "_champion_answers", lambda *_: (np.full(336, 0.5), ""))
    waiting = evaluation._compare(against, candidate)
    assert verdict(waiting.rules) == "inconclusive"
    alike = "AUC cannot be computed: the 336 labels to judge by are all 1.0; it waits for days on which they differ"
    assert waiting.reason == alike
    monkeypatch.setattr(evaluation, "_champion_answers", fails)
    assert verdict(evaluation._compare(against, candidate).rules) == "rejected"


def fails(*_: Any) -> None:
    raise MetricError("it fails by ZeroDivisionError")


def test_a_check_that_finds_something_rejects_the_first_champion_and_is_told_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = MODEL.model_copy(update={"gate": Gate(checks=[behaviours.says_true])})
    compared = judged(tmp_path, monkeypatch, model, [0.0, 1.0] * 168)
    assert compared.passed is False
    assert compared.reason.startswith("says_true: it returns True; ")
    assert "; first champion: log loss" in compared.reason


def gate(lake: Lake, model: Model) -> evaluation._Gate:
    """That of a candidate against a champion without a backtest of its own."""
    runtime = cast("Runtime", SimpleNamespace(lake=lake))
    champion = untrained(model, reference="", backtest=lake.put_frame(pl.DataFrame()))
    return evaluation._Gate(
        runtime, model, training_set(model, cutoff=CUTOFF, cause="drift", reason=""), champion, 0.1, "drift"
    )


UNSEEN = Rule(name="days", figure=0, passed=True, words="not judged")


def test_a_champion_that_promised_nothing_by_a_changed_metric_makes_a_candidate_wait(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    changed = MODEL.model_copy(update={"declared_metric": AUC()})
    against = gate(lake, changed)
    assert against.current is not None
    candidate = against.current.candidate
    with pytest.raises(MetricError, match="AUC has no value on the 0 rows of the champion's own backtest"):
        expectation(lake, changed, against.current)
    found = evaluation._unseen(against, candidate, UNSEEN)
    assert (verdict(found.rules), found.reason) == (
        "inconclusive",
        "not judged: AUC has no value on the 0 rows of the champion's own backtest; it waits for days",
    )
    assert read(msgspec.json.encode(found), Compared, "kept") == found
    assert evaluation._unseen(gate(lake, MODEL), candidate, UNSEEN).loss == 0.6


def test_what_cannot_be_computed_costs_nothing_of_the_budget_and_is_not_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, tested = Lake(tmp_path), backtested(MODEL, [1.0] * 48)
    against = gate(lake, MODEL)
    assert against.current is not None
    tested = tested.with_columns(pl.lit(0.6).alias(CANDIDATE))
    monkeypatch.setattr(evaluation, "_champion_answers", lambda *_: (np.full(48, 0.5), ""))
    found = evaluation._against(against, against.current.candidate, tested, against.current, UNSEEN)
    assert found.days == 2
    assert (found.p_value, found.lower, found.upper, found.passed) == (None, -math.inf, math.inf, False)
    assert found.rules[0].passed is None
    made = Evaluation(trained_model="", champion=1, compared=[found], winner=None, reason="")
    assert judged_record(Tracker(), MODEL, made) == ""
