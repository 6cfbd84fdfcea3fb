"""Stop Postgres and start it again while events are sent; every second time as in a crash."""

import time
from contextlib import closing

from everfit.drills.catalogue import Announce, Order
from everfit.drills.consumer_pool import ConsumerPool
from everfit.drills.guarantee_report import Report, check_guarantee
from everfit.drills.test_bed import open_test_bed
from everfit.drills.traffic import Producer, Sent
from everfit.drills.workload import drain, portions

UP_SECONDS = 1.0  # at most, before it is stopped


def run(order: Order, announce: Announce) -> Report:
    """Send half of each portion while Postgres is up, half while it is down."""
    sent, draw = Sent(), order.random
    with open_test_bed(order.broker) as bed, closing(Producer(bed.kafka, sent)) as producer, ConsumerPool(bed) as pool:
        for number, portion in enumerate(portions(order)):
            middle = len(portion) // 2
            pool.tend()
            producer.send(portion[:middle])
            if number < order.kills:
                time.sleep(draw.uniform(0, UP_SECONDS))
                bed.stop_postgres(crash=bool(number % 2))
                announce(f"Postgres stopped, {number + 1} of {order.kills}")
            producer.send(portion[middle:])
            bed.start_postgres()
        drain(bed, pool, sent)
        did = [f"stopped Postgres {order.kills} times, {order.kills // 2} of them without a checkpoint, and started it again"]
        return check_guarantee("postgres-restart", did, bed.engine, sent)
