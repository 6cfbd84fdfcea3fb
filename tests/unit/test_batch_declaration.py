"""A table of requests is declared, checked where it is written, and becomes a daily asset with a schedule."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from assets import model_assets
from everfit import BatchScoring, Category, Flag, Model, Number, Source, Text, Time
from everfit.errors import DeclarationError, SettingsError
from everfit.review import recorded_data
from everfit.serving.batch_answers import requests_of
from models.electricity_price import electricity_price
from orchestration.scoring_schedules import daily_scoring, ranges


def asked(*without: str, **instead: Any) -> Source:
    """A table of requests to the electricity model, without some columns and with others instead."""
    columns = [instead.get(field.name, field) for field in electricity_price.request if field.name not in without]
    return Source(name="asked", columns=[*columns, Time("at")], identity=["region", "at"], event_time="at")


def scored(requests: Any, **fields: Any) -> Model:
    """The electricity model with a table of requests."""
    declared = {name: getattr(electricity_price, name) for name in Model.model_fields}
    return Model(**declared | {"name": "scored", "batch": BatchScoring(at="04:30", requests=requests)} | fields)


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: scored("asked"), "BatchScoring: requests: 'asked' is no source; give the Source itself"),
        (lambda: BatchScoring(at="25:00", requests=asked()), "BatchScoring: at: String should match pattern"),
        (
            lambda: scored(asked("weekday")),
            "batch: source asked has no column 'weekday', a field of the request; it has region",
        ),
        (lambda: scored(asked(weekday=Text("weekday"))), "'weekday' is Text in source asked and Integer in the request"),
        (lambda: scored(asked(half_hour=Flag("half_hour"))), "'half_hour' is Flag in source asked"),
        (lambda: scored(asked(region=Time("region"))), "'region' is Time in source asked and Category in the request"),
        (lambda: scored(asked(), identity=["region", "meter"]), "source asked has no column 'meter', which identity names"),
        (lambda: scored(electricity_price.sources[0]), "source half_hours has no column 'half_hour', a field of the request"),
        (
            lambda: scored(asked().model_copy(update={"name": "half_hours"})),
            "sources: half_hours declared twice; every name must be its own",
        ),
    ],
)
def test_a_table_that_holds_no_requests_is_refused(build: Callable[[], object], told: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        build()
    assert told in str(refused.value)


def test_the_table_is_one_of_the_models_sources_once() -> None:
    names = ["half_hours", "asked"]
    assert [source.name for source in scored(asked()).sources] == names
    assert [source.name for source in scored(asked(), sources=[*electricity_price.sources, asked()]).sources] == names
    with pytest.raises(SettingsError, match="electricity_price declares no table to score; give it batch=BatchScoring"):
        requests_of(electricity_price)


def test_it_is_scored_by_day_from_the_go_live_at_its_time() -> None:
    model = scored(asked())
    resources = {"everfit": object(), "tracking": object()}
    schedules = daily_scoring([model, electricity_price, model.model_copy(update={"name": "other"})])
    assert [(one.name, one.cron_schedule) for one in schedules] == [("scoring_0430", "30 4 * * *")]
    assert schedules[0].default_status == dg.DefaultScheduleStatus.STOPPED
    assert daily_scoring([electricity_price]) == []
    repository = dg.Definitions(assets=model_assets(model), schedules=schedules, resources=resources).get_repository_def()
    node = repository.asset_graph.get(dg.AssetKey(["scored", "scored_requests"]))
    days = node.partitions_def
    assert isinstance(days, dg.DailyPartitionsDefinition)
    assert days.get_first_partition_key() == model.go_live.date().isoformat()
    assert [key.path[1] for key in node.parent_keys] == ["asked"]
    keys = [key for asset in model_assets(electricity_price) for key in getattr(asset, "keys", [])]
    assert "scored_requests" not in [key.path[1] for key in keys]


def test_missed_days_are_made_by_runs_of_consecutive_days() -> None:
    days = ["2020-02-28", "2020-02-29", "2020-03-01", "2020-03-05", "2020-03-06"]
    assert ranges(days, 90) == [days[:3], days[3:]]
    assert ranges(days, 2) == [days[:2], days[2:3], days[3:]]
    assert ranges([], 2) == []


def test_a_number_of_the_request_may_be_null_in_the_table() -> None:
    columns = {"half_hour": Number("half_hour", nullable=True), "region": Category("region", nullable=True)}
    assert scored(asked(**columns)).batch is not None


def test_nobody_is_told_to_record_the_requests_of_the_future() -> None:
    unrecorded = electricity_price.sources[0].model_copy(update={"recorded": None})
    _, remarks = recorded_data.read(scored(asked(), sources=[unrecorded]))
    subjects = [remark.subject for remark in remarks]
    assert "source half_hours" in subjects
    assert "source asked" not in subjects
