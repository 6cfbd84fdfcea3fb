"""What is wrong with the log is told, with the log's own parts in a real Postgres: once a cause, and its end."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from everfit.alerts.channels import Channels
from everfit.alerts.log_rules import lag_causes, look
from everfit.alerts.notification import notify
from everfit.store import letters, log, log_state
from everfit.store.lake import Lake
from everfit.store.log import Batch, Gap, LogWriter, Position, Step
from everfit.store.tables import alerts, log_gaps
from everfit.timing import wall_clock
from everfit.topics.events import PREDICTIONS, encode
from monitors.log_pass import run_pass
from tests.events import MODEL, prediction, produce
from tests.hooks import Hook, listening


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as server:
        yield server


def tick(engine: sa.Engine, channels: Channels) -> list[str]:
    """What one pass of the sensor tells of the log."""
    with engine.connect() as connection:
        wrong = look(connection, 0.05)
    return [f"{notice.state} {notice.alert.cause}" for notice in notify(engine, wrong, channels)]


def read_to(engine: sa.Engine, offset: int, *, partition: int) -> None:
    """A partition of the predictions' first log was read until there."""
    step = Step(0, Position(PREDICTIONS, partition, offset, "a", "of its last record"), offset)
    assert LogWriter(engine).write(Batch(steps=[step]))


def test_a_partition_that_loses_records_again_and_again_is_told_once_and_its_end_too(engine: sa.Engine, hook: Hook) -> None:
    def lost(first: int, following: int) -> None:
        with engine.begin() as connection:
            assert log.skip(connection, Gap(PREDICTIONS, 1, "a", first, following))

    cause = f"gap:{PREDICTIONS}:1:a"
    read_to(engine, 9, partition=1)
    lost(9, 1_009)
    assert tick(engine, Channels(hook.url)) == [f"raised {cause}"]
    assert hook.posted[0]["text"].startswith(
        "everfit: 1,000 records of everfit.predictions, partition 1 (offsets 9 to 1008) were deleted before they were read; "
    )
    lost(1_009, 1_010)
    assert tick(engine, Channels(hook.url)) == []
    with engine.begin() as connection:
        connection.execute(sa.update(alerts).values(last_sent_at=wall_clock() - timedelta(days=2)))
    assert tick(engine, Channels(hook.url)) == [f"reminder {cause}"]
    assert "1,001 records of everfit.predictions, partition 1 (offsets 9 to 1009, 2 gaps in a day)" in hook.posted[-1]["text"]
    with engine.begin() as connection:
        connection.execute(sa.update(log_gaps).values(noticed_at=wall_clock() - timedelta(days=2)))
    assert tick(engine, Channels(hook.url)) == [f"resolved {cause}"]


def test_a_log_that_began_again_is_told_once_a_log_however_many_partitions_notice_it(engine: sa.Engine) -> None:
    for partition in (0, 1):
        read_to(engine, 9, partition=partition)
    with engine.begin() as connection:
        for (topic, partition), stored in log.positions(connection).items():
            log.restart(connection, stored, "b")
            assert (topic, partition) == (PREDICTIONS, partition)
    assert tick(engine, Channels()) == [f"raised log:{PREDICTIONS}:b:1"]
    assert tick(engine, Channels()) == []
    with engine.begin() as connection:
        log.restart(connection, log.positions(connection)[PREDICTIONS, 0], "c")
    assert tick(engine, Channels()) == [f"raised log:{PREDICTIONS}:c:2"]


def test_dead_letters_are_told_once_by_whomever_they_were_read_and_over_when_they_were_stored_after_all(
    engine: sa.Engine, tmp_path: Path, kafka: str
) -> None:
    stranger = msgspec.structs.replace(prediction(0), model="unheard_of")
    produce(kafka, [*(prediction(n) for n in range(18)), encode(stranger), b"not json"])
    run_pass(engine, Lake(tmp_path / "lake"), kafka, {MODEL.name: MODEL}, linger_seconds=0.0)
    cause = f"dead letters of {PREDICTIONS}"
    assert tick(engine, Channels()) == [f"raised {cause}"]
    assert tick(engine, Channels()) == []
    with engine.begin() as connection:
        for number in letters.waiting(connection):
            letters.mark_redriven(connection, number)
    assert tick(engine, Channels()) == [f"resolved {cause}"]


def test_reading_that_never_catches_up_is_told_until_it_does(engine: sa.Engine) -> None:
    began, minute, read = wall_clock(), timedelta(minutes=1), [0]

    def behind(minutes: int, records: int) -> list[str]:
        """A partition is read on, and ends so many records later; what a pass of the sensor tells then."""
        position = Position(PREDICTIONS, 0, read[0] + 100, "a", "of its last record")
        assert LogWriter(engine).write(Batch(steps=[Step(read[0], position, read[0] + 100 + records)]))
        read[0] += 100
        now = began + minutes * minute
        with engine.begin() as connection:
            wrong = lag_causes(log_state.note_lags(connection, now), now, 10 * minute)
        return [notice.state for notice in notify(engine, wrong, Channels())]

    assert behind(0, 0) == []
    assert behind(1, 500) == [], "it may still fall"
    assert behind(9, 900) == []
    assert behind(12, 600) == ["raised"], "for longer than ten minutes there were never fewer than at the first"
    assert behind(13, 510) == [], "told once"
    assert behind(14, 499) == ["resolved"], "it falls"
    assert behind(30, 600) == ["raised"]
    assert behind(31, 0) == ["resolved"]
    backlog = [behind(32 + minutes, 5_000 - minutes) for minutes in range(60)]
    assert backlog == [[]] * 60, "a backlog that shrinks is no alert"
