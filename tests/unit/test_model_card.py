"""The card of a version: what it says, and what of it MLflow takes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import polars as pl
import pytest

from everfit.declaration import Model
from everfit.declaration.reserved_columns import CANDIDATE, EVENT_TIME, LABEL
from everfit.evaluation.rules import Rule
from everfit.pipeline.manifests import Compared, Version
from everfit.pipeline.model_card import card, publish_card
from everfit.pipeline.provenance import provenance
from everfit.registry.mlflow_registry import DESCRIPTION_CHARACTERS, REST, shortened
from everfit.runtime import Runtime
from everfit.store.lake import Lake
from everfit.store.ledger import VersionStep
from tests.events import MODEL
from tests.versions import described

DAY = datetime(1996, 9, 4, tzinfo=UTC)


def answered(days: int) -> pl.DataFrame:
    """Two rows a day, one on each of two weekdays; the answers are right, and surer on the first, each time alike."""
    times = [DAY + timedelta(days=day, hours=hour) for day in range(days) for hour in (1, 2)]
    columns = {EVENT_TIME: times, LABEL: [0.0, 1.0] * days, CANDIDATE: ([0.1, 0.7, 0.1, 0.6] * days)[: 2 * days]}
    columns |= {"weekday": [0.0, None] * days, "count": [5.0, 5.0] * days}
    return pl.DataFrame(columns, schema_overrides={EVENT_TIME: pl.Datetime("us", "UTC")})


def version(lake: Lake, days: int) -> Version:
    made = described(lake, MODEL, 0.0)
    found = {"trials": 20, "params": {"trees": 40, "leaves": 8}}
    candidate = msgspec.structs.replace(
        made.candidate,
        backtest=lake.put_frame(answered(days)),
        metrics={"log_loss": 0.231, "rows": 1234.0},
        searched=found,
        parent=3,
        left_out={"region": "is always 'NSW'"},
    )
    rules = [Rule(name="latency", figure=0.5, allowed=20.0, passed=True, words="0.50 ms an answer | allowed 20")]
    fields: dict[str, Any] = {"mean": -0.01, "lower": -0.02, "upper": -0.005, "days": days, "rows": 2 * days, "loss": 0.5}
    judged = Compared(name=candidate.name, champion_loss=0.6, passed=True, reason="better", rules=rules, **fields)
    given = msgspec.structs.replace(
        made.training_set,
        days={"1996-09-01": "a" * 64},
        quarantined=[(DAY, DAY + timedelta(days=1))],
        cause="drift",
        reason="price drifts",
    )
    evaluation = msgspec.structs.replace(made.evaluation, champion=3, compared=[judged])
    return msgspec.structs.replace(
        made, candidate=candidate, training_set=given, evaluation=evaluation, made_with=provenance(MODEL)
    )


def written(tmp_path: Path, days: int = 10, steps: list[VersionStep] | None = None, model: Model = MODEL) -> str:
    lake = Lake(tmp_path)
    parts = cast("Runtime", SimpleNamespace(lake=lake))
    return card(parts, model, 4, version(lake, days), steps or [])


def test_a_card_says_what_a_person_must_know_to_answer_for_a_version(tmp_path: Path) -> None:
    approved = VersionStep("approved", "person jo", "looks right", DAY)
    text = written(tmp_path, steps=[approved])
    assert text.startswith(f"# {MODEL.name}, version 4\n\n")
    for told in (
        "which drift caused: price drifts. It was compared with version 3.",
        "On 20 rows of 10 days, 1996-09-04 to 1996-09-13, each answered by a fit on what was known before:",
        "Log loss 0.2696 [0.2460, 0.2931] (90% interval, by whole days).",
        "Against the champion of that time, on 20 rows of 10 days: -0.0100 [-0.0200, -0.0050].",
        "| weekday | 0 | 10 | 0.1054 |",
        "| weekday | null | 10 | 0.4338 [0.3867, 0.4808] |",
        "| latency | passed | 0.50 ms an answer \\| allowed 20 |",
        "| 1996-09-04 00:00 | approved | person jo | looks right |",
        "Left out, as their data looked broken: 1996-09-04.",
        "- `region` has no weight: is always 'NSW'.",
        "Found by its search: trees=40, leaves=8, the best of 20 trials.",
        "| `price` | number | price in New South Wales (of its range) | newest price of half_hours, by region |",
        "| parent | version 3, whose fit it went on from |",
        f"`everfit reproduce {MODEL.name} 4` makes it again and compares.",
        "1996-09-01 `aaaaaaaaaaaa`",
    ):
        assert told in text, told


def test_slices_are_those_that_the_version_knew_whatever_a_feature_is_called(tmp_path: Path) -> None:
    gate = MODEL.gate.model_copy(update={"slices": ["count", "declared_later"]})
    text = written(tmp_path, model=MODEL.model_copy(update={"gate": gate}))
    assert "| count | 5 | 20 |" in text
    assert "declared_later" not in text


def test_a_card_that_cannot_be_made_undoes_no_promotion(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_: Any) -> str:
        raise KeyError("weekday")

    monkeypatch.setattr("everfit.pipeline.model_card.model_card", failing)
    publish_card(cast("Runtime", SimpleNamespace(registry=SimpleNamespace(describe=failing))), MODEL, 4)
    assert f"no new card of version 4 of {MODEL.name}\n" in caplog.text
    assert "KeyError: 'weekday'" in caplog.text


def test_on_one_day_a_figure_has_no_interval_and_on_none_that_is_told(tmp_path: Path) -> None:
    assert "\n\nLog loss 0.2310.\n\n" in written(tmp_path, days=1)
    assert "It was judged on no day: there was none that could be held back." in written(tmp_path, days=0)


def test_mlflow_gets_whole_sections_and_is_told_where_the_rest_is(tmp_path: Path) -> None:
    text = written(tmp_path)
    assert shortened(text[:900]) == text[:900]
    long = text + "1996-09-01 `aaaaaaaaaaaa` · " * 500
    kept = shortened(long)
    assert len(kept) <= DESCRIPTION_CHARACTERS
    assert kept.endswith(f"\n\n{REST}")
    assert text.startswith(kept.removesuffix(f"\n\n{REST}"))
    assert long[len(kept) - len(REST) - 2 :].startswith("\n\n## ")
