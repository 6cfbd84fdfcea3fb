"""Kill the consumer at drawn moments while events flow: every second time inside a transaction, else wherever it is."""

import threading
import time
from contextlib import closing

from everfit.drills.catalogue import Announce, Order
from everfit.drills.consumer_pool import Nursery
from everfit.drills.guarantee_report import Report, hold
from everfit.drills.test_bed import Ground, prepared
from everfit.drills.traffic import Producer, Sent
from everfit.drills.workload import drain, portions

LIFE_SECONDS = 0.8  # at most, of a consumer that is killed wherever it is
AIM_SECONDS = 5.0  # how long one that is killed inside a transaction may take to begin one
INSIDE_SECONDS = 0.02  # a batch of some thousand rows takes longer


def run(order: Order, announce: Announce) -> Report:
    """Events flow, a portion a life; each life ends by SIGKILL; the last one reads on to the end."""
    sent, draw, inside = Sent(), order.random, 0
    with prepared(order.broker) as ground, closing(Producer(ground.kafka, sent)) as producer, Nursery(ground) as nursery:
        for number, portion in enumerate(portions(order)):
            if number == order.kills:
                producer.send(portion)
                break
            flow = threading.Thread(target=producer.send, args=(portion,))
            flow.start()
            consumer = nursery.start()
            if number % 2:
                await_transaction(ground)
            time.sleep(draw.uniform(0, INSIDE_SECONDS if number % 2 else LIFE_SECONDS))
            inside += ground.writing()
            consumer.kill()
            flow.join()
            announce(f"kill {number + 1} of {order.kills}")
        drain(ground, nursery, sent)
        did = [f"killed the consumer {order.kills} times with SIGKILL, {inside} times inside a transaction that had written"]
        return hold("consumer-kill", did, ground.engine, sent)


def await_transaction(ground: Ground) -> None:
    """Return as soon as somebody is inside a transaction that has written, or when it takes too long."""
    deadline = time.monotonic() + AIM_SECONDS
    while not ground.writing() and time.monotonic() < deadline:
        pass
