"""Tables and migrations agree; partitions keep their versions; requests follow their runs."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from everfit import Limits
from everfit.declaration.retraining import Status
from everfit.errors import FormatError, ServiceError
from everfit.store import log, partitions, requests
from everfit.store.database import create_engine, migrate, reachable
from everfit.store.partitions import PartitionVersion
from everfit.store.requests import RetrainRequest
from everfit.store.tables import metadata, partition_versions, predictions
from everfit.timing import wall_clock
from models.electricity_price import electricity_price
from monitors.launches import Launch, reconcile
from monitors.transient_failures import Failure
from tests.events import outcome, prediction, write

AT = datetime(1996, 9, 11, tzinfo=UTC)
MODELS = {"electricity_price": electricity_price.model_copy(update={"limits": Limits(attempts=3, retry_after="30s")})}


def test_migrations_make_the_tables_that_the_code_declares(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_again_changes_nothing_and_keeps_the_rows(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        partitions.record(connection, [PartitionVersion("d", "1996-09-04", "hash", 48, "code", {})])
    migrate(engine)
    with engine.connect() as connection:
        assert partitions.newest(connection, "d") == {"1996-09-04": "hash"}


def test_the_schema_goes_back_and_forth_around_the_rows(engine: sa.Engine) -> None:
    write(engine, [prediction(0)], [outcome(0)])
    with engine.begin() as connection:
        before = connection.execute(sa.select(predictions)).all()
    migrate(engine, "0002", down=True)
    migrate(engine)
    with engine.begin() as connection:
        assert connection.execute(sa.select(predictions)).all() == before
        assert log.positions(connection)["log", 0].next_offset == 2


def test_a_corrected_day_gets_a_version_and_the_old_one_stays(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for digest in ("first", "first", "corrected"):
            partitions.record(connection, [PartitionVersion("d", "1996-09-04", digest, 48, "code", {})])
        query = sa.select(partition_versions.c.version, partition_versions.c.hash).order_by(partition_versions.c.version)
        assert [tuple(row) for row in connection.execute(query)] == [(1, "first"), (2, "corrected")]
        assert partitions.newest(connection, "d") == {"1996-09-04": "corrected"}


def test_a_database_that_is_down_is_told_and_its_password_is_not() -> None:
    engine = create_engine("postgresql+psycopg://everfit:secret@127.0.0.1:1/everfit")
    with pytest.raises(ServiceError, match=r"127\.0\.0\.1:1") as told, reachable(engine), engine.connect():
        pass
    assert "secret" not in str(told.value)


@pytest.fixture
def asked(engine: sa.Engine) -> RetrainRequest:
    request = RetrainRequest("id", "electricity_price", "drift", "why", 1, AT, AT)
    with engine.begin() as connection:
        requests.add(connection, request)
    return request


def settled(engine: sa.Engine, launch: Launch) -> RetrainRequest:
    with engine.connect() as connection:
        open_requests = requests.in_status(connection, *requests.OPEN)
    reconcile(engine, MODELS, dict.fromkeys(open_requests, launch))
    with engine.connect() as connection:
        return requests.find(connection, "id")


def test_a_request_that_nobody_launched_stays_pending(engine: sa.Engine, asked: RetrainRequest) -> None:
    assert settled(engine, Launch("unknown")) == asked


def test_a_request_that_the_launcher_holds_is_launched(engine: sa.Engine, asked: RetrainRequest) -> None:
    found = settled(engine, Launch("held", "run"))
    assert (found.status, found.run_id, found.run_key) == ("launched", "run", "id:1")


def test_a_failed_run_is_tried_again_after_its_back_off_and_given_up_at_last(engine: sa.Engine, asked: RetrainRequest) -> None:
    just_now, long_ago = wall_clock(), wall_clock() - timedelta(hours=1)
    assert settled(engine, Launch("ended", "run", just_now)).attempt == 1
    again = settled(engine, Launch("ended", "run", long_ago))
    assert (again.status, again.run_key) == ("pending", "id:2")
    waiting = settled(engine, Launch("ended", "run", just_now, Failure("ServiceError", "Kafka is away")))
    assert (waiting.status, waiting.attempt) == ("pending", 2)
    assert waiting.result == "attempt 2: run run ended without a verdict: ServiceError: Kafka is away"
    assert settled(engine, Launch("ended", "run", just_now + timedelta(hours=-2))).attempt == 3
    given_up = settled(engine, Launch("ended", "run", just_now))
    assert given_up.status == "failed"
    assert given_up.result == "attempt 3: run run ended without a verdict; given up after 3 attempts"


def test_what_cannot_pass_is_not_tried_again(engine: sa.Engine, asked: RetrainRequest) -> None:
    found = settled(engine, Launch("ended", "run", wall_clock(), Failure("SourceError", "price is 7, at most 1 is declared")))
    assert (found.status, found.attempt) == ("failed", 1)
    assert "SourceError: price is 7, at most 1 is declared; it would fail again" in str(found.result)


def test_what_a_person_canceled_is_not_launched_anew(engine: sa.Engine, asked: RetrainRequest) -> None:
    found = settled(engine, Launch("ended", "run", wall_clock(), canceled=True))
    assert (found.status, found.result) == ("failed", "attempt 1: run run was canceled by a person")


def test_a_run_that_was_deleted_is_a_failed_attempt(engine: sa.Engine, asked: RetrainRequest) -> None:
    settled(engine, Launch("held", "run"))
    found = settled(engine, Launch("unknown"))
    assert (found.status, found.run_key) == ("pending", "id:2")
    assert found.result == "attempt 1: run run was deleted before it had a verdict"


@pytest.mark.parametrize("status", ["promoted", "rejected"])
def test_what_the_run_has_written_stands(engine: sa.Engine, asked: RetrainRequest, status: Status) -> None:
    with engine.begin() as connection:
        requests.mark(connection, "id", status, result="told")
    assert settled(engine, Launch("ended", "run", wall_clock() - timedelta(hours=1))).status == status


def test_a_run_that_ends_while_it_is_looked_up_keeps_its_verdict(engine: sa.Engine, asked: RetrainRequest) -> None:
    launches = {asked: Launch("held", "run")}
    with engine.begin() as connection:
        requests.mark(connection, "id", "promoted", result="told")
    reconcile(engine, MODELS, launches)
    with engine.connect() as connection:
        assert requests.find(connection, "id").status == "promoted"


def test_a_schema_of_a_newer_version_is_refused(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(FormatError, match=r"has schema 9999, but this everfit knows schemas up to \d+: a newer everfit"):
        migrate(engine)
