"""A made-up demo result, for tests of how one is shown."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from everfit.demo.result import (
    Alarm,
    Counts,
    DemoResult,
    Losses,
    Moved,
    Retraining,
    Timer,
    VersionLife,
    Week,
)

START = datetime(2024, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
END = START + 10 * WEEK


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
                moved=[Moved("load", "wasserstein", 0.9, 0.3)],
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
        timer=Timer("gradient_boosting", [START + 5 * WEEK]),
        seconds={"starting the stack": 12.0, "replay: asking": 30.25},
    )
    return msgspec.structs.replace(made, **changes)
