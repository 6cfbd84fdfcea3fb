"""The verdicts on a window's days taken together, and what of a source's day is quarantined."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from everfit.declaration.reserved_columns import EVENT_TIME
from everfit.evidence.checked_days import REQUESTS, SOURCE, DayVerdict, together
from everfit.evidence.trusted_rows import trusted
from everfit.features.columns_read import columns_read
from models.electricity_price import electricity_price

START = datetime(1996, 9, 11, tzinfo=UTC)
DAY = timedelta(days=1)


def verdict(number: int, verdict: Any, subject: str = REQUESTS, **by_column: str) -> DayVerdict:
    reason = "; ".join(by_column.values()) or "nothing broken in 48 rows"
    return DayVerdict(START + number * DAY, subject, 1, verdict, reason, {"rows": 48, "by_column": by_column})


def test_days_are_told_one_by_one_and_those_of_no_verdict_are_none() -> None:
    assert together([]) is None
    assert together([verdict(0, "insufficient")]) is None
    quiet = together([verdict(0, "ok"), verdict(0, "ok", f"{SOURCE}half_hours"), verdict(1, "insufficient")])
    assert quiet is not None
    assert (quiet.verdict, quiet.reason, quiet.detail["rows"]) == ("ok", "nothing broken on 1 day of 48 rows", 48)
    broken = together([verdict(0, "ok"), verdict(1, "alarm", price="price is stuck"), verdict(2, "alarm", price="no price")])
    assert broken is not None
    assert (broken.verdict, broken.statistic) == ("alarm", 2.0)
    assert broken.reason == "1996-09-12: price is stuck; 1996-09-13: no price"
    assert broken.detail["days"] == ["1996-09-12", "1996-09-13"]


def test_the_columns_of_a_source_are_named_after_it_and_only_an_alarm_names_any() -> None:
    source = f"{SOURCE}half_hours"
    assert verdict(0, "alarm", source, price="stuck").by_column == {"half_hours.price": "stuck"}
    assert verdict(0, "alarm", price="stuck").by_column == {"price": "stuck"}
    assert verdict(0, "ok", price="stuck").by_column == {}


def test_rows_of_a_span_are_left_out_but_for_its_end() -> None:
    rows = pl.DataFrame({EVENT_TIME: [START, START + DAY, START + 2 * DAY]})
    assert trusted(rows, [(START, START + DAY)])[EVENT_TIME].to_list() == [START + DAY, START + 2 * DAY]
    assert trusted(rows, []).equals(rows)


def test_a_view_reads_what_its_function_and_its_features_need() -> None:
    read = {view.name: columns_read(view, electricity_price.source(view.source)) for view in electricity_price.views}
    assert read["market_yesterday"] == ["period_start", "region", "demand"]
    market = ["price", "demand", "neighbour_price", "neighbour_demand", "transfer"]
    assert read["market_now"] == ["period_start", "region", *market]
