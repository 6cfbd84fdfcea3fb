"""The spool on the disk: whatever byte of it is damaged, whoever died, and how many processes share its folder."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everfit.serving import prediction_log
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.producer import Record
from everfit.serving.spool import Spool
from everfit.serving.spool_lines import written
from tests.serving import MemoryProducer

ENTITIES = (b"NSW", b"", "Zürich".encode(), b"}{")
RECORDS = [b'{"entity":"%s","number":%d}' % (entity, number) for number, entity in enumerate(ENTITIES)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """What the spool is named after."""
    return tmp_path / "topic.jsonl"


def drained(path: Path) -> tuple[list[bytes], list[bytes]]:
    """What a new process sends of a spool, and what it sets aside, with nothing left behind."""
    producer = MemoryProducer()
    with closing(PredictionLog(producer, Spool(path))) as log:
        log.flush(10)
        assert (log.acknowledged, log.spooled) == (len(producer.taken), 0)
        assert log.rejected == len(rejected(path))
    assert list(path.parent.glob("*.jsonl")) == [], "a file in which nothing waits is removed"
    return [record.value for record in producer.taken], rejected(path)


def rejected(path: Path) -> list[bytes]:
    aside = path.with_suffix(".rejected")
    lines = [json.loads(line) for line in aside.read_text().splitlines()] if aside.exists() else []
    assert all(line["reason"] and line["at"] for line in lines)
    return [line["record"].encode() if "record" in line else line["base64"].encode() for line in lines]


def left(path: Path, content: bytes) -> Path:
    """A file that an ended process left."""
    file = path.with_suffix(".17-dead.jsonl")
    file.write_bytes(content)
    return file


def test_what_is_added_is_read_in_order_from_where_it_was_dropped(path: Path) -> None:
    with closing(Spool(path)) as spool:
        spool.append([b"1", b"22", b"333"])
        spool.drop(spool.peek(2))
        spool.append([b"4444"])
        assert [entry.value for entry in spool.peek(5)] == [b"333", b"4444"]
        assert len(spool) == 2


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x2A, 0x4A, 0xFF])  # 2A makes newlines of spaces, 4A an older line of a newer
def test_a_damaged_byte_costs_at_most_the_record_that_it_lies_in(path: Path, flip: int) -> None:
    lines = [written(record) for record in RECORDS]
    content = b"".join(lines)
    for at in range(len(content)):
        path.with_suffix(".rejected").unlink(missing_ok=True)
        damaged = bytearray(content)
        damaged[at] ^= flip
        left(path, bytes(damaged))
        owner = next(number for number in range(len(lines)) if at < sum(map(len, lines[: number + 1])))
        sent, aside = drained(path)
        others = [record for number, record in enumerate(RECORDS) if number != owner]
        assert sent in (RECORDS, others), f"byte {at}"
        assert sent == RECORDS or aside, f"byte {at}: what is not sent is set aside"


@pytest.mark.parametrize("length", range(1, len(written(RECORDS[0]))))
def test_a_record_that_a_killed_process_wrote_in_part_is_set_aside(path: Path, length: int) -> None:
    left(path, written(RECORDS[1]) + written(RECORDS[0])[:length])
    whole = length == len(written(RECORDS[0])) - 1  # only its newline is missing
    sent, aside = drained(path)
    assert (sent, len(aside)) == (([RECORDS[1], RECORDS[0]], 0) if whole else ([RECORDS[1]], 1))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(min_size=1, max_size=60))
def test_garbage_between_records_is_set_aside_and_they_are_sent(path: Path, garbage: bytes) -> None:
    path.with_suffix(".rejected").unlink(missing_ok=True)
    left(path, written(RECORDS[0]) + garbage + b"\n" + written(RECORDS[1]))
    sent, aside = drained(path)
    assert (sent, bool(aside)) == ([RECORDS[0], RECORDS[1]], True)


def test_the_single_file_of_an_older_version_is_taken_over(path: Path) -> None:
    path.write_bytes(b"".join(record + b"\n" for record in RECORDS) + b'{"entity":"half')
    assert drained(path) == (RECORDS, [b'{"entity":"half'])


def test_what_is_damaged_in_a_file_of_an_older_version_is_set_aside(path: Path) -> None:
    path.write_bytes(RECORDS[0] + b'\n{"entity":7}\n{"other":1}\nnot json\n\n{"entity":"\xff"}\n' + RECORDS[1] + b"\n")
    sent, aside = drained(path)
    assert (sent, len(aside)) == ([RECORDS[0], RECORDS[1]], 5)


def test_a_spool_survives_being_opened_and_closed_without_being_sent(path: Path) -> None:
    for record in RECORDS:
        with closing(Spool(path)) as spool:
            spool.append([record])
    with closing(Spool(path)) as spool:
        assert len(spool) == len(RECORDS)
    sent, _ = drained(path)
    assert sorted(sent) == sorted(RECORDS)


def _spooling(path: Path, name: bytes, count: int, pipe: Connection) -> None:
    """A process that puts records into its spool, says so, and lives on."""
    spool = Spool(path)
    spool.append([b'{"entity":"%s","number":%d}' % (name, number) for number in range(count)])
    pipe.send(len(spool))
    pipe.recv()


Start = Callable[[bytes, int], "multiprocessing.process.BaseProcess"]


@pytest.fixture
def start(path: Path) -> Iterator[Start]:
    """Starts real processes over the spool's folder; the call returns when their records are on the disk."""
    context = multiprocessing.get_context("spawn")
    running: list[tuple[multiprocessing.process.BaseProcess, Connection]] = []

    def begin(name: bytes, count: int) -> "multiprocessing.process.BaseProcess":
        ours, theirs = context.Pipe()
        process = context.Process(target=_spooling, args=(path, name, count, theirs), daemon=True)
        process.start()
        running.append((process, ours))
        assert ours.poll(60), "it writes its spool"
        assert ours.recv() == count, "it holds what it wrote, and nothing of the others that live"
        return process

    yield begin
    for process, pipe in running:
        process.kill()
        process.join()
        pipe.close()


def killed(process: "multiprocessing.process.BaseProcess") -> None:
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    assert process.exitcode == -signal.SIGKILL


def test_processes_share_a_folder_and_only_the_dead_are_inherited_from(
    path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_log, "TAKE_OVER_SECONDS", 0.05)
    first, second = start(b"first", 3), start(b"second", 5)
    producer = MemoryProducer()
    with closing(PredictionLog(producer, Spool(path))) as log:
        log.add(Record(b"own", b'{"entity":"own"}'))
        log.flush(10)
        assert (log.spooled, [record.key for record in producer.taken]) == (0, [b"own"]), "the living keep what is theirs"
        killed(first)
        await_taken(producer, 1 + 3)
        log.flush(10)
        assert (log.acknowledged, log.rejected, log.spooled) == (4, 0, 0)
        killed(second)
        await_taken(producer, 1 + 3 + 5)
    assert [record.key for record in producer.taken] == [b"own"] + [b"first"] * 3 + [b"second"] * 5
    assert list(path.parent.glob("*.jsonl")) == []


def await_taken(producer: MemoryProducer, count: int) -> None:
    with producer.grown:
        assert producer.grown.wait_for(lambda: len(producer.taken) >= count, 30), "what the dead left is sent"


def test_of_many_heirs_one_sends_what_the_dead_left(path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_log, "TAKE_OVER_SECONDS", 0.01)
    producer = MemoryProducer()
    logs = [PredictionLog(producer, Spool(path)) for _ in range(4)]
    try:
        dead = [start(b"dead", 50) for _ in range(3)]
        for process in dead:
            killed(process)
        await_taken(producer, 150)
    finally:
        for log in logs:
            log.close()
    assert len(producer.taken) == 150, "each record once"
    assert sum(log.acknowledged for log in logs) == 150
    assert list(path.parent.glob("*.jsonl")) == []
