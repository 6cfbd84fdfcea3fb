"""Kill the consumer at random moments while events are sent; every second time inside a transaction."""

import threading
import time
from contextlib import closing

from everfit.drills.catalogue import Announce, Order
from everfit.drills.consumer_pool import ConsumerPool
from everfit.drills.guarantee_report import Report, check_guarantee
from everfit.drills.test_bed import TestBed, open_test_bed
from everfit.drills.traffic import Producer, Sent
from everfit.drills.workload import drain, portions

LIFE_SECONDS = 0.8  # at most, of a consumer that is killed at any point
AIM_SECONDS = 5.0  # at most, until a consumer begins a transaction to be killed in
INSIDE_SECONDS = 0.02  # a batch of some thousand rows takes longer


def run(order: Order, announce: Announce) -> Report:
    """Send a portion during each consumer's life, end it by SIGKILL, and let the last consumer read to the end."""
    sent, draw, inside = Sent(), order.random, 0
    with open_test_bed(order.broker) as bed, closing(Producer(bed.kafka, sent)) as producer, ConsumerPool(bed) as pool:
        for number, portion in enumerate(portions(order)):
            if number == order.kills:
                producer.send(portion)
                break
            flow = threading.Thread(target=producer.send, args=(portion,))
            flow.start()
            consumer = pool.start()
            if number % 2:
                await_transaction(bed)
            time.sleep(draw.uniform(0, INSIDE_SECONDS if number % 2 else LIFE_SECONDS))
            inside += bed.writing()
            consumer.kill()
            flow.join()
            announce(f"kill {number + 1} of {order.kills}")
        drain(bed, pool, sent)
        did = [f"killed the consumer {order.kills} times with SIGKILL, {inside} times inside a transaction that had written"]
        return check_guarantee("consumer-kill", did, bed.engine, sent)


def await_transaction(bed: TestBed) -> None:
    """Return as soon as a session is inside a transaction that has written, or when that takes too long."""
    deadline = time.monotonic() + AIM_SECONDS
    while not bed.writing() and time.monotonic() < deadline:
        pass
