"""The fixtures hold what they promise: each test has a database and a broker to itself."""

import pytest
import sqlalchemy as sa
from kafka import KafkaAdminClient, KafkaProducer
from sqlalchemy import Engine

from everfit.store.tables import metadata
from everfit.topics.admin import TOPICS
from everfit.topics.events import PREDICTIONS


@pytest.mark.parametrize("turn", [1, 2])
def test_a_database_of_its_own(engine: Engine, turn: int) -> None:
    with engine.begin() as connection:
        there = set(sa.inspect(connection).get_table_names())
        assert set(metadata.tables) <= there
        connection.execute(sa.text("CREATE TABLE left_behind (n integer)"))
    assert "left_behind" not in there


@pytest.mark.parametrize("turn", [1, 2])
def test_a_broker_of_its_own(kafka: str, turn: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    assert set(admin.list_topics()) == set(TOPICS)
    admin.close()
    producer = KafkaProducer(bootstrap_servers=kafka)
    assert producer.send(PREDICTIONS, b"{}").get(timeout=5).offset == 0
    producer.close()
