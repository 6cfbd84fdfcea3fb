"""Where an open transaction holds a log back: what follows its first record cannot be read until it is committed or aborted."""

import time
from collections.abc import Mapping

from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import IncompatibleBrokerVersion

REQUEST_SECONDS = 0.2  # while a partition is held back; the brokers are not asked where all is read


class OpenTransactions:
    """Asks the brokers which partitions cannot be read further for now, and remembers at which position that was."""

    def __init__(self, admin: KafkaAdminClient) -> None:
        self._admin = admin
        self._blocked: dict[TopicPartition, int] = {}
        self._next_request_at = 0.0

    def look(self, behind: Mapping[TopicPartition, int]) -> None:
        """Ask about partitions that are not read to their end, by their positions.

        Raises:
            KafkaError: when the brokers do not answer. One that knows no such question has no transactions to wait for.
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
        """Whether nothing after this position could be read when the brokers were asked last."""
        return self._blocked.get(partition) == position
