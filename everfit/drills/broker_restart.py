"""Kill the broker while events are sent and read, and restart it; its log is on disk."""

import threading
import time
from contextlib import closing

from everfit.drills.catalogue import Announce, Order
from everfit.drills.consumer_pool import ConsumerPool
from everfit.drills.guarantee_report import Report, check_guarantee
from everfit.drills.test_bed import open_test_bed
from everfit.drills.traffic import Producer, Sent
from everfit.drills.workload import drain, portions

UP_SECONDS = 1.0  # at most, before it is killed


def run(order: Order, announce: Announce) -> Report:
    """Kill the broker while each portion is sent; the producer resends what was not acknowledged."""
    sent, draw = Sent(), order.random
    with open_test_bed(order.broker) as bed, closing(Producer(bed.kafka, sent)) as producer, ConsumerPool(bed) as pool:
        for number, portion in enumerate(portions(order)):
            pool.tend()
            workload = threading.Thread(target=producer.send, args=(portion,))
            workload.start()
            if number < order.kills:
                time.sleep(draw.uniform(0, UP_SECONDS))
                bed.kill_broker()
                bed.start_broker()
                announce(f"broker killed and started again, {number + 1} of {order.kills}")
            workload.join()
        drain(bed, pool, sent)
        did = [f"killed the broker {order.kills} times with SIGKILL while events were sent and read, and started it again"]
        return check_guarantee("broker-restart", did, bed.engine, sent)
