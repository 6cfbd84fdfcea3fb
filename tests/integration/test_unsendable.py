"""Predictions that a real broker will never take: set aside with its reason, while those before and after them arrive."""

import json
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from kafka import KafkaConsumer, TopicPartition

from everfit.environment.kafka_options import consumer_options
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.producer import KafkaLogProducer, Record
from everfit.serving.spool import Spool
from everfit.topics.admin import create_topics
from everfit.topics.events import PREDICTIONS, encode
from tests.brokers import ON_KAFKA
from tests.events import prediction


def sent(producer: KafkaLogProducer, spool: Path, sizes: list[int]) -> PredictionLog:
    """A log that is closed, after predictions with texts of so many characters."""
    with closing(PredictionLog(producer, Spool(spool))) as log:
        for number, size in enumerate(sizes):
            region = "x" * size
            event = prediction(number)
            event = msgspec.structs.replace(event, entity=region, features=event.features | {"region": region})
            log.add(Record(region[:100].encode(), encode(event)))
        log.flush(60)
    return log


def consumed(kafka: str, count: int) -> set[str]:
    """The requests whose predictions lie on the log, once there are so many."""
    partition, requests = TopicPartition(PREDICTIONS, 0), set[str]()
    with closing(KafkaConsumer(**consumer_options(kafka))) as consumer:
        consumer.assign([partition])
        consumer.seek(partition, 0)
        while len(requests) < count:
            records = consumer.poll(timeout_ms=20_000).get(partition)
            assert records, f"{count} are wanted, {sorted(requests)} are there"
            requests |= {msgspec.json.decode(record.value)["request_id"] for record in records}
    return requests


def test_a_record_above_the_clients_limit_holds_nothing_up(kafka: str, tmp_path: Path) -> None:
    spool = tmp_path / "spool.jsonl"
    log = sent(KafkaLogProducer(kafka, PREDICTIONS), spool, [3, 400_000, 600_000, 3, 3])
    assert (log.rejected, log.acknowledged, log.spooled) == (1, 4, 0)
    (line,) = spool.with_suffix(".rejected").read_text().splitlines()
    assert "MessageSizeTooLargeError" in json.loads(line)["reason"]
    assert json.loads(json.loads(line)["record"])["request_id"] == "request-2"
    produced = consumed(kafka, 4)
    assert produced == {f"request-{number}" for number in (0, 1, 3, 4)}


@pytest.mark.skipif(not ON_KAFKA, reason="the broker from the wheel has no limit of its own; make test-kafka runs it")
def test_a_record_above_the_brokers_limit_holds_nothing_up(kafka: str, tmp_path: Path) -> None:
    create_topics(kafka, ["narrow"], largest_bytes=10_000)
    spool = tmp_path / "spool.jsonl"
    log = sent(KafkaLogProducer(kafka, "narrow"), spool, [3, 3, 50_000, 3, 3])
    assert (log.rejected, log.acknowledged, log.spooled) == (1, 4, 0)
    (line,) = spool.with_suffix(".rejected").read_text().splitlines()
    assert "MessageSizeTooLargeError" in json.loads(line)["reason"]
