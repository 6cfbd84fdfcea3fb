"""Many models of one shape, written as a package to import: what a team with a hundred of them declares."""

from pathlib import Path

PACKAGE = "declared"
_MODULE = """
from everfit import (
    BinaryClassification, Category, FreshnessPolicy, GradientBoosting, Integer, Limits, Model, Number, Source, Time,
    feature_view, latest,
)

TICKS = Source(
    name="ticks",
    columns=[Time("at"), Category("place"), Number("wind"), Integer("late", between=(0, 1))],
    identity=["place", "at"],
    event_time="at",
)


@feature_view(key="place", known_at="at", ttl="1d", features=latest("wind"))
def weather(ticks):
    return ticks


def labelled(ticks):
    return ticks


def declare(number):
    return Model(
        name=f"model_{number:03}",
        owners=["team@example.com"],
        description="Will it be late?",
        task=BinaryClassification(label="late"),
        entity="place",
        event_time="at",
        go_live="2024-01-03",
        sources=[TICKS],
        request=[Category("place")],
        views=[weather],
        history=labelled,
        candidates=[GradientBoosting()],
        freshness=FreshnessPolicy(max_training_age="90d"),
        limits=Limits(),
    )


for number in range(COUNT):
    globals()[f"model_{number:03}"] = declare(number)
"""


def write(folder: Path, count: int) -> None:
    """Write the package :data:`PACKAGE` with ``count`` models into a folder that is imported from."""
    package = folder / PACKAGE
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""Generated."""\n')
    (package / "many.py").write_text(_MODULE.replace("COUNT", str(count)))
