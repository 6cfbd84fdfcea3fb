"""Where a model's answers decide which outcomes are seen, a slice drawn by chance shows what it would never learn otherwise."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from everfit import (
    BatchScoring,
    BinaryClassification,
    Category,
    Exploration,
    FreshnessPolicy,
    GradientBoosting,
    Integer,
    Model,
    Number,
    Source,
    Time,
)
from everfit.declaration.reserved_columns import (
    DEGRADED,
    EVENT_TIME,
    EXPLORED,
    LABEL,
    OBSERVED_AT,
    REQUEST_ID,
    SCORE,
    WEIGHT,
)
from everfit.errors import DeclarationError
from everfit.evaluation.folds import Fold
from everfit.evaluation.intervals import daily_losses
from everfit.evidence import Evidence
from everfit.evidence.day_profile import profile_requests
from everfit.evidence.kinds import Performance
from everfit.evidence.performance import Expectation, judge_performance, matured
from everfit.evidence.propensity import drawn_by_chance, weighed
from everfit.evidence.triage import judge_labels
from everfit.pipeline.code_versions import stage_version
from everfit.pipeline.fit_rows import fold_rows
from everfit.serving.assignment import explored_share, is_challenged
from everfit.serving.counters import Metrics
from everfit.serving.exposures import Exposure, ExposureLog, Row
from everfit.serving.loaded_versions import ActiveVersions, Version
from everfit.serving.lookup import ViewFeatures
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.producer import Record
from everfit.serving.protocol import inferred, predicted
from everfit.serving.request_schema import CheckedRequest
from everfit.serving.service import Answered, Service
from everfit.serving.spool import Spool
from everfit.topics.events import Prediction
from everfit.training.artifact import Signature
from everfit.training.recipe_fit import fit_candidate
from everfit.training.row_weights import fit_weights
from monitors import live_comparison
from tests.serving import MemoryProducer

LIVE = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
SHARE = 0.1


def is_granted(answers: Any) -> Any:
    """What the client does: it refuses who probably will not repay, and then nobody learns whether they would have."""
    return answers < 0.5


def declared(exploration: Exploration | None = None, **fields: Any) -> Model:
    columns = [Integer("customer"), Category("town"), Number("income", nullable=True)]
    source = Source(name="loans", columns=[*columns, Time("asked_at")], identity=["customer"], event_time="asked_at")
    usual: dict[str, Any] = {
        "name": "loans",
        "task": BinaryClassification(label="defaulted"),
        "entity": "customer",
        "go_live": LIVE,
        "sources": [source],
        "request": columns,
        "history": lambda loans: loans,
        "candidates": [GradientBoosting(trees=20)],
        "freshness": FreshnessPolicy(max_training_age="90d"),
    }
    return Model(**usual | {"exploration": exploration} | fields)


class Loop:
    """Customers of two towns ask for loans: most of the north's defaulted before the go-live, and few do since.

    ``log`` has each answer with the outcome, where the client has granted the loan or was told to explore; ``truth`` has all.
    """

    def __init__(self, model: Model, weeks: int) -> None:
        self.model, self.random = model, np.random.default_rng(1)
        known = [self._asked(-1, north=0.8).with_columns(pl.lit(1.0).alias(EXPLORED), pl.lit(1.0).alias(WEIGHT))]
        self.log, self.truth, self.refused = pl.DataFrame(), pl.DataFrame(), []
        for week in range(weeks):
            columns = [name for name in known[0].columns if model.exploration or name not in (EXPLORED, WEIGHT)]
            fitted = fit_candidate(model, model.candidates[0], pl.concat([rows.select(columns) for rows in known]))
            self.truth = self._answered(self._asked(week, north=0.1), fitted)
            is_seen = is_granted(pl.col(SCORE)) | (pl.col(EXPLORED) > 0)
            self.log = self.truth.with_columns(pl.when(is_seen).then(LABEL).alias(LABEL))
            known.append(weighed(model, self.log.filter(pl.col(LABEL).is_not_null())))
            self.refused.append(1 - is_granted(self.truth[SCORE]).mean())

    def _asked(self, week: int, *, north: float) -> pl.DataFrame:
        town = self.random.choice(["north", "south"], 3_000)
        at = [LIVE + (7 * week + int(day)) * DAY for day in np.arange(3_000) * 7 // 3_000]
        defaulted = self.random.random(3_000) < np.where(town == "north", north, 0.1)
        customers = self.random.integers(0, 10**9, 3_000)
        incomes = np.ones(3_000)
        return pl.DataFrame({"customer": customers, "town": town, "income": incomes, EVENT_TIME: at, LABEL: defaulted * 1.0})

    def _answered(self, asked: pl.DataFrame, fitted: Any) -> pl.DataFrame:
        explored = [explored_share(self.model, row) for row in asked.iter_rows(named=True)]
        return asked.with_columns(pl.Series(SCORE, fitted.predict(asked)), pl.Series(EXPLORED, explored, dtype=pl.Float64))

    def verdict(self) -> str:
        """Of performance on the last week, where the history's loss is expected."""
        return judged(self.model, self.log).verdict


def judged(model: Model, rows: pl.DataFrame) -> Evidence:
    known = matured(model, rows, LIVE + 365 * DAY)
    rows_of = known.days, known.labels, known.answers
    return judge_performance(model.metric, *rows_of, expected=Expectation(0.41), min_rows=100, weights=known.weights)


def test_a_loop_locks_in_without_it() -> None:
    loop = Loop(declared(), weeks=4)
    assert [round(share, 1) for share in loop.refused] == [0.5] * 4, "the north is refused for good"
    assert Loop(declared(), weeks=1).verdict() == "ok", "and nothing that is seen says so"


@pytest.mark.parametrize("seen", [is_granted, None])
def test_a_loop_gets_free_with_it(seen: Callable[[Any], Any] | None) -> None:
    model = declared(Exploration(share=SHARE, seen=seen))
    assert Loop(model, weeks=1).verdict() == "alarm"
    assert [round(share, 1) for share in Loop(model, weeks=4).refused][::3] == [0.5, 0.0]


@pytest.mark.parametrize("seen", [is_granted, None])
def test_what_counts_tells_of_all_that_were_asked(seen: Callable[[Any], Any] | None) -> None:
    """The loss of those that were seen is far from that of all; with the weights, and of the explored alone, it is near."""
    loop = Loop(declared(Exploration(share=SHARE, seen=seen)), weeks=1)
    losses = loop.model.task.losses(loop.truth[LABEL].to_numpy(), loop.truth[SCORE].to_numpy())
    alone = losses[loop.log[LABEL].is_not_null().to_numpy()].mean()
    explored = drawn_by_chance(loop.model, loop.log)
    of_explored = loop.model.metric.loss(explored[LABEL].to_numpy(), explored[SCORE].to_numpy())
    assert (losses.mean(), alone) == (pytest.approx(0.83, abs=0.02), pytest.approx(0.42, abs=0.03))
    assert judged(loop.model, loop.log).detail["mean"] == pytest.approx(losses.mean(), abs=0.06)
    assert of_explored == pytest.approx(losses.mean(), abs=0.06)
    assert drawn_by_chance(declared(), loop.log) is loop.log


def test_folds_learn_from_all_that_counts_and_are_judged_on_the_explored(tmp_path: Path) -> None:
    hours = [LIVE + timedelta(hours=hour) for hour in range(48)]
    columns = {EVENT_TIME: hours, OBSERVED_AT: hours, EXPLORED: [0.0, 0.1, 0.0] * 16}
    rows, origins = pl.DataFrame(columns), [Fold(LIVE + DAY, LIVE + 2 * DAY)]
    for exploration, scored in ((Exploration(share=SHARE), 8), (None, 24)):
        fold = next(fold_rows(declared(exploration), rows, origins, tmp_path))
        assert (pl.read_ipc(fold.known).height, fold.scored.height) == (24, scored)


@pytest.mark.parametrize(("exploration", "verdict"), [(Exploration(share=0.04), "ok"), (None, "alarm")])
def test_a_day_whose_outcomes_come_of_explored_rows_alone_is_not_broken(exploration: Any, verdict: str) -> None:
    """Without exploration so few mean that outcomes have stopped."""
    model, random = declared(exploration), np.random.default_rng(2)
    asked = pl.DataFrame({EVENT_TIME: [LIVE - 30 * DAY + row * DAY / 500 for row in range(30 * 500)]})
    score = random.random(asked.height)
    labels = pl.Series(LABEL, (random.random(asked.height) < score) * 1.0)
    known = asked.with_columns(labels, pl.Series(SCORE, score), *[pl.lit(1.0).alias(name) for name in ("customer", "income")])
    profile = profile_requests(model, known.with_columns(pl.lit("north").alias("town")))
    explored = pl.when(pl.int_range(500) % 25 == 0).then(0.04).otherwise(0.0)
    today = known.tail(500).with_columns(explored.alias(EXPLORED))
    logged = today.with_columns(pl.when(pl.col(EXPLORED) > 0).then(LABEL).alias(LABEL))
    assert judge_labels(model, profile, LIVE.date(), logged).verdict == verdict


def test_performance_says_how_rows_count() -> None:
    model = declared(Exploration(share=SHARE, seen=is_granted))
    given = {
        "rows": Loop(model, weeks=1).log,
        "complete_at": LIVE + 365 * DAY,
        "sampling": {},
        "quarantined_rows": 0,
        "expectation": Expectation(0.41),
    }
    window: Any = SimpleNamespace(model=model, **given)
    found = Performance().judge(window)
    assert (found.verdict, "labels, each weighed by how probable it was to be seen; the" in found.reason) == ("alarm", True)


@pytest.mark.parametrize(("others", "missing"), [(50, 0.5), (49, 0.0)])
def test_a_rollout_is_watched_on_the_explored(others: int, missing: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the others the version has no outcome, as it refuses more; that is no fault of its own."""
    columns = {REQUEST_ID: [str(number) for number in range(150)], EVENT_TIME: LIVE, DEGRADED: False}
    labels = pl.Series(LABEL, [1.0, None] * 25 + [None] * 100)

    def rows(explored: int, score: float) -> pl.DataFrame:
        is_explored = (pl.int_range(pl.len()) < explored).cast(pl.Float64)
        return pl.DataFrame(columns).with_columns(labels, is_explored.alias(EXPLORED), pl.lit(score).alias(SCORE))

    versions = {2: rows(50, 0.9), 1: rows(others, 0.5)}
    monkeypatch.setattr(live_comparison, "_counts", lambda *_: {})
    monkeypatch.setattr(live_comparison, "_asked", lambda *_: 0)
    monkeypatch.setattr(live_comparison, "_answers", lambda connection, model, span, version, counts: versions[version])
    rollout: Any = SimpleNamespace(version=2, replaces=1, stage=SimpleNamespace(kind="canary"))
    connection: Any = None
    day = live_comparison.live_day(connection, declared(Exploration(share=0.5)), rollout, LIVE)
    assert (day.missing, day.other_missing) == (missing, missing)
    assert day.difference == pytest.approx(np.log(0.5 / 0.9))
    assert live_comparison.live_day(connection, declared(), rollout, LIVE).missing > 0.8


def test_a_row_counts_by_how_probable_it_was_to_be_seen() -> None:
    """By the share when it was answered; an outcome that came though it should not be seen counts nothing."""
    rows = pl.DataFrame({SCORE: [0.1, 0.1, 0.9, 0.9, 0.9], EXPLORED: [0.0, 0.05, 0.05, 0.2, 0.0]})
    assert weighed(declared(Exploration(share=0.5, seen=is_granted)), rows)[WEIGHT].to_list() == [1, 1, 20, 5]
    assert weighed(declared(Exploration(share=0.5)), rows)[WEIGHT].to_list() == [20, 20, 5]
    assert weighed(declared(), rows) is rows


def test_weights_of_the_model_and_of_exploration_are_multiplied() -> None:
    rows = pl.DataFrame({LABEL: [0.0, 1.0], WEIGHT: [1.0, 20.0]})
    task = declared().task
    assert fit_weights(lambda rows: 1 + rows["defaulted"], rows, task).tolist() == [1, 40]  # type: ignore[union-attr]
    assert fit_weights(None, rows, task).tolist() == [1, 20]  # type: ignore[union-attr]
    assert fit_weights(None, rows.drop(WEIGHT), task) is None


@pytest.mark.parametrize("metric", [declared().metric, "auc"])
def test_a_row_of_weight_two_is_two_rows(metric: Any) -> None:
    metric = declared(metric=metric).metric
    days, labels, answers = np.repeat([0, 1, 2], 4), np.tile([1.0, 0.0], 6), np.linspace(0.2, 0.8, 12) ** 2
    weights = np.tile([1.0, 2.0, 1.0, 1.0], 3)
    twice = [np.repeat(each, weights.astype(int)) for each in (days, labels, answers)]
    assert daily_losses(metric, days, labels, answers, weights=weights) == pytest.approx(daily_losses(metric, *twice))


def test_the_slice_is_of_the_share_sticks_and_is_none_of_a_rollouts() -> None:
    model = declared(Exploration(share=SHARE))
    asked = [{"customer": number, "town": "north"} for number in range(20_000)]
    explored = {row["customer"] for row in asked if explored_share(model, row)}
    tried = [number for number in explored if is_challenged("loans", 2, 0.5, str(number))]
    assert len(explored) / 20_000 == pytest.approx(SHARE, abs=0.01)
    assert len(tried) / len(explored) == pytest.approx(0.5, abs=0.05)
    assert {row["customer"] for row in reversed(asked) if explored_share(model, row) == SHARE} == explored
    assert not any(explored_share(declared(), row) for row in asked[:100])


def test_the_log_has_the_share_and_the_client_is_told(tmp_path: Path) -> None:
    model, producer = declared(Exploration(share=SHARE)), MemoryProducer()
    log = PredictionLog(producer, Spool(tmp_path / "spool.jsonl"))
    scorer: Any = SimpleNamespace(signature=Signature.of(model))
    inputs: dict[str, Any] = {"customer": 1, "town": "north", "income": None}
    rows = [Row("r1", "1", inputs, False, SHARE), Row("r2", "1", inputs, False)]
    exposures, exposure = (
        ExposureLog({"loans": model}, log, Metrics()),
        Exposure(model, "shadow", Version(3, scorer), LIVE, rows),
    )
    exposures.add(exposure, exposures.records(exposure, [0.5, 0.5]))
    log.close()
    assert [decoded(record).explored for record in producer.taken] == [SHARE, msgspec.UNSET]
    asked, answered = (
        CheckedRequest("r", LIVE, ["r1", "r2"], [{}, {}]),
        Answered([3, 3], [0.5, 0.5], [False, False], [True, False]),
    )
    assert predicted(model, asked, answered)["explored"] is True
    assert inferred(model, asked, answered)["parameters"]["explored"] == [True, False]
    assert "explored" not in predicted(declared(), asked, answered) | inferred(declared(), asked, answered)["parameters"]


def test_serving_marks_the_rows_of_explored_units_for_every_version_and_tells_the_client(tmp_path: Path) -> None:
    model, producer = declared(Exploration(share=0.3, unit="customer")), MemoryProducer()
    log = PredictionLog(producer, Spool(tmp_path / "spool.jsonl"))
    scorer: Any = HalfScorer(model)
    one, two = Version(1, scorer), Version(2, scorer)
    inputs = SimpleNamespace(readings=[], degraded=False, values=lambda row, features: row)
    cache: Any = SimpleNamespace(active={"loans": ActiveVersions(one, two, 0.5)})
    views: Any = SimpleNamespace(inputs=lambda model, signature: inputs)
    lookup: Any = SimpleNamespace(features_of=partial(nothing_read, 40))
    service = Service({"loans": model}, cache, views, lookup, log, Metrics())
    rows = [{"customer": number, "town": "north", "income": None} for number in range(40)]
    asked = CheckedRequest("r", LIVE, [f"r{row['customer']}" for row in rows], rows)
    answered = asyncio.run(settled(service, model, asked))
    log.close()
    expected = [explored_share(model, row) > 0 for row in rows]
    assert answered.explored == expected
    assert set(zip(answered.versions, expected, strict=True)) == {(1, True), (1, False), (2, True), (2, False)}
    marks = {(event.request_id, event.version): event.explored for event in map(decoded, producer.taken)}
    by_challenger = answered.versions.count(2)
    assert len(marks) == 40 + by_challenger, "the champion answers along where the challenger answers"
    shares = dict(zip(asked.ids, [0.3 if explored else msgspec.UNSET for explored in expected], strict=True))
    assert all(mark == shares[request] for (request, _), mark in marks.items())


class HalfScorer:
    """Answers 0.5 to every row."""

    def __init__(self, model: Model) -> None:
        self.signature = Signature.of(model)

    def score_one(self, row: Any) -> float:
        return 0.5


async def settled(service: Service, model: Model, request: CheckedRequest) -> Answered:
    answered = await service.answer(model, request)
    await service.settled()
    return answered


async def nothing_read(rows: int, readings: Any, *_: Any) -> list[list[ViewFeatures]]:
    return [[ViewFeatures({}, degraded=False)] * rows for _ in readings]


def decoded(record: Record) -> Prediction:
    return msgspec.json.decode(record.value, type=Prediction)


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (
            lambda: Exploration(share=5),
            "Exploration: share: 5 is no share to explore; give one above 0 and below 1, such as 0.05",
        ),
        (lambda: Exploration(share=0), "share: 0 is no share to explore"),
        (lambda: Exploration(share=1), "share: 1 is no share to explore"),
        (lambda: Exploration(share=0.1, seen=lambda: True), "seen: it cannot be called as seen(answers): too many positional"),
        (
            lambda: declared(Exploration(share=0.1, unit="person")),
            "exploration: unit 'person' is no request field; the request has customer, town, income",
        ),
        (
            lambda: declared(Exploration(share=0.1, unit="income")),
            "exploration: unit 'income' is nullable, and a request without it would never be explored; take a field",
        ),
        (
            lambda: declared(Exploration(share=0.1), batch=BatchScoring(requests=declared().sources[0])),
            "exploration: a table that is scored daily has no client that would let explored rows through",
        ),
    ],
)
def test_what_cannot_be_explored_is_refused(build: Callable[[], object], told: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        build()
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (lambda answers: answers["score"], "seen: .*"),
        (
            lambda answers: answers * 1.0,
            r"<lambda>\(answers\) returns float64 of shape \[2\] for 2 rows; return a boolean for each",
        ),
        (lambda answers: True, r"returns bool of shape \[\] for 2 rows"),
    ],
)
def test_what_is_no_boolean_a_row_is_refused(seen: Any, told: str) -> None:
    with pytest.raises(
        DeclarationError, match=told.replace("seen: .*", r"<lambda>\(answers\) fails by IndexError: .*; return a")
    ):
        weighed(declared(Exploration(share=0.1, seen=seen)), pl.DataFrame({SCORE: [0.1, 0.2], EXPLORED: [0.0, 0.0]}))


def test_another_seen_makes_the_training_set_out_of_date_and_no_exploration_changes_nothing() -> None:
    versions = [
        stage_version(declared(exploration), "training_set")
        for exploration in (None, Exploration(share=0.1), Exploration(share=0.2), Exploration(share=0.1, seen=is_granted))
    ]
    assert versions[1] == versions[2], "the share is of the log"
    assert len(set(versions)) == 3
