"""The drills, small: what they break is real, and the guarantee holds."""

import pytest

from everfit.drills.catalogue import Order, find_drill
from everfit.drills.guarantee_report import Report
from everfit.errors import DrillError
from tests.brokers import ON_KAFKA


def done(name: str, *, events: int, kills: int = 0) -> Report:
    """A drill on the broker that is tested on; what it says is shown where it fails."""
    return find_drill(name).run(Order(events, kills, "kafka" if ON_KAFKA else "embedded"), print)


def test_a_consumer_that_is_killed_again_and_again_loses_and_doubles_nothing() -> None:
    report = done("consumer-kill", events=20_000, kills=12)
    assert report.wrong == []
    assert report.counts == {"sent": 20_000, "stored": 20_000, "duplicates": 0, "dead letters": 0, "missing": 0}


def test_poison_repeats_and_late_events_add_up() -> None:
    report = done("poison", events=5_000)
    assert report.wrong == []
    assert report.counts == {"sent": 5_350, "stored": 5_000, "duplicates": 100, "dead letters": 250, "missing": 0}


def test_a_postgres_that_stops_and_starts_loses_and_doubles_nothing() -> None:
    report = done("postgres-restart", events=4_000, kills=2)
    assert (report.wrong, report.counts["stored"]) == ([], 4_000)


def test_a_disk_that_is_full_and_freed_loses_and_doubles_nothing() -> None:
    try:
        report = done("disk-full", events=10_000, kills=1)
    except DrillError as error:
        pytest.skip(str(error))
    assert (report.wrong, report.counts["stored"]) == ([], 10_000)


def test_passes_that_are_cut_off_judge_as_one_that_nobody_disturbed() -> None:
    report = done("tick-cut", events=6_000, kills=6)
    assert report.wrong == []
    counts = {name: report.counts[name] for name in ("windows", "evidence", "decisions", "retrain requests")}
    assert counts == {"windows": 4, "evidence": 20, "decisions": 4, "retrain requests": 1}


@pytest.mark.skipif(ON_KAFKA, reason="no event flows in it: the broker makes no difference")
def test_what_launches_is_killed_and_every_attempt_has_one_run() -> None:
    report = done("launch-kill", events=0, kills=2)
    assert report.wrong == []
    assert report.counts == {"requests": 2, "attempts": 4, "runs": 4, "missing": 0, "doubled": 0}


@pytest.mark.skipif(not ON_KAFKA, reason="the wheel's broker keeps no log; `make test-kafka` runs it on Apache Kafka")
@pytest.mark.parametrize("name", ["broker-restart", "topic-remade"])
def test_a_broker_that_is_killed_and_topics_made_again_lose_and_double_nothing(name: str) -> None:
    report = done(name, events=4_000, kills=2)
    assert (report.wrong, report.counts["stored"]) == ([], 4_000)


def test_a_broker_that_forgets_its_log_cannot_do_every_drill() -> None:
    with pytest.raises(DrillError, match="broker-restart needs a broker that keeps its log: run it with --broker kafka"):
        find_drill("broker-restart").run(Order(100, 1), print)


def test_a_drill_that_cannot_be_done_says_why() -> None:
    with pytest.raises(DrillError, match="no drill 'unheard-of'; there are consumer-kill, "):
        find_drill("unheard-of")
