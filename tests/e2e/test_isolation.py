"""One model fails in every way that a model can; the loop of a sound one beside it goes on, and the failures are said."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from kafka import KafkaProducer

from everfit.environment.kafka_options import options
from everfit.registry.difference import FOLLOWS_WITHIN
from everfit.runtime import Runtime
from everfit.store.database import create_engine
from everfit.store.tables import dead_letters, decisions, ledger, predictions, source_rows, windows
from everfit.topics.events import PREDICTIONS, Prediction, encode
from everfit.waiting import wait_until
from tests.e2e.beside.pump_stop import GO_LIVE, pump_stop
from tests.e2e.stack import Stack, running

pytestmark = pytest.mark.e2e

SOUND, BROKEN = "electricity_price", "pump_stop"
FROM = datetime.fromisoformat("1996-09-04T00:00:00Z")
DAY = timedelta(days=1)
CODECS = ("gzip", "snappy", "lz4", "zstd")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("e2e") / "home", models="tests.e2e.beside") as stack:
        yield stack


@pytest.fixture(scope="module")
def engine(stack: Stack) -> Iterator[sa.Engine]:
    made = create_engine(stack.settings.database_url)
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def played(stack: Stack) -> None:
    """Both are trained, and have lived for a day and a half."""
    for model, start in ((SOUND, FROM), (BROKEN, GO_LIVE)):
        assert stack.json("train", model)["status"] == "promoted"
        stack.json("replay", model, "--from", _text(start), "--to", _text(start + 1.5 * DAY))


@pytest.fixture(scope="module")
def broken(stack: Stack, engine: sa.Engine, played: None) -> None:
    """What breaks a loop: at the doors, on the log, in the store, in the lake, and in MLflow."""
    for load in (1e39, -3.4e38, 1.8e308):
        assert _ask(stack, load=load).status_code == 422
    assert _ask(stack, pump="x" * 600_000).status_code in (413, 422)
    for number, codec in enumerate(CODECS):
        _produce(stack, codec, _prediction(number), _prediction(100 + number, load=1e39))
    with engine.begin() as connection:
        version = connection.execute(sa.select(ledger.c.to_version).where(ledger.c.model == BROKEN)).scalar_one()
        unreadable = {"features": sa.cast({"pump": "p1", "load": "high", "vibration": [1]}, predictions.c.features.type)}
        today = (predictions.c.model == BROKEN, predictions.c.event_time >= GO_LIVE + DAY)
        assert connection.execute(sa.update(predictions).where(*today).values(unreadable)).rowcount
        landed = sa.update(source_rows).where(source_rows.c.source == "readings", source_rows.c.event_time >= GO_LIVE + DAY)
        assert connection.execute(landed.values(row={"hour": "no time at all"})).rowcount
    mlflow = f"{stack.settings.mlflow}/api/2.0/mlflow/registered-models/alias"
    httpx.request("DELETE", mlflow, json={"name": BROKEN, "alias": "champion"}, trust_env=False).raise_for_status()
    _remove_manifest(stack, engine)
    late = _prediction(200, at=GO_LIVE + 3 * DAY, version=version)  # its clock passes the end of the window that is broken
    _produce(stack, "gzip", late)


def test_the_loop_of_the_sound_model_goes_on(stack: Stack, engine: sa.Engine, broken: None) -> None:
    stack.json("replay", SOUND, "--from", _text(FROM), "--to", _text(FROM + 4 * DAY))
    _judged_until(engine, FROM + 3 * DAY)


def test_what_can_be_read_of_the_broken_model_is_stored_and_the_rest_is_told(
    stack: Stack, engine: sa.Engine, broken: None
) -> None:
    with engine.connect() as connection:
        stored = sa.select(predictions.c.request_id).where(predictions.c.request_id.like("sent-%"))
        refused = connection.execute(sa.select(dead_letters.c.reason)).scalars().all()
        assert {f"sent-{n}" for n in range(len(CODECS))} <= set(connection.execute(stored).scalars())
    assert len([reason for reason in refused if "1e+39" in reason or "1e39" in reason]) == len(CODECS)
    assert BROKEN in {one["part"]["model"] for one in stack.json("status")["set_aside"]}
    wait_until(
        lambda: [one["model"] for one in stack.json("status")["registry"]],
        lambda differing: differing == [BROKEN],
        "the alias that a person removed is told",
        stall_seconds=FOLLOWS_WITHIN.total_seconds() + 30,
    )
    assert _ask(stack).status_code == 200, "it is served by what serves"


@pytest.mark.parametrize("way", ["window", "import"])
def test_a_changed_or_broken_declaration_stops_its_own_model_alone(
    stack: Stack, engine: sa.Engine, broken: None, way: str
) -> None:
    days = {"window": 6, "import": 8}[way]
    assert stack.run("down").returncode == 0
    changed = replace(stack, environment={**stack.environment, "EVERFIT_E2E_PUMPS": way})
    up = changed.run("up")
    assert up.returncode == 0, up.stderr
    changed.json("replay", SOUND, "--from", _text(FROM), "--to", _text(FROM + days * DAY))
    _judged_until(engine, FROM + (days - 1) * DAY)
    if way == "import":
        assert "the pumps' module is broken" in changed.run("status").stdout


def _text(moment: datetime) -> str:
    return moment.isoformat()


def _judged_until(engine: sa.Engine, end: datetime) -> None:
    """Every day of the sound model up to a moment was closed, and decided with a reason; waits for the daemon where need be."""

    def judged() -> list[datetime]:
        with engine.connect() as connection:
            closed = connection.execute(sa.select(windows.c.end).where(windows.c.model == SOUND)).scalars().all()
            with_reason = sa.select(decisions.c.at).where(decisions.c.model == SOUND, decisions.c.reason != "")
            return sorted(set(closed) & set(connection.execute(with_reason).scalars()))

    wanted = list(itertools.takewhile(lambda at: at <= end, (FROM + n * DAY for n in itertools.count(1))))
    wait_until(judged, lambda ends: set(wanted) <= set(ends), f"the windows of {SOUND} until {end}", stall_seconds=60)


def _ask(stack: Stack, pump: str = "p1", load: float = 0.2) -> httpx.Response:
    body = {"inputs": {"pump": pump, "load": load}, "event_time": _text(GO_LIVE + 1.5 * DAY)}
    content = json.dumps(body)
    return httpx.post(f"{stack.settings.serving}/predict/{BROKEN}", content=content, trust_env=False, timeout=30)


def _prediction(number: int, *, load: float = 0.2, at: datetime | None = None, version: int = 1) -> Prediction:
    return Prediction(
        request_id=f"sent-{number}",
        model=BROKEN,
        version=version,
        role="champion",
        entity="p1",
        event_time=at or GO_LIVE + 1.5 * DAY + timedelta(minutes=number),
        features={"pump": "p1", "load": load, "vibration": 2.0},
        score=0.5,
        schema=pump_stop.schema_id,
    )


def _produce(stack: Stack, codec: str, *events: Prediction) -> None:
    producer = KafkaProducer(**options(stack.settings.kafka), acks="all", compression_type=codec)
    try:
        for event in events:
            producer.send(PREDICTIONS, key=event.entity.encode(), value=encode(event))
        producer.flush()
    finally:
        producer.close()


def _remove_manifest(stack: Stack, engine: sa.Engine) -> None:
    """The lake loses what the champion's windows are judged by."""
    with engine.connect() as connection:
        detail: dict[str, Any] = connection.execute(sa.select(ledger.c.detail).where(ledger.c.model == BROKEN)).scalar_one()
    file: Path = Runtime(stack.settings).lake.path(detail["manifest"], "json")
    file.unlink()
