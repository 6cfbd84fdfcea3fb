"""Delete the topics and create them again: offsets restart at 0, and new records must be neither skipped nor stored twice."""

from contextlib import closing

import sqlalchemy as sa
from kafka import KafkaAdminClient

from everfit.drills.catalogue import Announce, Order
from everfit.drills.consumer_pool import ConsumerPool
from everfit.drills.guarantee_report import Report, check_guarantee
from everfit.drills.test_bed import TestBed, open_test_bed
from everfit.drills.traffic import Event, Producer, Sent
from everfit.drills.workload import drain, portions
from everfit.store.tables import consumer_offsets
from everfit.topics.events import OUTCOMES, PREDICTIONS
from everfit.waiting import wait_until

TOPICS = [PREDICTIONS, OUTCOMES]
REPEATED = 100  # earlier events that are sent again to the new topic


def run(order: Order, announce: Announce) -> Report:
    """Send and read a portion, recreate the topics under the consumer, and start the next portion with repeats."""
    sent, before = Sent(), list[Event]()
    with open_test_bed(order.broker) as bed, ConsumerPool(bed) as pool:
        for number, portion in enumerate(portions(order)):
            with closing(Producer(bed.kafka, sent)) as producer:
                producer.send(before[-REPEATED:] + portion)
            drain(bed, pool, sent)
            if number < order.kills:
                pool.tend()
                _make_again(bed)
                announce(f"topics deleted and made again, {number + 1} of {order.kills}")
            before = portion
        with bed.engine.connect() as connection:
            restarts = connection.execute(sa.select(sa.func.sum(consumer_offsets.c.restarts))).scalar_one()
        did = [
            f"deleted and made {len(TOPICS)} topics again {order.kills} times under a consumer",
            f"{restarts} partitions were noticed to have begun again",
        ]
        return check_guarantee("topic-remade", did, bed.engine, sent)


def _make_again(bed: TestBed) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=bed.kafka)) as admin:
        admin.delete_topics(TOPICS)
        wait_until(lambda: set(TOPICS) & set(admin.list_topics()), lambda left: not left, "the topics to be deleted;")
    bed.make_topics()
