"""One batch is written while the next is read."""

import sys
import threading
from contextlib import ExitStack
from typing import Any

import pytest

from everfit.store.log import Batch, Written
from monitors.double_buffer import Pipeline

WRITTEN = Written(arrived=(), stored=(), outcomes={}, dead=0)


class Writer:
    """Answers each batch with the next of ``answers``, once it is let go."""

    def __init__(self, *answers: Written | Exception | None) -> None:
        self.answers = list(answers)
        self.go = threading.Event()

    def write(self, batch: Batch) -> Written | None:
        assert self.go.wait(60)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def pipeline(writer: Any, on_written: list[Written]) -> Pipeline:
    return Pipeline(writer, on_written.append)


def test_a_batch_is_told_when_it_was_written_and_not_before() -> None:
    writer, on_written = Writer(WRITTEN), list[Written]()
    with pipeline(writer, on_written) as under_way:
        assert under_way.submit(Batch())
        assert not on_written
        writer.go.set()
        assert under_way.await_batch()
    assert on_written == [WRITTEN]


def test_after_a_batch_that_found_no_place_none_begins() -> None:
    writer, on_written = Writer(None), list[Written]()
    writer.go.set()
    with pipeline(writer, on_written) as under_way:
        assert under_way.submit(Batch())
        assert not under_way.submit(Batch())
    assert not on_written
    assert not writer.answers


def test_a_failed_batch_fails_whoever_waits_for_it() -> None:
    writer = Writer(OSError("the disk is full"))
    writer.go.set()
    with pipeline(writer, []) as under_way:
        under_way.submit(Batch())
        with pytest.raises(OSError, match="disk is full"):
            under_way.await_batch()


def test_threads_change_over_faster_until_the_last_pipeline_closes() -> None:
    usual = sys.getswitchinterval()
    first, second = pipeline(Writer(), []), pipeline(Writer(), [])
    with ExitStack() as outlasting:
        with first:
            outlasting.enter_context(second)
        assert sys.getswitchinterval() < usual
    assert sys.getswitchinterval() == usual
