"""A deployment on its topic, ``everfit.deployments``: serving reads it, and swaps at once."""

import logging
from contextlib import closing
from typing import Literal

from kafka import KafkaProducer
from kafka.errors import KafkaError

from everfit.declaration import Model
from everfit.declaration.rollouts import Role
from everfit.environment.kafka_options import options, require_kafka
from everfit.errors import EverfitError
from everfit.timing import wall_clock
from everfit.topics.events import DEPLOYMENTS, Deployment, encode

ANNOUNCE_SECONDS = 5.0

logger = logging.getLogger(__name__)


def announce(bootstrap: str, model: Model, version: int, reason: str, *, role: Role | Literal["none"] = "champion") -> None:
    """Send a version's new role to the topic of deployments, once it is committed; ``none`` where it has lost the one it had.

    Serving reads the ledger every second anyway: where Kafka does not take the announcement, the promotion stands, and a
    warning is logged.
    """
    event = Deployment(model=model.name, version=version, role=role, reason=reason, at=wall_clock())
    wait_ms = int(ANNOUNCE_SECONDS * 1_000)
    limits = {"max_block_ms": wait_ms, "bootstrap_timeout_ms": wait_ms, "delivery_timeout_ms": wait_ms}
    try:
        require_kafka(bootstrap)
        producer = KafkaProducer(**options(bootstrap), **limits, acks="all", linger_ms=0, request_timeout_ms=wait_ms // 2)
        with closing(producer):
            producer.send(DEPLOYMENTS, key=model.name.encode(), value=encode(event)).get(timeout=ANNOUNCE_SECONDS)
    except (EverfitError, KafkaError, OSError) as error:
        logger.warning("version %d of %s is %s, but Kafka did not take the announcement: %s", version, model.name, role, error)
