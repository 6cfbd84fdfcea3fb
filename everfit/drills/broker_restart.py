"""Kill the broker while events flow and are read, and start it again; its log is on disk."""

import threading
import time
from contextlib import closing

from everfit.drills.catalogue import Announce, Order
from everfit.drills.consumer_pool import Nursery
from everfit.drills.guarantee_report import Report, hold
from everfit.drills.test_bed import prepared
from everfit.drills.traffic import Producer, Sent
from everfit.drills.workload import drain, portions

UP_SECONDS = 1.0  # at most, before it is killed


def run(order: Order, announce: Announce) -> Report:
    """Each portion is under way when the broker is killed; the producer sends again what was not acknowledged."""
    sent, draw = Sent(), order.random
    with prepared(order.broker) as ground, closing(Producer(ground.kafka, sent)) as producer, Nursery(ground) as nursery:
        for number, portion in enumerate(portions(order)):
            nursery.tend()
            flow = threading.Thread(target=producer.send, args=(portion,))
            flow.start()
            if number < order.kills:
                time.sleep(draw.uniform(0, UP_SECONDS))
                ground.kill_broker()
                ground.start_broker()
                announce(f"broker killed and started again, {number + 1} of {order.kills}")
            flow.join()
        drain(ground, nursery, sent)
        did = [f"killed the broker {order.kills} times with SIGKILL while events were sent and read, and started it again"]
        return hold("broker-restart", did, ground.engine, sent)
