"""A model that fails is set aside: the others go on, it is tried again, and it never stands still for good."""

import math
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from everfit import Limits
from everfit.alerts import model_rules
from everfit.alerts.channels import Channels
from everfit.alerts.notification import notify
from everfit.doctor.failed_parts import aside_checks
from everfit.errors import ServiceError, UnknownWindowError
from everfit.store import failures
from everfit.store.failures import Part
from everfit.store.isolation import Isolation
from everfit.store.lake import Lake
from everfit.store.tables import alerts, decisions, evidence, windows
from everfit.timing import format_time
from monitors.judgement import judge_again
from monitors.pass_result import PassResult
from monitors.window_closing import close_windows
from tests.events import MODEL, outcome, prediction, write
from tests.versions import manifest, promote

WEEK = MODEL.drift.window
PATIENT = MODEL.model_copy(update={"name": "patient", "limits": Limits(attempts=3, retry_after=timedelta(0))})
MODELS = {MODEL.name: MODEL, PATIENT.name: PATIENT}
FIRST = MODEL.go_live, MODEL.go_live + WEEK
A_WEEK = int(WEEK / timedelta(minutes=30))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def play(engine: sa.Engine, weeks: int) -> None:
    """Both models answer every half-hour, and the first request after the end lets the last window close."""
    numbers = range(weeks * A_WEEK + 2)
    predictions = [msgspec.structs.replace(prediction(n), model=name) for n in numbers for name in MODELS]
    outcomes = [msgspec.structs.replace(outcome(n), model=name) for n in numbers for name in MODELS]
    write(engine, predictions, outcomes)


def a_pass(engine: sa.Engine, lake: Lake) -> PassResult:
    seen = PassResult()
    close_windows(engine, lake, MODELS, seen, math.inf)
    return seen


def closed(engine: sa.Engine, model: str) -> int:
    with engine.connect() as connection:
        counted = sa.select(sa.func.count()).select_from(windows).where(windows.c.model == model)
        return connection.execute(counted).scalar_one()


def test_a_window_that_fails_holds_up_its_own_model_alone_and_not_for_ever(engine: sa.Engine, lake: Lake) -> None:
    play(engine, 2)
    promote(engine, PATIENT.name, "0" * 64)
    part = Part(PATIENT.name, "window", format_time(FIRST[0]))
    for attempt in (1, 2):
        a_pass(engine, lake)
        assert (closed(engine, MODEL.name), closed(engine, PATIENT.name)) == (2, 0)
        with engine.connect() as connection:
            (failure,) = failures.listed(connection)
            holding = model_rules.look(connection, MODELS).ongoing
        assert (failure.part, failure.attempts) == (part, attempt)
        assert "MissingObjectError" in failure.error
        assert (PATIENT.name, f"stuck:{part}") in holding
    a_pass(engine, lake)
    assert closed(engine, PATIENT.name) == 1, "the window after it begins with attempts of its own"
    with engine.connect() as connection:
        rows = connection.execute(sa.select(evidence).where(evidence.c.window_end == FIRST[1])).all()
        decided = connection.execute(sa.select(decisions.c.action, decisions.c.at)).all()
        (next_one,) = failures.listed(connection)
    verdicts = {row.kind: (row.verdict, row.reason.partition(":")[0]) for row in rows}
    could_not = ("insufficient", "could not be judged")
    assert verdicts.pop("freshness")[0] == "ok"
    assert verdicts == {"quality": could_not, "drift": could_not, "performance": could_not, "regret": could_not}
    assert decided == [("none", FIRST[1])]
    assert next_one.part.name == format_time(FIRST[1])


def test_what_could_not_be_judged_is_judged_again_when_a_person_says_so(engine: sa.Engine, lake: Lake) -> None:
    play(engine, 1)
    digest = manifest(lake, PATIENT.name)
    promote(engine, PATIENT.name, digest)
    file = lake.path(digest, "json")
    content = file.read_bytes()
    file.unlink()
    for _ in range(3):
        a_pass(engine, lake)
    assert closed(engine, PATIENT.name) == 1
    file.write_bytes(content)
    with engine.begin() as connection:
        judged = judge_again(connection, lake, PATIENT, FIRST[0])
    assert {one.kind: one.verdict for one in judged} == {
        "quality": "ok",
        "drift": "insufficient",
        "performance": "ok",
        "regret": "insufficient",
    }
    with engine.begin() as connection:
        rows = connection.execute(sa.select(evidence.c.kind, evidence.c.reason)).all()
        assert judge_again(connection, lake, PATIENT, FIRST[0]) == []
        with pytest.raises(UnknownWindowError, match="the newest begin at 1996-09-04T00:00:00Z"):
            judge_again(connection, lake, PATIENT, FIRST[1])
    assert len(rows) == 5
    assert not any("could not" in row.reason for row in rows)


def test_the_doctor_tells_of_what_is_set_aside(engine: sa.Engine, database_url: str) -> None:
    assert aside_checks(database_url) == []
    Isolation(engine).failed(Part("m", "window", "1996-09-04T00:00:00Z"), "LakeError: gone")
    (check,) = aside_checks(database_url)
    assert (check.name, check.ok) == ("m", False)
    assert check.message.startswith("window 1996-09-04T00:00:00Z fails since ")
    assert check.message.endswith("LakeError: gone")
    assert aside_checks("postgresql+psycopg://nobody@127.0.0.1:1/everfit") == [], "the database's own check tells that"


def test_an_attempt_that_succeeds_ends_the_failure_and_its_alert(engine: sa.Engine, lake: Lake) -> None:
    play(engine, 1)
    digest = manifest(lake, PATIENT.name)
    promote(engine, PATIENT.name, digest)
    file = lake.path(digest, "json")
    content = file.read_bytes()
    file.unlink()
    a_pass(engine, lake)
    _alert(engine)
    file.write_bytes(content)
    a_pass(engine, lake)
    _alert(engine)
    with engine.connect() as connection:
        assert failures.listed(connection) == []
        (alert,) = connection.execute(sa.select(alerts.c.cause, alerts.c.resolved_at)).all()
        kinds = connection.execute(sa.select(evidence.c.kind, evidence.c.reason)).all()
    assert alert.cause.startswith("stuck:window")
    assert alert.resolved_at is not None
    assert len(kinds) == 5
    assert not any("could not" in row.reason for row in kinds)


def _alert(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        watched = model_rules.look(connection, MODELS)
    notify(engine, watched, Channels())


def test_a_part_waits_for_its_back_off_and_a_server_that_is_away_is_nobodys_fault(engine: sa.Engine) -> None:
    part, calls = Part("m", "days"), []

    def fail() -> None:
        calls.append(1)
        raise ValueError("row \0 \ud800 of B cannot be read")

    isolation = Isolation(engine)
    assert isolation.attempt(part, fail) is None
    assert isolation.attempt(part, fail) is None
    assert Isolation(engine).attempt(part, fail) is None, "another process waits as well"
    assert len(calls) == 1
    with engine.connect() as connection:
        (failure,) = failures.listed(connection)
    assert failure.error == "ValueError: row \\0 \\ud800 of B cannot be read"

    def away() -> None:
        raise ServiceError("Kafka is away")

    with pytest.raises(ServiceError):
        isolation.attempt(Part("m", "launch"), away)

    def cut_off() -> None:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(sa.exc.OperationalError):
        isolation.attempt(Part("m", "launch"), cut_off)
    with engine.connect() as connection:
        assert len(failures.listed(connection)) == 1
