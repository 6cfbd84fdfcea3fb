"""Stop Postgres and start it again while events flow, every second time as a crash would."""

import time
from contextlib import closing

from everfit.drills.catalogue import Announce, Order
from everfit.drills.consumer_pool import Nursery
from everfit.drills.guarantee_report import Report, hold
from everfit.drills.test_bed import prepared
from everfit.drills.traffic import Producer, Sent
from everfit.drills.workload import drain, portions

UP_SECONDS = 1.0  # at most, before it is stopped


def run(order: Order, announce: Announce) -> Report:
    """Half of each portion flows while Postgres is up, half while it is down."""
    sent, draw = Sent(), order.random
    with prepared(order.broker) as ground, closing(Producer(ground.kafka, sent)) as producer, Nursery(ground) as nursery:
        for number, portion in enumerate(portions(order)):
            middle = len(portion) // 2
            nursery.tend()
            producer.send(portion[:middle])
            if number < order.kills:
                time.sleep(draw.uniform(0, UP_SECONDS))
                ground.stop_postgres(crash=bool(number % 2))
                announce(f"Postgres stopped, {number + 1} of {order.kills}")
            producer.send(portion[middle:])
            ground.start_postgres()
        drain(ground, nursery, sent)
        did = [f"stopped Postgres {order.kills} times, {order.kills // 2} of them without a checkpoint, and started it again"]
        return hold("postgres-restart", did, ground.engine, sent)
