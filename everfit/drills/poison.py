"""One invalid record in twenty, with repeated, unordered and late events: the counts must add up exactly."""

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import msgspec
import sqlalchemy as sa

from everfit.drills.catalogue import Announce, Order
from everfit.drills.consumer_pool import ConsumerPool
from everfit.drills.guarantee_report import Report, check_guarantee
from everfit.drills.test_bed import open_test_bed
from everfit.drills.traffic import LARGEST_BYTES, Event, Events, Producer, Sent
from everfit.drills.workload import drain
from everfit.store.tables import predictions
from everfit.topics.events import Prediction

BLOCK = 1_000  # records that are mixed with each other
POISONED, REPEATED, DELAYED = 0.05, 0.02, 0.01  # shares of a block
LARGE_BYTES = 2 * 2**20

Spoil = Callable[[dict[str, Any]], bytes | None]


def run(order: Order, announce: Announce) -> Report:
    """Send blocks of mixed records while a consumer reads, and the delayed events last, after their windows have closed."""
    sent, draw, events = Sent(), order.random, Events(order.seed)
    late: list[Event] = []
    with (
        open_test_bed(order.broker, largest_bytes=LARGEST_BYTES) as bed,
        closing(Producer(bed.kafka, sent)) as producer,
        ConsumerPool(bed) as pool,
    ):
        pool.start()
        blocks = order.events // BLOCK
        for number in range(blocks):
            block = list(events.take(BLOCK))
            draw.shuffle(block)
            delayed, immediate = block[: int(BLOCK * DELAYED)], block[int(BLOCK * DELAYED) :]
            late += delayed
            producer.send(immediate + immediate[: int(BLOCK * REPEATED)])
            producer.send_poison([_spoiled_record(draw.choice(SPOILT), immediate) for _ in range(int(BLOCK * POISONED))])
            announce(f"block {number + 1} of {blocks}")
        drain(bed, pool, sent)
        producer.send(late)
        drain(bed, pool, sent)
        with bed.engine.connect() as connection:
            late_rows = connection.execute(sa.select(sa.func.count()).where(predictions.c.late)).scalar_one()
        did = [
            f"mixed every {BLOCK:,} records, repeated {sent.repeats:,}, spoilt {sent.poison:,} in {len(SPOILT)} ways",
            f"delayed {len(late):,} until all else was stored; {late_rows:,} predictions are marked late",
        ]
        return check_guarantee("poison", did, bed.engine, sent)


def _spoiled_record(spoil: Spoil, block: list[Event]) -> bytes | None:
    """A prediction of the block, made invalid."""
    whole = next(event for event in block if isinstance(event, Prediction))
    return spoil(msgspec.to_builtins(whole))


def _with(**changed: object) -> Spoil:
    return lambda fields: msgspec.json.encode(fields | changed)


def _without(name: str) -> Spoil:
    return lambda fields: msgspec.json.encode({key: value for key, value in fields.items() if key != name})


def _with_features(changed: Mapping[str, object]) -> Spoil:
    return lambda fields: msgspec.json.encode(fields | {"features": fields["features"] | changed})


def _with_score(text: bytes) -> Spoil:
    """JSON has no literal for these; some writers use one."""
    return lambda fields: msgspec.json.encode(fields | {"score": "here"}).replace(b'"here"', text)


SPOILT: list[Spoil] = [
    lambda _: b"not JSON",
    lambda _: b"\xff\xfe\x00",
    lambda _: b"[1, 2, 3]",
    lambda _: None,  # a tombstone
    lambda fields: msgspec.json.encode(fields)[:-20],  # cut off
    _with(score="high"),
    _with(score=1.5),
    _with(version=2**40),
    _with(event_time=17),
    _with(event_time="1970-01-01T00:00:00Z"),
    _with(event_time="2200-01-01T00:00:00Z"),
    _with(model="unheard_of"),
    _with(schema="00000000"),
    _with(surprise=1),
    _without("request_id"),
    _without("features"),
    _with_score(b"NaN"),
    _with_score(b"Infinity"),
    _with_score(b"-Infinity"),
    _with_features({"site": 7}),
    _with_features({"site": "a\0b"}),
    _with_features({f"extra_{number:05}": 0.5 for number in range(10_000)}),
    _with(request_id="x" * LARGE_BYTES),
]
