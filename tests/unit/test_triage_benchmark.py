"""The list of breaks and shifts that the benchmark of triage injects."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from benchmarks._triage_cases import KINDS, TARGETS, breaks, shifts
from benchmarks._triage_worlds import MODELS
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL


def day_of(world: str) -> pl.DataFrame:
    """A day of 48 rows with every column that a case of a data set changes."""
    targets = TARGETS[world]
    columns = {*targets.numbers, targets.first, targets.second, LABEL, *(name for pair in targets.swaps for name in pair)}
    rows = range(48)
    return pl.DataFrame(
        {EVENT_TIME: [datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=30 * row) for row in rows]}
        | {name: [0.01 * row + at for row in rows] for at, name in enumerate(sorted({*columns, "noise", "more_noise"}))}
        | {targets.hour: [row * targets.steps // 48 for row in rows]}
        | {name: ["AB", "CD"] * 24 for name in targets.categories}
    )


@pytest.mark.parametrize("world", TARGETS)
def test_every_break_has_two_magnitudes_and_a_column_of_its_feed(world: str) -> None:
    model = MODELS[world]
    feeds = {
        "labels": {model.label},
        "requests": {name for name, _ in model.features} | {"*"},
        **{source.name: {column.name for column in source.columns} | {"*"} for source in model.sources},
    }
    assert {*Counter(case.name for case in breaks(world)).values()} == {2}
    assert all(case.columns and case.columns <= feeds[case.feed] for case in breaks(world))
    assert all(case.kinds for case in breaks(world))
    assert {case.name.split()[0] for case in breaks(world)} == {*KINDS}
    assert not any(case.columns or case.kinds for case in shifts(world))


@pytest.mark.parametrize("world", TARGETS)
def test_every_case_changes_a_day_the_same_way_for_the_same_seed(world: str) -> None:
    rows = day_of(world)
    for case in (*breaks(world), *shifts(world)):
        changed = case.change(rows, 17)
        assert not changed.equals(rows), case
        assert changed.equals(case.change(rows, 17)), case
        assert changed.columns == rows.columns
