"""Open transactions: records after the first of a transaction cannot be read until it is committed or aborted."""

import time
from collections.abc import Mapping

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import IncompatibleBrokerVersion

REQUEST_SECONDS = 0.2  # between two requests while a partition is blocked


class OpenTransactions:
    """The partitions that cannot be read further for now, and at which position, by the brokers."""

    def __init__(self, admin: KafkaAdminClient) -> None:
        self._admin = admin
        self._blocked: dict[TopicPartition, int] = {}
        self._next_request_at = 0.0

    def look(self, behind: Mapping[TopicPartition, int]) -> None:
        """Query the partitions that are not read to their end, by their positions.

        Raises:
            KafkaError: when the brokers do not answer. A broker without this request has no transactions to wait for.
        """
        if not behind or time.monotonic() < self._next_request_at:
            return
        try:
            answers = self._admin.describe_producers(list(behind))
        except IncompatibleBrokerVersion:
            answers = {}
        self._next_request_at = time.monotonic() + REQUEST_SECONDS
        begun = {
            partition: [producer.current_transaction_start_offset for producer in state.active_producers]
            for partition, state in answers.items()
        }
        self._blocked = {
            partition: position
            for partition, position in behind.items()
            if any(0 <= start <= position for start in begun.get(partition, ()))
        }

    def blocks(self, partition: TopicPartition, position: int) -> bool:
        """Whether a transaction blocked reading at this position at the last query."""
        return self._blocked.get(partition) == position
