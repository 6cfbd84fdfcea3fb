"""The process that waits for comparators: it starts a worker when one is asked for, and another where that is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from everfit.doctor import examination
from everfit.stack.healthcheck import main
from everfit.store import channels
from everfit.store.tables import comparators
from everfit.waiting import wait_until
from tests.events import MODEL

SERVICE = """
import sys
from everfit.cli import comparators
from monitors import comparator_service
comparator_service.RETRY_SECONDS = 0.1
comparator_service.WORKER = (sys.executable, "-c", sys.argv[1])
comparators.comparators()
"""
# One that hangs in its first turn; in its next it fits all but those of another model.
WORKER = f"""
import os, pathlib, time
import psycopg
turns = pathlib.Path(os.environ["TURNS"])
before = turns.read_text().splitlines() if turns.exists() else []
turns.write_text("\\n".join([*before, str(os.getpid())]))
if not before:
    time.sleep(600)
with psycopg.connect(os.environ["EVERFIT_DATABASE_URL"].replace("+psycopg", "")) as connection:
    connection.execute("UPDATE comparators SET state = 'fitted' WHERE model = '{MODEL.name}'")
"""


def ask(engine: sa.Engine, name: str, model: str = MODEL.name) -> None:
    row = {"id": name, "model": model, "start": MODEL.go_live, "recipe": "recipe", "champion": 1, "state": "asked"}
    with engine.begin() as connection:
        connection.execute(sa.insert(comparators).values(row))
        connection.execute(sa.select(sa.func.pg_notify(channels.COMPARATORS, "")))


def doctor_says(database_url: str) -> str:
    (check,) = examination._comparators(database_url, {})
    return f"{check.message}; {check.todo}" if check.todo else check.message


def is_listening(database_url: str) -> bool:
    return main(["comparators", database_url]) == 0


def waiting(engine: sa.Engine) -> int | None:
    count = sa.select(sa.func.count()).where(comparators.c.state == "asked", comparators.c.model == MODEL.name)
    with engine.connect() as connection:
        return connection.execute(count).scalar()


def test_it_starts_a_worker_for_what_is_asked_and_another_where_it_is_killed(
    engine: sa.Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanting = MODEL.model_copy(update={"retraining": SimpleNamespace(comparator="recipe")})
    monkeypatch.setattr(examination, "load_models", lambda _: {MODEL.name: wanting})
    turns = tmp_path / "turns"
    parts = ("EVERFIT_KAFKA_BOOTSTRAP", "MLFLOW_TRACKING_URI", "EVERFIT_SERVING_URL", "EVERFIT_DAGSTER_URL")
    addresses = {"EVERFIT_DATABASE_URL": database_url, **dict.fromkeys(parts, "http://127.0.0.1:1")}
    environ = {**os.environ, **addresses, "EVERFIT_KAFKA_BOOTSTRAP": "127.0.0.1:1", "TURNS": str(turns)}
    assert not is_listening(database_url)
    assert doctor_says(database_url).startswith(
        f"nobody fits those of {MODEL.name}, so their decisions go on without regret; run"
    )
    assert main(["comparators", "postgresql+psycopg://nobody@127.0.0.1:1/none"]) == 1
    service = subprocess.Popen([sys.executable, "-c", SERVICE, WORKER], env=environ, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: is_listening(database_url), bool, "the service to wait;")
        assert doctor_says(database_url) == f"a process fits those of {MODEL.name}"
        ask(engine, "first")
        (first,) = wait_until(lambda: turns.read_text().split() if turns.exists() else [], bool, "a worker;")
        os.kill(int(first), signal.SIGKILL)
        wait_until(lambda: waiting(engine), lambda count: count == 0, "the next worker to fit it;")
        ask(engine, "of a model that is declared elsewhere", "elsewhere")
        ask(engine, "second")
        wait_until(lambda: waiting(engine), lambda count: count == 0, "a worker to fit the second;")
        time.sleep(1.0)
        assert len(turns.read_text().split()) <= 4, "none is started again and again for what it does not fit"
    finally:
        service.terminate()
        _, told = service.communicate(timeout=20)
    assert service.returncode == 0, told
    assert "ended with exit code -9" in told
    assert not is_listening(database_url)
