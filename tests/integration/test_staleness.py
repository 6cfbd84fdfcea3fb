"""Dagster's own staleness: a changed source day, view or trainer marks what depends on it, and nothing else."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from assets import model_assets
from assets.graph import days_of
from assets.provenance import report, report_observed
from everfit import GradientBoosting, Model
from everfit.pipeline import daily_partitions
from everfit.pipeline.lineage import features_dataset
from everfit.store import partitions
from orchestration.day_partitions import add_new_days
from orchestration.schedules import night
from tests.integration.test_lineage import CORRECTED, MODEL, RECORDED, UNTIL, correct, looking_back_on_the_corrected
from tests.loop import Loop


@pytest.fixture
def loop(engine: sa.Engine, tmp_path: Path) -> Loop:
    loop = Loop(engine, tmp_path, MODEL, {"half_hours": RECORDED})
    loop.publish(until=UNTIL)
    return loop


class Pages:
    """An instance of Dagster in memory, and what its pages would say."""

    def __init__(self, loop: Loop, instance: dg.DagsterInstance) -> None:
        self.loop = loop
        self.instance = instance
        self.days = daily_partitions.available_days(loop.runtime, MODEL)
        self.instance.add_dynamic_partitions(str(days_of(MODEL).name), self.days)

    def materialize(self, *stages: str, first: str, last: str | None = None) -> None:
        span = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last or first}
        done = dg.materialize(
            self._assets(MODEL),
            instance=self.instance,
            selection=[dg.AssetKey([MODEL.name, stage]) for stage in stages],
            resources={"everfit": self.loop.runtime, "tracking": dg.ResourceDefinition.none_resource()},
            tags=span,
        )
        assert done.success

    def stale(self, model: Model = MODEL) -> dict[str, set[str]]:
        """The days that Dagster calls stale, by asset."""
        graph = dg.Definitions(
            self._assets(model), resources={"everfit": dg.ResourceDefinition.none_resource()}
        ).resolve_asset_graph()
        resolver = CachingStaleStatusResolver(self.instance, graph, LoadingContextForTest(self.instance))
        stages = ("half_hours", "raw_data", "look_back", "features")
        keys = {stage: dg.AssetKey([model.name, stage]) for stage in stages}
        found = {
            stage: {day for day in self.days if resolver.get_status(key, day) == StaleStatus.STALE}
            for stage, key in keys.items()
        }
        return {stage: stale for stage, stale in found.items() if stale}

    def _assets(self, model: Model) -> list[Any]:
        daily = ("raw_data", "features")
        return [one for one in model_assets(model) if isinstance(one, dg.AssetSpec) or one.key.path[-1] in daily]


@pytest.fixture
def pages(loop: Loop, tmp_path: Path) -> Iterator[Pages]:
    """Nothing is made yet."""
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as instance:
        yield Pages(loop, instance)


@pytest.fixture
def made(pages: Pages) -> Pages:
    """All days made in one run."""
    pages.materialize("raw_data", "features", first=pages.days[0], last=pages.days[-1])
    return pages


def test_a_range_is_made_in_one_run_with_a_data_version_a_day(made: Pages) -> None:
    assert made.stale() == {}
    key = dg.AssetKey([MODEL.name, "features"])
    tags = made.instance.event_log_storage.get_latest_tags_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, ["dagster/data_version"]
    )
    with made.loop.runtime.engine.connect() as connection:
        held = partitions.newest(connection, features_dataset(MODEL))
    assert {day: one["dagster/data_version"] for day, one in tags.items()} == held


def test_what_days_were_made_from_is_read_once_an_asset(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = []

    def counted(connection: sa.Connection, dataset: str) -> dict[str, partitions.PartitionVersion]:
        readings.append(dataset)
        return held(connection, dataset)

    held = partitions.newest_versions
    monkeypatch.setattr(partitions, "newest_versions", counted)
    pages.materialize("raw_data", "features", first=pages.days[0], last=pages.days[-1])
    assert readings.count(features_dataset(MODEL)) == 2


def test_a_corrected_day_marks_its_raw_data_and_then_what_looked_at_it(made: Pages) -> None:
    correct(made.loop)
    report_observed(partial(report, made.instance), made.loop.runtime, MODEL)
    assert made.stale() == {"raw_data": {CORRECTED}}
    made.materialize("raw_data", first=CORRECTED)
    looked = {*looking_back_on_the_corrected(made.days)}
    assert made.stale() == {"features": looked}
    made.materialize("features", first=min(looked), last=max(looked))
    assert made.stale() == {}


def test_a_lone_day_cuts_what_it_looks_back_on_and_says_so(pages: Pages, loop: Loop) -> None:
    pages.materialize("features", first=CORRECTED)
    raw = pages.instance.get_materialized_partitions(dg.AssetKey([MODEL.name, "raw_data"]))
    assert raw == {day for day in pages.days if "1996-05-13" <= day <= CORRECTED}
    assert pages.stale() == {}
    correct(loop)
    pages.materialize("features", first=CORRECTED)
    assert pages.stale() == {}, "its raw data were cut again, and told before the features were"


def test_another_declaration_marks_exactly_what_reads_it(made: Pages) -> None:
    every = set(made.days)
    views = MODEL.model_copy(update={"views": MODEL.views[:1]})
    assert made.stale(views) == {"features": every}
    half_hours = MODEL.sources[0]
    source = half_hours.model_copy(update={"columns": half_hours.columns[:-1]})
    assert made.stale(MODEL.model_copy(update={"sources": [source]})) == {"raw_data": every}
    assert made.stale(MODEL.model_copy(update={"candidates": [GradientBoosting(trees=7)]})) == {}


def test_another_trainer_changes_the_version_of_its_stage_alone() -> None:
    from everfit.pipeline.code_versions import ROOTS, stage_version

    other = MODEL.model_copy(update={"candidates": [GradientBoosting(trees=7)]})
    changed = {stage for stage in ROOTS if stage_version(MODEL, stage) != stage_version(other, stage)}
    assert changed == {"trained_model"}
    later = MODEL.model_copy(update={"go_live": datetime(1996, 10, 1, tzinfo=UTC)})
    changed = {stage for stage in ROOTS if stage_version(MODEL, stage) != stage_version(later, stage)}
    assert changed == {"features", "training_set"}


def test_every_night_exactly_what_changed_is_made_and_said(pages: Pages) -> None:
    def next_night(number: int) -> Sequence[dg.RunRequest]:
        asked = night(pages.instance, pages.loop.runtime, MODEL, datetime(2026, 1, number, 2, tzinfo=UTC))
        if isinstance(asked, dg.SkipReason):
            assert "nothing changed" in str(asked.skip_message)
            return []
        for request in asked:
            first, last = (request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))
            pages.materialize(*(key.path[-1] for key in request.asset_selection or []), first=first, last=last)
        return asked

    assert len(next_night(1)) == 1
    assert next_night(2) == []
    correct(pages.loop)
    starts = [request.tags["dagster/asset_partition_range_start"] for request in next_night(3)]
    assert starts == [CORRECTED, "1996-05-21"], "its rows, and what looks back on them"
    assert pages.stale() == {}
    assert next_night(4) == []
    said = pages.instance.fetch_observations(dg.AssetKey([MODEL.name, "features"]), limit=1).records[0].asset_observation
    assert said
    assert said.metadata["feature days made anew"].value == 8


def test_a_day_that_lands_late_takes_its_place(pages: Pages) -> None:
    late = pages.days[5]
    pages.instance.delete_dynamic_partition(str(days_of(MODEL).name), late)
    assert add_new_days(pages.instance, pages.loop.runtime, MODEL) == pages.days
