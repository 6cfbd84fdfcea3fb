"""What the ledger says of a model, row by row."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from everfit.store import ledger, served_history
from everfit.store.ledger import Action, Champion, Entry
from everfit.timing import wall_clock

AT = datetime(2025, 1, 1, tzinfo=UTC)


def entry(model: str, action: Action, before: int | None, version: int | None, /, **detail: Any) -> Entry:
    return Entry(model, action, before, version, "test", "drift", "as it should be", None, AT, detail)


def test_a_promotion_and_a_rollback_alone_change_the_champion(engine: sa.Engine) -> None:
    model = f"price_{uuid.uuid4().hex}"
    given = {"manifest": "abc", "trained_until": AT.isoformat()}
    with engine.connect() as connection:
        for action, before, version, detail, champion in (
            ("registered", None, 1, given, None),
            ("promoted", None, 1, given, 1),
            ("registered", 1, 2, given, 1),
            ("advanced", 1, 2, {}, 1),
            ("approved", 1, 2, {}, 1),
            ("promoted", 1, 2, given, 2),
            ("confirmed", 2, 2, {}, 2),
            ("rejected", 2, None, {"version": 3}, 2),
            ("inconclusive", 2, None, {}, 2),
            ("rolled_back", 2, 1, {}, 1),
        ):
            ledger.append(connection, entry(model, action, before, version, **detail))  # type: ignore[arg-type]
            found = ledger.champion(connection, model)
            assert (found and found.version) == champion, action
        step = ledger.newest_step(connection, model)
        assert step is not None
        assert step.version == 1
        assert ledger.highest(connection, model) == 2


def test_a_version_is_on_record_from_its_rollout_on(engine: sa.Engine) -> None:
    model = f"price_{uuid.uuid4().hex}"
    with engine.connect() as connection:
        assert ledger.recorded(connection, model, 4) is None
        given = {"manifest": "abc", "trained_until": AT.isoformat()}
        ledger.append(connection, entry(model, "registered", 3, 4, **given))
        assert ledger.recorded(connection, model, 4) == Champion(4, "abc", AT)


def test_a_model_is_paused_until_it_is_resumed(engine: sa.Engine) -> None:
    model = f"price_{uuid.uuid4().hex}"
    with engine.connect() as connection:
        assert not ledger.is_paused(connection, model)
        for action, paused in (("paused", True), ("rejected", True), ("resumed", False), ("paused", True)):
            ledger.append(connection, entry(model, action, 1, None))  # type: ignore[arg-type]
            assert ledger.is_paused(connection, model) == paused, action


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        ("UPDATE ledger SET reason = 'nicer'", "UPDATE"),
        ("DELETE FROM ledger", "DELETE"),
        ("DELETE FROM ledger WHERE false", "DELETE"),
        ("TRUNCATE ledger", "TRUNCATE"),
        ("TRUNCATE retrain_requests CASCADE", "TRUNCATE"),
        ("SET LOCAL session_replication_role = replica; DELETE FROM ledger", "DELETE"),
    ],
)
def test_the_database_refuses_the_superuser_too_what_would_change_a_row(
    engine: sa.Engine, statement: str, refused: str
) -> None:
    with engine.begin() as connection:
        ledger.append(connection, entry("price", "promoted", None, 1, manifest="abc", trained_until=AT.isoformat()))
    told = f"the ledger is append-only: {refused} is refused"
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")).scalar()
        with pytest.raises(sa.exc.DatabaseError, match=told):
            connection.exec_driver_sql(statement)
        connection.rollback()
        assert ledger.champion(connection, "price") == Champion(1, "abc", AT)


def test_who_was_champion_at_a_moment_and_who_answered_a_request(engine: sa.Engine) -> None:
    model, given = f"price_{uuid.uuid4().hex}", {"manifest": "abc", "trained_until": AT.isoformat(), "candidate": "mlp"}
    with engine.begin() as connection:
        for action, before, version in (
            ("promoted", None, 1),
            ("promoted", 1, 2),
            ("rolled_back", 2, 1),
            ("rejected", 1, None),
            ("registered", 1, 3),
        ):
            ledger.append(connection, entry(model, action, before, version, **given))  # type: ignore[arg-type]
        ledger.append(connection, entry(model, "rejected", 1, None, version=3))
    with engine.connect() as connection:
        assert served_history.champion_at(connection, model, AT) is None
        row = served_history.champion_at(connection, model, wall_clock() + timedelta(minutes=1))
        assert row is not None
        assert (row["action"], row["to_version"]) == ("rolled_back", 1)
        told = [(each["version"], each["state"], each["candidate"]) for each in served_history.versions(connection, model)]
        assert told == [(1, "promoted", "mlp"), (2, "rolled_back", "mlp"), (3, "rejected", "mlp")]
        assert served_history.answers_to(connection, model, "nobody asked") == []
