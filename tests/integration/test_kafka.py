"""What only Apache Kafka has: TLS and SASL, and retention that deletes what was not read yet (`make test-kafka`)."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from everfit.alerts import log_rules
from everfit.environment import kafka_options as clients
from everfit.environment.kafka_options import options
from everfit.errors import ServiceError
from everfit.stack import apache_kafka, broker
from everfit.stack.ports import LOCAL, any_free
from everfit.store.lake import Lake
from everfit.store.tables import log_gaps, predictions
from everfit.topics.admin import create_topics
from everfit.topics.events import PREDICTIONS
from everfit.waiting import wait_until
from monitors.log_pass import run_pass
from monitors.pass_result import PassResult
from tests.brokers import ON_KAFKA, started
from tests.events import MODEL, prediction, produce

pytestmark = pytest.mark.skipif(not ON_KAFKA, reason="the broker from the wheel has neither; make test-kafka runs it")

PASSWORD = "let-me-in"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
SECURE = """
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL
listener.name.secure.sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.plain.sasl.jaas.config={plain} user_everfit="{password}";
listener.name.secure.ssl.keystore.location={folder}/broker.p12
listener.name.secure.ssl.keystore.type=PKCS12
listener.name.secure.ssl.keystore.password={password}
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def read(engine: sa.Engine, lake: Lake, kafka: str) -> PassResult:
    return run_pass(engine, lake, kafka, {MODEL.name: MODEL}, linger_seconds=0.0)


def test_what_retention_deleted_before_it_was_read_is_a_gap_of_known_size(engine: sa.Engine, lake: Lake, kafka: str) -> None:
    produce(kafka, [prediction(number) for number in range(20)])
    read(engine, lake, kafka)
    produce(kafka, [prediction(number) for number in range(20, 30)])
    with closing(KafkaAdminClient(**options(kafka))) as admin:
        admin.delete_records({TopicPartition(PREDICTIONS, 0): 25})
    assert read(engine, lake, kafka).predictions == {MODEL.name: 5}
    assert read(engine, lake, kafka).predictions == {}, "it is told once"
    with engine.connect() as connection:
        (gap,) = connection.execute(sa.select(log_gaps)).all()
        assert connection.execute(sa.select(sa.func.count()).select_from(predictions)).scalar() == 25
        (told,) = log_rules.look(connection, 0.05).ongoing.values()
    assert (gap.topic, gap.partition, gap.first_offset, gap.next_offset) == (PREDICTIONS, 0, 20, 25)
    assert told.startswith(
        "5 records of everfit.predictions, partition 0 (offsets 20 to 24) were deleted before they were read"
    )


def test_what_retention_deleted_of_a_log_that_began_again_is_a_gap_too(engine: sa.Engine, lake: Lake, kafka: str) -> None:
    produce(kafka, [prediction(number) for number in range(20)])
    with closing(KafkaAdminClient(**options(kafka))) as admin:
        read(engine, lake, kafka)
        admin.delete_topics([PREDICTIONS])
        wait_until(lambda: PREDICTIONS in admin.list_topics(), lambda left: not left, "the topic to be deleted;")
        create_topics(kafka)
        produce(kafka, [prediction(number) for number in range(20, 50)])
        admin.delete_records({TopicPartition(PREDICTIONS, 0): 4})
    assert read(engine, lake, kafka).predictions == {MODEL.name: 26}
    with engine.connect() as connection:
        (gap,) = connection.execute(sa.select(log_gaps)).all()
    assert (gap.first_offset, gap.next_offset) == (0, 4)


def test_what_retention_deleted_after_it_was_read_is_no_gap_and_no_new_log(
    engine: sa.Engine, lake: Lake, kafka: str, caplog: pytest.LogCaptureFixture
) -> None:
    produce(kafka, [prediction(number) for number in range(20)])
    read(engine, lake, kafka)
    with closing(KafkaAdminClient(**options(kafka))) as admin:
        admin.delete_records({TopicPartition(PREDICTIONS, 0): 20})
    produce(kafka, [prediction(20)])
    assert read(engine, lake, kafka).predictions == {MODEL.name: 1}
    assert "restarted" not in caplog.text
    with engine.connect() as connection:
        assert connection.execute(sa.select(log_gaps)).all() == []


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Address of a listener that asks for TLS and a password, and the certificate to trust."""
    folder = tmp_path_factory.mktemp("secured")
    port, secure = any_free(), any_free()
    command = apache_kafka.prepare(folder, port)
    authority = certified(folder)
    settings = folder / "server.properties"
    both = f"listeners=PLAINTEXT://{LOCAL}:{port},SECURE://{LOCAL}:{secure}"
    text = settings.read_text().replace(f"listeners=PLAINTEXT://{LOCAL}:{port}", both)
    settings.write_text(text + SECURE.format(folder=folder, password=PASSWORD, plain=PLAIN))
    with started(command, f"{LOCAL}:{port}") as plain:
        create_topics(plain)
        with closing(KafkaAdminClient(**options(plain))) as admin:
            for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):  # one of a user in a request
                told = admin.alter_user_scram_credentials([UserScramCredentialUpsertion("everfit", mechanism, PASSWORD)])
                assert told == {"everfit": None}
        yield f"{LOCAL}:{secure}", authority


def certified(folder: Path) -> Path:
    """A key for the broker, and its certificate as a PEM file."""
    store = ["-keystore", str(folder / "broker.p12"), "-storetype", "PKCS12", "-storepass", PASSWORD, "-alias", "broker"]
    name = ["-dname", "CN=127.0.0.1", "-ext", f"SAN=ip:{LOCAL}", "-validity", "30", "-keyalg", "RSA"]
    authority = folder / "authority.pem"
    subprocess.run(["keytool", "-genkeypair", *name, *store], check=True, capture_output=True)
    subprocess.run(["keytool", "-exportcert", "-rfc", "-file", str(authority), *store], check=True, capture_output=True)
    return authority


@contextmanager
def credentials(monkeypatch: pytest.MonkeyPatch, mechanism: str, authority: Path, password: str) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv(clients.PROTOCOL, "SASL_SSL")
        patched.setenv(clients.MECHANISM, mechanism)
        patched.setenv(clients.USERNAME, "everfit")
        patched.setenv(clients.PASSWORD, password)
        patched.setenv(clients.CAFILE, str(authority))
        yield


def test_the_log_is_written_and_read_over_tls_with_each_mechanism(
    engine: sa.Engine, lake: Lake, secured: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, authority = secured
    for number, mechanism in enumerate(["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]):
        with credentials(monkeypatch, mechanism, authority, PASSWORD):
            assert broker.answers(address)
            produce(address, [prediction(number)])
            assert read(engine, lake, address).predictions == {MODEL.name: 1}


def test_a_wrong_password_is_told_as_what_it_may_be(
    engine: sa.Engine, lake: Lake, secured: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, authority = secured
    with (
        credentials(monkeypatch, "SCRAM-SHA-512", authority, "wrong"),
        pytest.raises(ServiceError, match="A wrong password or certificate looks like no answer") as told,
    ):
        read(engine, lake, address)
    assert "_PASSWORD=***" in str(told.value)


def test_speaking_plain_text_to_it_is_told(engine: sa.Engine, lake: Lake, secured: tuple[str, Path]) -> None:
    assert clients.PROTOCOL not in os.environ
    with pytest.raises(ServiceError, match="if it asks for TLS or a password, set EVERFIT_KAFKA_SECURITY_PROTOCOL"):
        read(engine, lake, secured[0])
