"""Delete the topics and make them again: offsets begin at 0, and what comes then must be neither skipped nor doubled."""

from contextlib import closing

import sqlalchemy as sa
from kafka import KafkaAdminClient

from everfit.drills.catalogue import Announce, Order
from everfit.drills.consumer_pool import Nursery
from everfit.drills.guarantee_report import Report, hold
from everfit.drills.test_bed import Ground, prepared
from everfit.drills.traffic import Event, Producer, Sent
from everfit.drills.workload import drain, portions
from everfit.store.tables import consumer_offsets
from everfit.topics.events import OUTCOMES, PREDICTIONS
from everfit.waiting import wait_until

TOPICS = [PREDICTIONS, OUTCOMES]
REPEATED = 100  # events of before, sent again to the topic that was made again


def run(order: Order, announce: Announce) -> Report:
    """A portion flows and is read, the topics are made again under the consumer, and the next one begins with repeats."""
    sent, before = Sent(), list[Event]()
    with prepared(order.broker) as ground, Nursery(ground) as nursery:
        for number, portion in enumerate(portions(order)):
            with closing(Producer(ground.kafka, sent)) as producer:
                producer.send(before[-REPEATED:] + portion)
            drain(ground, nursery, sent)
            if number < order.kills:
                nursery.tend()
                _make_again(ground)
                announce(f"topics deleted and made again, {number + 1} of {order.kills}")
            before = portion
        with ground.engine.connect() as connection:
            noticed = connection.execute(sa.select(sa.func.sum(consumer_offsets.c.restarts))).scalar_one()
        did = [
            f"deleted and made {len(TOPICS)} topics again {order.kills} times under a consumer",
            f"{noticed} partitions were noticed to have begun again",
        ]
        return hold("topic-remade", did, ground.engine, sent)


def _make_again(ground: Ground) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=ground.kafka)) as admin:
        admin.delete_topics(TOPICS)
        wait_until(lambda: set(TOPICS) & set(admin.list_topics()), lambda left: not left, "the topics to be deleted;")
    ground.make_topics()
