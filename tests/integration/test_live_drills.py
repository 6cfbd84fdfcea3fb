"""Versions that fail live, small: they end by themselves, in time, and every request is answered."""

import pytest

from everfit.drills.catalogue import Order, find_drill
from everfit.drills.live_model import days_of
from everfit.errors import DrillError
from tests.brokers import ON_KAFKA


@pytest.mark.skipif(ON_KAFKA, reason="the broker carries rows alone: which one makes no difference")
@pytest.mark.parametrize(
    ("name", "events", "end", "days"),
    [
        ("bad-labels", 1_008, "version 2 ended rolled back", 14),
        ("bad-promotion", 672, "version 2 ended rolled back", 10),
        ("bad-canary", 672, "version 2 ended rejected", 7),
    ],
)
def test_a_version_that_fails_live_ends_by_itself(name: str, events: int, end: str, days: int) -> None:
    report = find_drill(name).run(Order(events, 0), print)
    assert report.wrong == []
    assert report.did[-1].startswith(end)
    assert report.counts["failed"] == 0
    assert report.counts["days"] <= days


@pytest.mark.skipif(ON_KAFKA, reason="the broker carries rows alone: which one makes no difference")
@pytest.mark.parametrize("name", ["broken-feed", "unit-change"])
def test_broken_days_leave_no_trace_in_the_next_model(name: str) -> None:
    report = find_drill(name).run(Order(672, 0), print)
    assert report.wrong == []
    assert (report.counts["broken_rows"], report.counts["failed"]) == (0, 0)


def test_a_challenger_needs_days_to_be_trained_on() -> None:
    with pytest.raises(DrillError, match="100 events: the challenger is trained on 672; give as many or more"):
        days_of(Order(100, 0))
