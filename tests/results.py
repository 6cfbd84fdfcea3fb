"""A made-up demo result, for tests of how one is shown."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from everfit.declaration.rollouts import Stage
from everfit.demo.result import (
    Alarm,
    Counts,
    DemoResult,
    Judged,
    Losses,
    Moved,
    Retraining,
    Timer,
    VersionLife,
    Week,
)
from everfit.evaluation.rules import Rule, reason_of
from everfit.pipeline.manifests import Compared
from everfit.store.rollouts import LiveDay, Rollout

START = datetime(2024, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
END = START + 10 * WEEK
HELD = Rule(name="difference", figure=-0.01, allowed=0.0, passed=True, words="better: log loss -0.02 <against>")
FAILED = Rule(name="latency", figure=31.5, allowed=20.0, passed=False, words="too slow: 31.50 ms an answer, allowed 20")
OPEN = Rule(name="difference", figure=0.01, allowed=0.0, passed=None, words="not shown to be better; more days may tell")


def _compared(name: str, *rules: Rule) -> Compared:
    """A candidate that one rule holds for, and what others say."""
    all_of_them = [*rules, HELD]
    figures: dict[str, Any] = {"mean": -0.02, "lower": -0.03, "upper": -0.01, "loss": 0.5, "champion_loss": 0.52}
    return Compared(
        name=name, days=28, rows=1_344, passed=not rules, reason=reason_of(all_of_them), rules=all_of_them, **figures
    )


def _live(number: int, difference: float | None) -> LiveDay:
    """What a day's outcomes showed."""
    return LiveDay(
        day=f"2024-02-0{number}",
        difference=difference,
        asked=48,
        rows=48,
        other_rows=48,
        degraded=0.0,
        other_degraded=0.0,
        missing=0.0,
        other_missing=0.0,
    )


def a_result(**changes: Any) -> DemoResult:
    """Ten weeks, one alarm, one promotion and one rejection; fields as told."""
    made = DemoResult(
        model="meters",
        description="Will the load be <high>?",
        start=START,
        end=END,
        counts=Counts(3_360, 3_359, 0, 3_359, 10, 1, 2, 1, 1, 2),
        loss="log_loss",
        losses=Losses(static=0.612, timer=0.507, continuous=0.481),
        weeks=[Week(START + i * WEEK, START + (i + 1) * WEEK, 336, Losses(0.4 + i / 20, 0.45, 0.4)) for i in range(10)],
        alarms=[
            Alarm(
                kind="drift",
                version=1,
                start=START + 3 * WEEK,
                end=START + 4 * WEEK,
                reason="1 column drifted: load <b>",
                moved=[Moved("load", "mean rank", 3.0, "wasserstein 0.900")],
                html="evidence/2024-01-29.html",
            )
        ],
        retrainings=[
            Retraining(START + 4 * WEEK, "drift", "load moved", "promoted", "better by 0.05", 2),
            Retraining(START + 8 * WEEK, "freshness", "56 days old", "rejected", "worse by 0.01", None),
        ],
        versions=[
            VersionLife(1, "gradient_boosting", "bootstrap", START, START, 1_000, 1_344, 0.5),
            VersionLife(2, "mlp", "drift", START + 4 * WEEK, START + 4 * WEEK, 2_344, 2_016, None),
        ],
        judged=[
            Judged(START + 4 * WEEK, "drift", "passed", [_compared("mlp"), _compared("forest", FAILED)]),
            Judged(START + 8 * WEEK, "freshness", "inconclusive", [_compared("mlp", OPEN)]),
        ],
        rollouts=[
            Rollout(
                id="r",
                model="meters",
                version=2,
                replaces=1,
                stages=[Stage(kind="guard", seconds=84 * 86_400.0)],
                step=0,
                since=START + 4 * WEEK,
                days=[_live(1, -0.02), _live(2, 0.01), _live(3, None)],
                state="confirmed",
                reason="no worse by <0.01>",
            )
        ],
        timer=Timer("gradient_boosting", [[START + 5 * WEEK], [START + 6 * WEEK]]),
        seconds={"starting the stack": 12.0, "replay: asking": 30.25},
    )
    return msgspec.structs.replace(made, **changes)
