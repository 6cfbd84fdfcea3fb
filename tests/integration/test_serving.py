"""Serving over HTTP on the real Postgres and broker: answers, refusals, swaps and shadows."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from everfit import BinaryClassification
from everfit.topics.contract import MAX_SENT
from models.electricity_price import electricity_price
from tests.serving import WatchedRegistry
from tests.serving_over_http import INPUTS, NAME, Serve, logged, predict, two_days


def asking(**changes: Any) -> bytes:
    """The body of a prediction, with some of it changed."""
    return json.dumps({"inputs": INPUTS} | changes).encode()


def inferring(weekday: float, event_time: str | None = None, region: str = "NSW") -> bytes:
    """The body of an inference of one row."""
    columns = {"region": ("BYTES", region), "half_hour": ("INT64", 0), "weekday": ("FP64", weekday)}
    tensors = [{"name": name, "shape": [1], "datatype": kind, "data": [value]} for name, (kind, value) in columns.items()]
    return json.dumps({"inputs": tensors, "parameters": {"event_time": event_time}}).encode()


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


class Raising(BinaryClassification):
    """Fails at answers above 0.6."""

    def answer_fault(self, answer: Any) -> str:
        return "" if answer <= 0.6 else str(1 / 0)


def test_an_answer_at_which_the_task_raises_is_refused_with_a_sentence(kafka: str, serve: Serve, event_time: str) -> None:
    task = Raising(label=electricity_price.task.label)
    client = serve(kafka, models={NAME: electricity_price.model_copy(update={"task": task})})
    refused = predict(client, inputs=INPUTS | {"half_hour": 1}, event_time=event_time)
    assert refused.status_code == 500
    assert refused.json()["error"].endswith("and task Raising cannot check it: ZeroDivisionError: division by zero; repair it")
    assert predict(client, event_time=event_time).json()["score"] == 0.5, "the others are answered"


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
    assert f'everfit_version{{model="{NAME}",role="champion",version="1"}} 1\n' in shown


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
    assert client.post(f"/refresh/{NAME}").json()["roles"] == {"champion": 1, "shadows": [3]}
    assert predict(client, request_id="r1", event_time=event_time).json()["version"] == 1
    assert client.post("/flush").json() == {"acknowledged": 2}
    champion, shadow = logged(kafka, 2)
    assert (champion.role, champion.version, shadow.role, shadow.version) == ("champion", 1, "shadow", 3)
    assert shadow.features == champion.features
    assert (shadow.request_id, shadow.event_time) == (champion.request_id, champion.event_time)
    assert shadow.score is not None
    assert champion.score is not None
    assert shadow.score > champion.score


def test_a_champion_that_is_its_own_shadow_is_logged_once(registry: WatchedRegistry, client: httpx.Client) -> None:
    registry.assign({"champion": 2, "shadow": 2})
    client.post(f"/refresh/{NAME}").raise_for_status()
    predict(client).raise_for_status()
    assert client.post("/flush").json() == {"acknowledged": 1}


def test_the_metrics_count_what_is_logged(client: httpx.Client) -> None:
    predict(client).raise_for_status()
    client.post("/flush").raise_for_status()
    shown = dict(line.split(" ") for line in client.get("/metrics").text.splitlines() if not line.startswith("#"))
    assert {name: shown[f"everfit_log_{name}"] for name in ("acknowledged_total", "buffered", "spooled")} == {
        "acknowledged_total": "1",
        "buffered": "0",
        "spooled": "0",
    }
