"""What an earlier version kept is read by this one, which goes on from there; and so does what a backup of it restores.

The tests are one story: each goes on where the one before it stopped.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import msgspec
import pytest
import sqlalchemy as sa
from mlflow import MlflowClient

from everfit.declaration.reserved_columns import EVENT_TIME
from everfit.environment.settings import Settings
from everfit.pipeline import manifests
from everfit.pipeline.manifests import Evaluation, TrainedModel, TrainingSet, Version
from everfit.pipeline.retraining import retrain
from everfit.replay.player import progress_file, replay
from everfit.replay.progress import Progress
from everfit.replay.serving_client import ServingClient
from everfit.runtime import Runtime
from everfit.stack.services import BROKER, POSTGRES
from everfit.stack.supervisor import Stack
from everfit.store import decisions, ledger
from everfit.store.tables import metadata, predictions, windows
from everfit.store.view_builds import build
from everfit.timing import format_time
from everfit.topics.events import Prediction, decode_as
from everfit.training.artifact import Scorer
from models.electricity_price import electricity_price
from monitors.log_pass import run_pass
from tests.kept import STATE, unpack

MODEL = electricity_price
WEEK = MODEL.drift.window
SERVICES = (POSTGRES, BROKER, "mlflow", "serving")
UNTIL = MODEL.go_live + STATE["weeks"] * WEEK
SECONDS = 60
NOBODY = "http://127.0.0.1:1"


@contextmanager
def running(home: Path) -> Iterator[Runtime]:
    """The stack of a home without Dagster, whose work the tests do."""
    stack = Stack(home, Path.cwd(), SERVICES)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("EVERFIT_DAGSTER_URL", NOBODY)
            stack.up()
        settings = Settings.load({"EVERFIT_HOME": str(home), "EVERFIT_DAGSTER_URL": NOBODY})
        with Runtime(settings) as runtime:
            build(runtime.engine, runtime.models, wait=True)  # as `everfit up` does
            yield runtime
    finally:
        stack.down()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Not pytest's: Postgres' user, who is not root, has to reach it."""
    with TemporaryDirectory(prefix="everfit-upgrade-") as made:
        yield Path(made).resolve()


@pytest.fixture(scope="module")
def spooled(folder: Path) -> list[Prediction]:
    """What the earlier version had answered and could not send; the home is there from then on, not yet up."""
    unpack(folder / "home")
    (spool,) = (folder / "home" / "spool").iterdir()
    decoder = msgspec.json.Decoder(Prediction)
    lines = [decode_as(decoder, line) for line in spool.read_bytes().splitlines()]
    assert len(lines) == STATE["spooled"]
    return lines


@pytest.fixture(scope="module")
def opened(folder: Path, spooled: list[Prediction]) -> Iterator[Runtime]:
    """The home, brought up by this version."""
    with running(folder / "home") as runtime:
        yield runtime


def counted(runtime: Runtime, table: str) -> int:
    with runtime.engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(metadata.tables[table])).scalar_one()


def read_log(runtime: Runtime, weeks: int) -> None:
    """Passes of the monitors, until so many windows are closed."""
    deadline = time.monotonic() + SECONDS
    while counted(runtime, "windows") < weeks:
        assert time.monotonic() < deadline, "no window closes"
        run_pass(runtime.engine, runtime.lake, runtime.settings.kafka, runtime.models)


def answers_as_then(runtime: Runtime, spooled: list[Prediction]) -> None:
    """The champion answers the requests of then with the scores of then, which the store holds once."""
    fields = [column.name for column in MODEL.request]
    champion = [one for one in spooled if one.role == "champion"]
    for then in champion:
        inputs = {name: then.features[name] for name in fields}
        body = {"request_id": then.request_id, "event_time": format_time(then.event_time), "inputs": inputs}
        url = f"{runtime.settings.serving}/predict/{MODEL.name}"
        now = httpx.post(url, json=body, trust_env=False, timeout=SECONDS).raise_for_status().json()
        assert (now["version"], now["degraded"]) == (then.version, False)
        assert now["score"] == pytest.approx(then.score, abs=1e-9)


def await_served(runtime: Runtime) -> None:
    """Return when a champion answers."""
    deadline = time.monotonic() + SECONDS
    url = f"{runtime.settings.serving}/v2/models/{MODEL.name}/ready"
    while httpx.get(url, trust_env=False, timeout=SECONDS).status_code != 200:
        assert time.monotonic() < deadline, "serving loads no champion"
        time.sleep(0.1)


def flush(runtime: Runtime) -> None:
    httpx.post(f"{runtime.settings.serving}/flush", trust_env=False, timeout=SECONDS).raise_for_status()


def test_everything_that_was_kept_is_read(opened: Runtime) -> None:
    assert {name: counted(opened, name) for name in STATE["rows"]} == STATE["rows"]
    manifests.newest(opened, MODEL, "training_set", TrainingSet)
    manifests.newest(opened, MODEL, "trained_model", TrainedModel)
    manifests.newest(opened, MODEL, "evaluation", Evaluation)
    with opened.engine.connect() as connection:
        champion = ledger.champion(connection, MODEL.name)
        assert champion is not None
        for version in (1, 2):
            promoted = ledger.recorded(connection, MODEL.name, version)
            assert promoted is not None
            known = manifests.get(opened.lake, promoted.manifest, Version)
            assert known.candidate.calibration.windows > 0
            assert opened.lake.get_frame(known.candidate.reference).height > 0
            assert opened.lake.get_frame(known.training_set.rows_hash).height == known.training_set.rows
            artifact = opened.registry.fetch(MODEL.name, version)
            assert Scorer(artifact.content, artifact.signature).signature.features == MODEL.features
        history = decisions.history(connection, MODEL, champion)
    assert (history.champion, champion.version) == (2, 2)
    assert opened.registry.roles(MODEL.name) == {"champion": 2, "shadow": 1}
    played = Progress.load(progress_file(opened.settings.home, MODEL), MODEL.name, MODEL.go_live)
    assert (played.answered, played.windows) == (STATE["rows"]["predictions"], STATE["rows"]["windows"])


def test_the_champion_answers_as_it_did(opened: Runtime, spooled: list[Prediction]) -> None:
    await_served(opened)
    answers_as_then(opened, spooled)


def test_the_spool_reaches_the_store_once_and_the_window_closes(opened: Runtime, spooled: list[Prediction]) -> None:
    flush(opened)
    assert [file.stat().st_size for file in (opened.settings.home / "spool").iterdir() if file.suffix == ".jsonl"] in ([], [0])
    read_log(opened, STATE["rows"]["windows"] + 1)
    assert counted(opened, "predictions") == STATE["rows"]["predictions"] + len(spooled)
    judged = _judged(opened, UNTIL)
    assert {kind for _, kind, _ in judged} == {"quality", "drift", "performance", "freshness", "regret"}
    assert ("quality", "ok") in {(kind, verdict) for version, kind, verdict in judged if version == 1}


def test_the_replay_is_taken_up_and_the_next_window_judged(opened: Runtime) -> None:
    replay(opened, MODEL, MODEL.go_live, UNTIL + WEEK + timedelta(hours=1), free_running=True)
    read_log(opened, STATE["rows"]["windows"] + 2)
    with opened.engine.connect() as connection:
        last = connection.execute(sa.select(windows).order_by(windows.c.end.desc()).limit(1)).one()
        asked = (predictions.c.role == "champion", predictions.c.event_time < UNTIL + WEEK)
        rows = connection.execute(sa.select(sa.func.count()).select_from(predictions).where(*asked)).scalar_one()
    assert (last.start, last.end, last.champion) == (UNTIL, UNTIL + WEEK, 2)
    assert rows == (STATE["weeks"] + 1) * 7 * 48
    judged = {kind: verdict for version, kind, verdict in _judged(opened, UNTIL + WEEK) if version == 2}
    assert judged["quality"] == "ok"
    assert [kind for kind, verdict in judged.items() if verdict == "insufficient"] == ["regret"], "nobody fits comparators here"


def test_a_training_learns_from_before_and_after(opened: Runtime) -> None:
    concluded = retrain(opened, MODEL)
    training_set, _ = manifests.newest(opened, MODEL, "training_set", TrainingSet)
    assert training_set.cutoff == UNTIL + WEEK
    rows = opened.lake.get_frame(training_set.rows_hash)[EVENT_TIME]
    assert rows.min() < MODEL.go_live < rows.max()  # type: ignore[operator]
    assert rows.is_between(UNTIL, UNTIL + WEEK).sum() > 6 * 48
    assert counted(opened, "ledger") == STATE["rows"]["ledger"] + 1
    assert concluded.version in (None, 3)


def test_a_backup_restored_elsewhere_goes_on(opened: Runtime, folder: Path) -> None:
    flush(opened)
    with opened.engine.connect() as connection:
        champion = ledger.champion(connection, MODEL.name)
        assert champion is not None
    MlflowClient(opened.settings.mlflow).set_registered_model_alias(MODEL.name, "champion", "1")  # as if it were ahead
    page = (Path.cwd() / "docs" / "operate.md").read_text()
    backup, restore = (block.split("```")[0] for block in page.split("## Backups")[1].split("```\n")[1:4:2])
    environment = {**os.environ, "BACKUP": str(folder / "backup")}
    _bash(backup, environment | {"EVERFIT_HOME": str(folder / "home")})
    counts = {name: counted(opened, name) for name in metadata.tables}
    _bash(restore.replace("everfit up", ":"), environment | {"EVERFIT_HOME": str(folder / "elsewhere")})
    shutil.copytree(folder / "home" / "replay", folder / "elsewhere" / "replay")  # how far the outside world is
    with running(folder / "elsewhere") as restored:
        assert {name: counted(restored, name) for name in metadata.tables} == counts
        await_served(restored)
        with closing(ServingClient(restored.settings.serving)) as serving:
            assert serving.roles(MODEL.name).champion == champion.version, "the ledger rules"
        end = UNTIL + 2 * WEEK + timedelta(hours=1)
        replay(restored, MODEL, MODEL.go_live, end, free_running=True)
        read_log(restored, counts["windows"] + 1)
        assert {kind for _, kind, _ in _judged(restored, UNTIL + 2 * WEEK)} >= {"quality", "drift"}


def _judged(runtime: Runtime, end: datetime) -> list[tuple[int, str, str]]:
    query = sa.text("SELECT version, kind, verdict FROM evidence WHERE window_end = :end")
    with runtime.engine.connect() as connection:
        return [(row.version, row.kind, row.verdict) for row in connection.execute(query, {"end": end})]


def _bash(script: str, environment: dict[str, str]) -> None:
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], env=environment, check=True)
