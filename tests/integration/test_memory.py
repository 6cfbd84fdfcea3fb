"""A pass over the log leaves nothing behind: a process that makes one after the other does not grow."""

import gc
from pathlib import Path

import pytest
import sqlalchemy as sa
from kafka import KafkaConsumer

from everfit.store.lake import Lake
from monitors import memory
from monitors.log_pass import run_pass
from tests.events import MODEL, prediction, produce


def test_of_a_pass_that_read_much_no_client_is_left(
    engine: sa.Engine, tmp_path: Path, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "LARGE_PASS", 99)
    produce(kafka, [prediction(number) for number in range(100)])
    gc.collect()
    gc.disable()
    try:
        assert run_pass(engine, Lake(tmp_path / "lake"), kafka, {MODEL.name: MODEL}, linger_seconds=0).records == 100
        left = [one for one in gc.get_objects() if issubclass(type(one), KafkaConsumer)]
    finally:
        gc.enable()
    assert left == []
