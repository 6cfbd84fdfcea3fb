"""A challenger beside the champion: its units get its answers, and whatever fails in it, the champion answers for it."""

from everfit.serving.assignment import is_challenged
from tests.serving import WatchedRegistry
from tests.serving_over_http import INPUTS, NAME, Serve, logged, predict


def test_units_get_the_challengers_answers_by_their_hash_and_each_row_is_logged_once(
    serve: Serve, registry: WatchedRegistry, kafka: str, event_time: str
) -> None:
    registry.assign({"champion": 1, "challenger": 2, "shadow": 3}, share=0.3, unit="weekday", guards=(4,))
    client = serve(kafka)
    days = list(range(7))
    expected = [2 if is_challenged(NAME, 2, 0.3, str(day)) else 1 for day in days]
    assert set(expected) == {1, 2}
    for day, version in zip(days, expected, strict=True):
        answer = predict(client, request_id=f"r{day}", event_time=event_time, inputs=INPUTS | {"weekday": day})
        assert answer.json()["version"] == version

    columns = [
        {"name": name, "shape": [7], "datatype": "INT64", "data": values}
        for name, values in (("half_hour", [0] * 7), ("weekday", days))
    ]
    region = {"name": "region", "shape": [7], "datatype": "BYTES", "data": ["NSW"] * 7}
    body = {"id": "many", "parameters": {"event_time": event_time}, "inputs": [region, *columns]}
    told = client.post(f"/v2/models/{NAME}/infer", json=body).json()
    assert told["parameters"]["versions"] == expected, "each row by its own unit"
    assert "model_version" not in told
    assert len({*told["outputs"][0]["data"]}) == 2

    registry.assign({"champion": 1, "challenger": 2, "shadow": 3}, share=1.0, unit="weekday", guards=(4,))
    client.post(f"/refresh/{NAME}").raise_for_status()
    assert predict(client, request_id="all", event_time=event_time).json()["version"] == 2
    compared = 2 * expected.count(2) + 1
    assert client.post("/flush").json() == {"acknowledged": 15 * 3 + compared}
    events = logged(kafka, 45 + compared)
    beside = {event.request_id for event in events if (event.role, event.version) == ("shadow", 1)}
    assert beside == {event.request_id for event in events if event.role == "challenger"}, "compared on the same requests"
    served = {event.request_id: event.version for event in events if event.role in ("champion", "challenger")}
    assert [served[f"r{day}"] for day in days] == [served[f"many-{day}"] for day in days] == expected
    for shadow in (3, 4):
        along = [event.request_id for event in events if (event.role, event.version) == ("shadow", shadow)]
        assert sorted(along) == sorted(served), "each shadow answers every request along"
    shown = client.get("/metrics").text
    assert f'everfit_answers_total{{model="{NAME}",role="challenger",version="2"}} {2 * expected.count(2) + 1}\n' in shown
    assert f'everfit_answer_seconds_count{{model="{NAME}",role="challenger",version="2"}}' in shown
    assert f'everfit_challenger_share{{model="{NAME}"}} 1.0\n' in shown
