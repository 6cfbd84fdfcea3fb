"""`everfit check`: each fault of a declaration or of its data is a remark with the value and what to do."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import narwhals.stable.v2 as nw
import polars as pl
import pytest

from everfit import (
    BinaryClassification,
    Category,
    DriftPolicy,
    FreshnessPolicy,
    GradientBoosting,
    Model,
    MulticlassClassification,
    Number,
    Recipe,
    Source,
    Time,
    TrainingWindow,
    feature_view,
    latest,
)
from everfit.review.declaration_review import Review, review
from everfit.review.remark import Remark

HOURS, START = 40 * 24, datetime(2025, 1, 6, tzinfo=UTC)
FEW = GradientBoosting(trees=2)


class Failing(Recipe):
    """A recipe that cannot be fitted."""

    name: str = "failing"

    def fit(self, rows: Any, context: Any) -> Any:
        raise RuntimeError("no such column")


def readings() -> pl.DataFrame:
    """Forty days of hours of a pump: heat, noise and whether it stopped."""
    number = pl.int_range(HOURS, eager=True)
    noise = (number * 7919 % 101) / 101
    return pl.DataFrame(
        {
            "hour": [START + timedelta(hours=n) for n in range(HOURS)],
            "pump": "p1",
            "heat": noise,
            "stopped": ((noise + (number * 104_729 % 97) / 97) > 1.2).cast(pl.Float64),
        }
    )


def made(
    rows: pl.DataFrame,
    *,
    history: Callable[[Any], Any] | None = None,
    known: str = "60m",
    features: Any = None,
    **changes: Any,
) -> Model:
    """A model over these rows."""
    source = Source(
        name="readings",
        columns=[Time("hour"), Category("pump"), Number("heat", description="heat"), Number("stopped", nullable=True)],
        identity=["hour", "pump"],
        event_time="hour",
        known_after="1h",
        recorded=lambda: rows,
    )

    @feature_view(key="pump", known_at="out_at", features=features or latest("heat"))
    def now(readings: Any) -> Any:
        return readings.with_columns(out_at=nw.col("hour").dt.offset_by(known), given=nw.col("stopped"))

    def asked(readings: Any) -> Any:
        hour = nw.col("hour")
        return readings.with_columns(event_time=hour, observed_at=hour.dt.offset_by("1h"))

    declared: dict[str, Any] = {
        "name": "pump_stop",
        "task": BinaryClassification(label="stopped"),
        "entity": "pump",
        "go_live": "2025-02-01",
        "sources": [source],
        "request": [Category("pump", description="the pump")],
        "views": [now],
        "history": history or _reading(asked),
        "candidates": [FEW],
        "training": TrainingWindow(label_delay="1h"),
        "drift": DriftPolicy(window="7d", min_rows=100),
        "freshness": FreshnessPolicy(max_training_age="28d"),
    }
    return Model(**declared | changes)


def _reading(asked: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def history(readings: Any) -> Any:
        return asked(readings)

    return history


def remarks(review: Review, severity: str) -> list[Remark]:
    return [remark for remark in review.remarks if remark.severity == severity]


def only(review: Review, severity: str, subject: str) -> Remark:
    (remark,) = [each for each in remarks(review, severity) if each.subject == subject]
    assert remark.todo
    return remark


def test_what_is_sound_has_no_error_and_its_figures() -> None:
    seen = review(made(readings()))
    assert not seen.has_errors
    assert remarks(seen, "warning") == []
    assert list(seen.label_by_month) == ["2025-01", "2025-02"]
    assert seen.expected
    assert seen.expected.rows == 26 * 24
    assert seen.expected.seconds["gradient_boosting"] > 0
    assert "always 'p1'" in only(seen, "note", "feature pump").what


def test_naive_times_are_named_with_the_row() -> None:
    seen = review(made(readings().with_columns(pl.col("hour").dt.replace_time_zone(None))))
    assert seen.has_errors
    assert seen.expected is None
    what = only(seen, "error", "source readings").what
    assert what.startswith("source readings, row 1, column 'hour': datetime.datetime(2025, 1, 6, 0, 0) does not fit")
    assert "has no time zone; end it with Z or an offset" in what


def test_a_history_without_time_zones_is_told_with_the_time_and_what_to_write() -> None:
    def naive(readings: Any) -> Any:
        hour = nw.col("hour").dt.replace_time_zone(None)
        return readings.with_columns(event_time=nw.col("hour"), observed_at=hour)

    assert only(review(made(readings(), history=naive)), "error", "history and views").what == (
        "pump_stop: its history makes 'observed_at' without a time zone, such as 2025-01-06 00:00:00; say which it is, "
        "such as by nw.col('observed_at').dt.replace_time_zone('UTC')"
    )


def test_a_wrong_type_and_a_record_that_cannot_be_read() -> None:
    wrong = review(made(readings().with_columns(heat=pl.lit("warm"))))
    assert "column 'heat': 'warm' does not fit" in only(wrong, "error", "source readings").what
    model = made(readings())
    source = model.sources[0].model_copy(update={"recorded": lambda: pl.read_csv("not/there.csv")})
    lost = review(model.model_copy(update={"sources": [source]}))
    assert "FileNotFoundError" in only(lost, "error", "source readings").what


def test_repeated_rows_of_an_identity() -> None:
    rows = readings()
    copies = review(made(pl.concat([rows, rows.head(3)])))
    assert only(copies, "note", "source readings").what == "3 rows are exact copies of another"
    differ = review(made(pl.concat([rows, rows.head(2).with_columns(heat=pl.lit(0.5))])))
    assert only(differ, "warning", "source readings").what.startswith(
        "2 rows have the hour, pump of another and differ, such as"
    )


def test_two_requests_of_one_moment() -> None:
    def doubled(readings: Any) -> Any:
        rows = readings.with_columns(event_time=nw.col("hour"), observed_at=nw.col("hour"))
        return nw.concat([rows, rows.head(1)])

    what = only(review(made(readings(), history=doubled)), "error", "history and views").what
    assert "its history makes 2 requests that share event time and pump" in what


def test_a_source_without_a_record() -> None:
    model = made(readings())
    source = model.sources[0].model_copy(update={"recorded": None})
    seen = review(model.model_copy(update={"sources": [source]}))
    assert "no recorded rows" in only(seen, "warning", "source readings").what
    assert only(seen, "error", "label stopped").what == "history makes no row"


@pytest.mark.parametrize(
    ("go_live", "severity", "said"),
    [
        ("2025-01-01", "error", "no label was known by go_live 2025-01-01 00:00: the first version has nothing to learn from"),
        ("2026-01-01", "warning", "go_live 2026-01-01 00:00 lies after all data: the rows are of 2025-01-06 to 2025-02-14"),
        ("2025-01-09", "warning", "3 days have labels by the go_live, and the gate judges on 7"),
    ],
)
def test_a_go_live_that_does_not_fit_the_data(go_live: str, severity: str, said: str) -> None:
    assert only(review(made(readings(), go_live=go_live)), severity, "go_live").what.startswith(said)


def named(readings: Any) -> Any:
    """A history whose label is a class."""
    hour, stopped = nw.col("hour"), nw.col("stopped") == 1
    kind = nw.when(stopped).then(nw.lit("storm")).otherwise(nw.lit("calm"))
    return readings.with_columns(event_time=hour, observed_at=hour.dt.offset_by("1h"), kind=kind)


def test_labels_that_are_none_rare_or_of_one_kind() -> None:
    third = readings().with_columns(stopped=pl.when(pl.col("stopped") == 1).then(2.0).otherwise("stopped"))
    assert only(review(made(third)), "error", "label stopped").what.endswith("have a label such as 2.0, no 0 or 1")
    same = only(review(made(readings().with_columns(stopped=pl.lit(0.0)))), "error", "go_live")
    assert "must hold both 0 and 1" in same.what
    rare = readings().with_columns(stopped=(pl.int_range(HOURS) % 100 == 0).cast(pl.Float64))
    assert (
        "too rare to learn, with fewer than 30 of 960 rows: 1.0 (10 rows)"
        in only(review(made(rare)), "warning", "label stopped").what
    )
    for merged in (None, "merge"):
        kinds = MulticlassClassification("kind", ["calm", "storm"], rare=merged)
        told = [each.what for each in remarks(review(made(rare, task=kinds, history=named)), "warning")]
        assert ("too rare to learn, with fewer than 30 of 960 rows: storm (10 rows)" in told) == (merged is None), told
    assert only(review(made(rare)), "warning", "label stopped").todo == "collect more rows before going live"
    unlabelled = readings().with_columns(stopped=pl.when(pl.int_range(HOURS) > 5).then("stopped"))
    assert only(review(made(unlabelled)), "warning", "label stopped").what.startswith("6 of 960 rows have no label")


def test_classes_without_rows_are_told_with_how_to_learn_them_unless_that_is_declared() -> None:
    def states(readings: Any) -> Any:
        hour, state = nw.col("hour"), nw.when(nw.col("stopped") == 1).then(nw.lit("off")).otherwise(nw.lit("on"))
        return readings.with_columns(event_time=hour, observed_at=hour.dt.offset_by("1h"), state=state)

    task = MulticlassClassification("state", ("on", "off", "broken"))
    told = only(review(made(readings(), task=task, history=states)), "warning", "label state")
    assert "too rare to learn, with fewer than 30 of 960 rows: broken (0 rows)" in told.what
    assert told.todo.startswith("merge rare classes (rare='merge')")
    merged = MulticlassClassification("state", ("on", "off", "broken"), rare="merge")
    assert not [each for each in review(made(readings(), task=merged, history=states)).remarks if each.subject == "label state"]


def test_labels_that_come_late_or_before_their_request() -> None:
    late = review(made(readings(), training=TrainingWindow(label_delay="30m")))
    assert "100.0% of the labels come later than training.label_delay of 30m" in only(late, "warning", "label stopped").what

    def early(readings: Any) -> Any:
        return readings.with_columns(event_time=nw.col("hour"), observed_at=nw.col("hour").dt.offset_by("-1h"))

    assert "960 labels are known before" in only(review(made(readings(), history=early)), "error", "label stopped").what


def test_days_without_labels_and_windows_with_few_rows() -> None:
    gap = readings().filter(~pl.col("hour").dt.date().is_between(date(2025, 1, 10), date(2025, 1, 11)))
    assert only(review(made(gap)), "warning", "label stopped").what == "2 of 40 days have no label: 2025-01-10, 2025-01-11"
    thin = only(review(made(readings(), drift=DriftPolicy(window="1d", min_rows=50))), "warning", "drift.window")
    assert thin.what == "38 of 38 windows of 1d hold fewer than min_rows=50, half of them at most 24"


def test_a_feature_that_gives_the_label_away() -> None:
    leak = review(made(readings(), known="0m", features=latest("given") | latest("heat", description="heat")))
    assert only(leak, "error", "feature given").what == "equals the label in every row"
    assert [remark.subject for remark in remarks(leak, "error") if remark.subject == "feature heat"] == []
    scaled = made(readings().with_columns(heat=0.001 + pl.col("stopped") * 3), known="0m")
    assert only(review(scaled), "error", "feature heat").what.startswith("suspiciously good: alone it takes away 100%")


def test_a_view_that_knows_a_row_before_it_is_published() -> None:
    what = only(review(made(readings(), known="30m")), "error", "view now").what
    assert what == "960 rows are known by out_at before readings publishes them, 1h after hour"


def test_null_features_undescribed_ones_and_a_recipe_that_fails() -> None:
    seen = review(made(readings(), features=latest("heat", "given"), candidates=[FEW, Failing()]))
    assert only(seen, "note", "features").what == "1 have no description: given"
    assert "fails: RuntimeError: no such column" in only(seen, "error", "recipe failing").what
    unkeyed = readings().with_columns(stopped=pl.when(pl.int_range(HOURS) % 10 == 0).then("stopped"))
    assert "of its values are null" in only(review(made(unkeyed, features=latest("given"))), "warning", "feature given").what
