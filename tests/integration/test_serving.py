"""Serving over HTTP on the real Postgres and broker: answers, refusals, swaps, shadows, and services that are away."""

import asyncio
import gc
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx
import polars as pl
import psycopg
import pytest
from kafka import KafkaConsumer, TopicPartition
from psycopg import sql
from sqlalchemy import Engine

from everfit.serving import lookup
from everfit.serving.app import create_app
from everfit.serving.counters import Metrics
from everfit.serving.lookup import Lookup
from everfit.serving.model_cache import ModelCache
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.producer import KafkaLogProducer
from everfit.serving.served_views import Views
from everfit.serving.service import Service
from everfit.serving.spool import Spool
from everfit.sources.publication import publish
from everfit.stack.ports import LOCAL, any_free
from everfit.stack.postgres import Postgres
from everfit.store.lake import Lake
from everfit.topics.contract import MAX_SENT
from everfit.topics.events import PREDICTIONS, Prediction, decode
from models.electricity_price import electricity_price, recorded_half_hours
from tests.brokers import running_broker
from tests.serving import WatchedRegistry, graph, served

NAME = electricity_price.name
MODELS = {NAME: electricity_price}
INPUTS = {"region": "NSW", "half_hour": 0, "weekday": 2}


class Serve(Protocol):
    """Starts serving."""

    def __call__(self, kafka: str, token: str | None = None) -> httpx.Client: ...


@pytest.fixture
def registry() -> WatchedRegistry:
    """Version 1 is champion; its score is 0.5 at midnight."""
    versions = {number: graph(electricity_price, number - 1.0) for number in range(1, 6)} | {9: b"no graph"}
    return WatchedRegistry(electricity_price, versions, {"champion": 1})


@pytest.fixture
def serve(engine: Engine, registry: WatchedRegistry, tmp_path: Path) -> Iterator[Serve]:
    """Starts serving on the test's database, roles read; ends it with the test."""
    with ExitStack() as stack:

        def start(kafka: str, token: str | None = None) -> httpx.Client:
            log = PredictionLog(KafkaLogProducer(kafka, PREDICTIONS, timeout_seconds=2), Spool(tmp_path / "spool.jsonl"))
            service = Service(MODELS, ModelCache(MODELS, registry), Views(MODELS, engine), Lookup(engine), log, Metrics())
            url = stack.enter_context(served(create_app(service, Lake(tmp_path / "lake"), token)))
            client = stack.enter_context(httpx.Client(base_url=url, trust_env=False, timeout=30))
            if token is None:
                client.post(f"/refresh/{NAME}").raise_for_status()
            return client

        yield start


@pytest.fixture
def client(kafka: str, serve: Serve) -> httpx.Client:
    """A client of serving with a broker."""
    return serve(kafka)


@pytest.fixture
def event_time(engine: Engine) -> str:
    """The go-live, the end of two days of published half-hours."""
    publish(engine, MODELS, "half_hours", two_days())
    return electricity_price.go_live.isoformat()


def two_days() -> pl.DataFrame:
    """The half-hours of the two days before the go-live."""
    started = recorded_half_hours()["period_start"]
    live = electricity_price.go_live
    found: pl.DataFrame = recorded_half_hours().filter(started.is_between(live - timedelta(days=2), live, closed="left"))
    return found


def predict(client: httpx.Client, **changes: Any) -> httpx.Response:
    """Ask for a prediction."""
    return client.post(f"/predict/{NAME}", json={"inputs": INPUTS} | changes)


def asking(**changes: Any) -> bytes:
    """The body of a prediction, with some of it changed."""
    return json.dumps({"inputs": INPUTS} | changes).encode()


def inferring(weekday: float, event_time: str | None = None, region: str = "NSW") -> bytes:
    """The body of an inference of one row."""
    columns = {"region": ("BYTES", region), "half_hour": ("INT64", 0), "weekday": ("FP64", weekday)}
    tensors = [{"name": name, "shape": [1], "datatype": kind, "data": [value]} for name, (kind, value) in columns.items()]
    return json.dumps({"inputs": tensors, "parameters": {"event_time": event_time}}).encode()


def logged(kafka: str, count: int) -> list[Prediction]:
    """The first predictions on the log, in order."""
    consumer = KafkaConsumer(bootstrap_servers=kafka, group_id=None, enable_auto_commit=False)
    partition = TopicPartition(PREDICTIONS, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    found: list[Prediction] = []
    while len(found) < count:
        records = consumer.poll(timeout_ms=5_000).get(partition, [])
        assert records, f"only {len(found)} of {count} predictions on the log"
        for record in records:
            event = decode(PREDICTIONS, record.value)
            assert isinstance(event, Prediction)
            assert record.key == event.entity.encode()
            found.append(event)
    consumer.close()
    return found


def test_a_prediction_is_answered_and_logged(client: httpx.Client, kafka: str, event_time: str) -> None:
    answer = predict(client, request_id="r1", event_time=event_time)
    assert answer.status_code == 200
    at = event_time.replace("+00:00", "Z")
    expected = {"request_id": "r1", "model": NAME, "version": 1, "score": 0.5, "degraded": False, "event_time": at}
    assert answer.json() == expected
    assert client.post("/flush").json() == {"acknowledged": 1}
    (prediction,) = logged(kafka, 1)
    last = two_days().row(-1, named=True)
    assert list(prediction.features) == [name for name, _ in electricity_price.features]
    assert {name: prediction.features[name] for name in ("region", "weekday", "price", "transfer")} == {
        "region": "NSW",
        "weekday": 2.0,
        "price": last["price"],
        "transfer": last["transfer"],
    }
    assert (prediction.role, prediction.version, prediction.score) == ("champion", 1, 0.5)
    assert (prediction.request_id, prediction.schema, prediction.degraded) == ("r1", electricity_price.schema_id, False)


def test_v2_answers_rows(client: httpx.Client, kafka: str, event_time: str) -> None:
    inputs = [
        {"name": "region", "shape": [2], "datatype": "BYTES", "data": ["NSW", "nowhere"]},
        {"name": "half_hour", "shape": [2], "datatype": "INT64", "data": [0, 0]},
        {"name": "weekday", "shape": [2], "datatype": "INT64", "data": [2, 2]},
    ]
    answer = client.post(
        f"/v2/models/{NAME}/infer", json={"id": "r2", "parameters": {"event_time": event_time}, "inputs": inputs}
    )
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["model_name"], told["model_version"], told["id"]) == (NAME, "1", "r2")
    assert told["outputs"] == [{"name": "score", "shape": [2], "datatype": "FP64", "data": [0.5, 0.5]}]
    assert told["parameters"]["degraded"] is True
    client.post("/flush").raise_for_status()
    assert [(row.request_id, row.degraded) for row in logged(kafka, 2)] == [("r2-0", False), ("r2-1", True)]


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "told"),
    [
        ("POST", "/predict/nobody", b"{}", 404, "no model 'nobody'; declared are electricity_price"),
        ("GET", "/v2/models/nobody", b"", 404, "no model 'nobody'"),
        ("GET", "/v2/models/nobody/ready", b"", 404, "no model 'nobody'"),
        ("POST", "/refresh/nobody", b"", 404, "no model 'nobody'"),
        ("POST", "/v2/models/nobody/infer", b"{}", 404, "no model 'nobody'"),
        ("GET", "/nowhere", b"", 404, "GET /nowhere: Not Found"),
        ("GET", f"/predict/{NAME}", b"", 405, "Method Not Allowed"),
        ("POST", f"/predict/{NAME}", b"{", 422, "the body is no request to electricity_price"),
        ("POST", f"/predict/{NAME}", b'{"inputs":{}}', 422, "inputs: missing field 'half_hour', 'region', 'weekday'"),
        ("POST", f"/predict/{NAME}", asking(event_time="2099-01-01T00:00:00Z"), 422, "is ahead of the tolerated"),
        (
            "POST",
            f"/predict/{NAME}",
            asking(event_time="1996-09-03T23:59:59Z"),
            422,
            "is before 1996-09-04T00:00:00Z, the go-live",
        ),
        (
            "POST",
            f"/predict/{NAME}",
            asking(inputs=INPUTS | {"weekday": 1e39}),
            422,
            "inputs.weekday: 1e+39 does not fit: beyond",
        ),
        ("POST", f"/predict/{NAME}", asking(inputs=INPUTS | {"region": "N" * 600_000}), 422, "its record has 1800"),
        ("POST", f"/v2/models/{NAME}/infer", inferring(3.4e38), 422, "inputs.weekday: 3.4e+38 does not fit: beyond"),
        ("POST", f"/v2/models/{NAME}/infer", inferring(2, "2099-01-01T00:00:00Z"), 422, "is ahead of the tolerated"),
        ("POST", f"/v2/models/{NAME}/infer", inferring(2, region="N" * 600_000), 422, "its record has 1800"),
        ("POST", f"/v2/models/{NAME}/infer", b'{"inputs":[]}', 422, "inputs: missing field 'half_hour'"),
    ],
)
def test_what_is_refused_is_told(client: httpx.Client, method: str, path: str, content: bytes, status: int, told: str) -> None:
    answer = client.request(method, path, content=content)
    assert answer.status_code == status
    assert told in answer.json()["error"]
    assert client.post("/flush").json() == {"acknowledged": 0}  # nothing is logged of what is not answered


def test_the_largest_record_that_is_answered_reaches_kafka(client: httpx.Client, kafka: str) -> None:
    region = "N" * ((MAX_SENT - 1_000) // 3)  # once as the key, once as the entity, once as a feature
    assert predict(client, inputs=INPUTS | {"region": region}).status_code == 200
    assert client.post("/flush").json() == {"acknowledged": 1}
    assert [row.entity for row in logged(kafka, 1)] == [region]


def test_no_champion_yet(registry: WatchedRegistry, client: httpx.Client) -> None:
    registry.assign({})
    client.post(f"/refresh/{NAME}").raise_for_status()
    answer = predict(client)
    assert answer.status_code == 503
    assert answer.json()["error"] == f"{NAME} has no champion yet; train and promote one: `everfit train {NAME}`"
    assert client.get(f"/v2/models/{NAME}/ready").status_code == 503
    assert client.get("/v2/health/ready").status_code == 200


def test_health_metadata_and_metrics(client: httpx.Client) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2").json()["name"] == "everfit"
    assert client.get(f"/v2/models/{NAME}/ready").json() == {"name": NAME, "ready": True}
    metadata = client.get(f"/v2/models/{NAME}").json()
    assert (metadata["versions"], metadata["roles"]) == (["1"], {"champion": 1})
    assert metadata["inputs"][1] == {"name": "half_hour", "datatype": "INT64", "shape": [-1]}
    predict(client)
    predict(client, inputs={})
    shown = client.get("/metrics").text
    assert f'everfit_requests_total{{model="{NAME}",status="200"}} 1\n' in shown
    assert f'everfit_requests_total{{model="{NAME}",status="422"}} 1\n' in shown
    assert f'everfit_version{{model="{NAME}",role="champion"}} 1\n' in shown


def test_a_swap_under_load_fails_no_request(registry: WatchedRegistry, client: httpx.Client) -> None:
    async def load(asking: httpx.AsyncClient, done: asyncio.Event) -> list[tuple[int, int]]:
        answers = []
        while not done.is_set():
            answer = await asking.post(f"/predict/{NAME}", json={"inputs": INPUTS})
            answers.append((answer.status_code, answer.json()["version"]))
        return answers

    async def swap(asking: httpx.AsyncClient, done: asyncio.Event) -> None:
        for version in (2, 3, 4, 5):
            registry.assign({"champion": version, "shadow": version - 1})
            answer = await asking.post(f"/refresh/{NAME}")
            assert answer.json()["roles"]["champion"] == version
        done.set()

    async def run() -> list[list[tuple[int, int]]]:
        done = asyncio.Event()
        async with httpx.AsyncClient(base_url=client.base_url, trust_env=False, timeout=30) as asking:
            *answered, _ = await asyncio.gather(*(load(asking, done) for _ in range(6)), swap(asking, done))
        return [answers for answers in answered if answers is not None]

    for answers in asyncio.run(run()):
        versions = [version for _, version in answers]
        assert {status for status, _ in answers} == {200}
        assert versions == sorted(versions)
    assert predict(client).json()["version"] == 5


def test_a_version_that_fails_to_load_shows_and_the_old_one_serves(registry: WatchedRegistry, client: httpx.Client) -> None:
    registry.assign({"champion": 9})
    assert client.post(f"/refresh/{NAME}").json()["roles"] == {"champion": 1}
    assert predict(client).json()["version"] == 1
    assert f'everfit_load_failures_total{{model="{NAME}"}} 1\n' in client.get("/metrics").text


def test_a_shadow_answers_the_same_request_and_is_logged(
    registry: WatchedRegistry, client: httpx.Client, kafka: str, event_time: str
) -> None:
    registry.assign({"champion": 1, "shadow": 3})
    assert client.post(f"/refresh/{NAME}").json()["roles"] == {"champion": 1, "shadow": 3}
    assert predict(client, request_id="r1", event_time=event_time).json()["version"] == 1
    assert client.post("/flush").json() == {"acknowledged": 2}
    champion, shadow = logged(kafka, 2)
    assert (champion.role, champion.version, shadow.role, shadow.version) == ("champion", 1, "shadow", 3)
    assert shadow.features == champion.features
    assert (shadow.request_id, shadow.event_time) == (champion.request_id, champion.event_time)
    assert shadow.score > champion.score


def test_a_champion_that_is_its_own_shadow_is_logged_once(registry: WatchedRegistry, client: httpx.Client) -> None:
    registry.assign({"champion": 2, "shadow": 2})
    client.post(f"/refresh/{NAME}").raise_for_status()
    predict(client).raise_for_status()
    assert client.post("/flush").json() == {"acknowledged": 1}


@pytest.fixture
def brokers() -> Iterator[ExitStack]:
    """Brokers that outlive the serving of the test."""
    with ExitStack() as stack:
        yield stack


def test_a_broker_that_is_away_is_spooled_for_and_caught_up(brokers: ExitStack, serve: Serve, tmp_path: Path) -> None:
    port = any_free()
    client = serve(f"{LOCAL}:{port}")
    for number in range(20):
        assert predict(client, request_id=f"r{number}").status_code == 200
    kafka = brokers.enter_context(running_broker(port))
    assert client.post("/flush").json() == {"acknowledged": 20}
    assert [row.request_id for row in logged(kafka, 20)] == [f"r{number}" for number in range(20)]
    assert [file.stat().st_size for file in tmp_path.glob("spool*")] == [0]


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_a_broker_that_dies_loses_nothing(brokers: ExitStack, serve: Serve) -> None:
    port = any_free()
    with running_broker(port) as kafka:
        client = serve(kafka)
        predict(client, request_id="before").raise_for_status()
        client.post("/flush").raise_for_status()
    for number in range(5):
        predict(client, request_id=f"r{number}").raise_for_status()
    kafka = brokers.enter_context(running_broker(port))
    client.post("/flush").raise_for_status()
    assert [row.request_id for row in logged(kafka, 5)] == [f"r{number}" for number in range(5)]
    gc.collect()  # kafka-python leaves to it the sockets that a dead broker refused


def test_the_end_leaves_nothing_in_memory(engine: Engine, registry: WatchedRegistry, kafka: str, tmp_path: Path) -> None:
    log = PredictionLog(KafkaLogProducer(kafka, PREDICTIONS), Spool(tmp_path / "spool.jsonl"))
    service = Service(MODELS, ModelCache(MODELS, registry), Views(MODELS, engine), Lookup(engine), log, Metrics())
    with served(create_app(service, Lake(tmp_path / "lake"))) as url, httpx.Client(base_url=url, trust_env=False) as client:
        client.post(f"/refresh/{NAME}").raise_for_status()
        for number in range(50):
            predict(client, request_id=f"r{number}").raise_for_status()
    assert len(logged(kafka, 50)) == 50


@pytest.fixture
def admit(postgres: Postgres, engine: Engine) -> Callable[[bool], None]:
    """Lets connections to the test's database in, or ends them and keeps them out."""

    def admit(let_in: bool) -> None:
        url = postgres.url("postgres").replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as connection:
            name = str(engine.url.database)
            statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(sql.Identifier(name), sql.Literal(let_in))
            connection.execute(statement)
            if not let_in:
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

    return admit


def test_a_database_that_is_away_is_answered_for(
    client: httpx.Client,
    kafka: str,
    event_time: str,
    admit: Callable[[bool], None],
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lookup, "RETRY_SECONDS", 0.0)
    before = predict(client, event_time=event_time).json()
    assert before["degraded"] is False
    engine.dispose()
    admit(False)
    known = predict(client, event_time=event_time).json()
    unknown = predict(client, event_time=event_time, inputs=INPUTS | {"region": "VIC"}).json()
    assert (known["degraded"], unknown["degraded"]) == (True, True)
    admit(True)
    assert predict(client, event_time=event_time).json()["degraded"] is False
    client.post("/flush").raise_for_status()
    first, fallback, nothing, again = logged(kafka, 4)
    assert fallback.features == first.features == again.features
    assert {value for name, value in nothing.features.items() if name not in INPUTS} == {None}


def test_a_token_is_asked_for_where_one_is_set(serve: Serve, kafka: str) -> None:
    client = serve(kafka, token="secret")
    assert client.get("/v2/health/live").status_code == 200
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}):
        refused = client.post(f"/predict/{NAME}", json={"inputs": INPUTS}, headers=headers)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert "no valid bearer token" in refused.json()["error"]
    client.headers["Authorization"] = "Bearer secret"
    client.post(f"/refresh/{NAME}").raise_for_status()
    assert predict(client).status_code == 200


def test_a_report_is_html_of_the_lake_in_an_origin_of_its_own(client: httpx.Client, tmp_path: Path) -> None:
    digest = Lake(tmp_path / "lake").put(b"<p>drift</p>", "html")
    shown = client.get(f"/reports/{digest}")
    assert (shown.status_code, shown.text) == (200, "<p>drift</p>")
    assert shown.headers["Content-Type"] == "text/html; charset=utf-8"
    assert shown.headers["Content-Security-Policy"] == "sandbox allow-scripts allow-downloads"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"


def test_what_is_no_report_is_not_found(client: httpx.Client, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    digest, manifest = lake.put(b"<p>drift</p>", "html"), lake.put_json({"of": "a version"})
    for name in (digest.upper(), digest[:-1], f"{digest}.html", f"{digest}%0a", "..%2f..%2fspool.jsonl", "%D9%A3" * 64):
        refused = client.get(f"/reports/{name}")
        assert refused.status_code == 404, name
        assert "error" in refused.json()
    for name in (manifest, "0" * 64):
        refused = client.get(f"/reports/{name}")
        assert (refused.status_code, refused.json()["error"].partition(" in ")[0]) == (404, f"no report {name}")
    lake.path(digest, "html").write_bytes(b"<p>none</p>")
    assert client.get(f"/reports/{digest}").status_code == 500


def test_a_browser_gives_the_token_as_a_password_to_reports_alone(serve: Serve, kafka: str, tmp_path: Path) -> None:
    digest = Lake(tmp_path / "lake").put(b"<p>drift</p>", "html")
    client = serve(kafka, token="sec:ret")
    for headers in ({}, {"Authorization": "Basic sec:ret"}, {"Authorization": "Bearer ret"}):
        refused = client.get(f"/reports/{digest}", headers=headers)
        assert refused.status_code == 401
        assert refused.headers.get_list("WWW-Authenticate") == ['Basic realm="everfit"', "Bearer"]
    assert client.get(f"/reports/{digest}", auth=("ann", "wrong")).status_code == 401
    assert client.get(f"/reports/{digest}", auth=("ann", "sec:ret")).status_code == 200
    assert client.get(f"/reports/{digest}", auth=("", "sec:ret")).status_code == 200
    assert client.get(f"/reports/{digest}", headers={"Authorization": "Bearer sec:ret"}).status_code == 200
    elsewhere = client.get("/metrics", auth=("ann", "sec:ret"))
    assert (elsewhere.status_code, elsewhere.headers.get_list("WWW-Authenticate")) == (401, ["Bearer"])


def test_the_metrics_count_what_is_logged(client: httpx.Client) -> None:
    predict(client).raise_for_status()
    client.post("/flush").raise_for_status()
    shown = dict(line.split(" ") for line in client.get("/metrics").text.splitlines() if not line.startswith("#"))
    assert {name: shown[f"everfit_log_{name}"] for name in ("acknowledged_total", "buffered", "spooled")} == {
        "acknowledged_total": "1",
        "buffered": "0",
        "spooled": "0",
    }
