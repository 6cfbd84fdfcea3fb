"""What clients may ask: each mistake its own message, with the field and the value."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from everfit import Category, Number
from everfit.errors import RequestError
from everfit.serving.request_schema import MAX_ROWS, read_infer, read_predict
from models.electricity_price import electricity_price

INPUTS = {"region": "NSW", "half_hour": 3, "weekday": 2}


def body(**changes: Any) -> bytes:
    """A plain request with some keys changed; None leaves a key out."""
    asked = {"request_id": "r1", "event_time": "1996-09-20T10:00:00+10:00", "inputs": INPUTS} | changes
    return json.dumps({key: value for key, value in asked.items() if value is not None}).encode()


def tensors(**changes: Any) -> list[dict[str, Any]]:
    """The request's tensors for two rows, with some changed or added; None leaves one out."""
    made: dict[str, Any] = {
        "region": {"datatype": "BYTES", "shape": [2], "data": ["NSW", "VIC"]},
        "half_hour": {"datatype": "INT64", "shape": [2], "data": [1, 2]},
        "weekday": {"datatype": "FP64", "shape": [2], "data": [1.0, 2.0]},
    }
    for name, change in changes.items():
        made[name] = None if change is None else made.get(name, made["half_hour"]) | change
    return [{"name": name} | tensor for name, tensor in made.items() if tensor is not None]


def test_a_plain_request_is_read() -> None:
    asked = read_predict(electricity_price, body())
    assert (asked.id, list(asked.ids)) == ("r1", ["r1"])
    assert asked.at == datetime(1996, 9, 20, tzinfo=UTC)
    assert asked.rows == [INPUTS]


def test_id_and_time_are_made_where_absent() -> None:
    before = datetime.now(UTC)
    first, second = (read_predict(electricity_price, body(request_id=None, event_time=None)) for _ in range(2))
    assert first.id != second.id
    assert before <= first.at <= datetime.now(UTC)


def test_v2_is_read_row_by_row() -> None:
    content = {"id": "r2", "parameters": {"event_time": "1996-09-20T00:00:00Z"}, "inputs": tensors()}
    asked = read_infer(electricity_price, json.dumps(content).encode())
    assert (asked.id, list(asked.ids)) == ("r2", ["r2-0", "r2-1"])
    assert asked.rows[1] == {"region": "VIC", "half_hour": 2.0, "weekday": 2.0}


def test_before_the_go_live_even_now_is_refused() -> None:
    model = electricity_price.model_copy(update={"go_live": datetime(2099, 1, 1, tzinfo=UTC)})
    with pytest.raises(RequestError, match="is before 2099-01-01T00:00:00Z, the go-live of electricity_price"):
        read_predict(model, body(event_time=None))


def test_a_null_is_taken_where_it_is_declared() -> None:
    fields = [Category("region"), Number("wind", nullable=True)]
    model = electricity_price.model_copy(update={"request": fields})
    assert read_predict(model, body(inputs={"region": "NSW", "wind": None})).rows == [{"region": "NSW", "wind": None}]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"inputs": INPUTS | {"price": 0.5}}, r"unknown field 'price'; send exactly region, half_hour, weekday"),
        ({"inputs": {"region": "NSW"}}, r"missing field 'half_hour', 'weekday'"),
        ({"inputs": INPUTS | {"half_hour": "three"}}, r"inputs.half_hour: 'three' does not fit: not a finite number"),
        ({"inputs": INPUTS | {"half_hour": True}}, r"inputs.half_hour: True does not fit: not a finite number"),
        ({"inputs": INPUTS | {"half_hour": 3.5}}, r"inputs.half_hour: 3.5 does not fit: not a whole number"),
        ({"inputs": INPUTS | {"half_hour": None}}, r"inputs.half_hour: null, and the column is not nullable"),
        ({"inputs": INPUTS | {"region": 7}}, r"inputs.region: 7 does not fit: not a text"),
        ({"inputs": INPUTS | {"region": "N\0"}}, r"inputs.region: 'N\\x00' does not fit: a text with a NUL"),
        ({"inputs": INPUTS | {"half_hour": 10**400}}, r"inputs.half_hour: a whole number of 1329 bits does not fit: beyond"),
        ({"inputs": [1]}, r"the body is no request to electricity_price: Expected `object`, got `array` - at `\$.inputs`"),
        ({"event_time": "noon"}, r"event_time: 'noon' is no time"),
        ({"event_time": "1996-09-20T00:00:00"}, r"event_time: '1996-09-20T00:00:00' has no time zone"),
        ({"event_time": 5}, r"event_time: 5 is no time"),
        ({"event_time": "2099-01-01T00:00:00Z"}, r"event_time: time 2099-01-01T00:00:00\+00:00 is ahead of the tolerated"),
        ({"event_time": "1996-09-03T23:59:59.999999Z"}, r"event_time: .* is before 1996-09-04T00:00:00Z, the go-live"),
        ({"request_id": 5}, r"request id 5 is no text of 1 to 200 characters"),
        ({"request_id": ""}, r"request id '' is no text"),
        ({"colour": "red"}, r"the body is no request to electricity_price: Object contains unknown field `colour`"),
    ],
)
def test_a_plain_request_that_does_not_fit_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        read_predict(electricity_price, body(**changes))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"x"', b"\xff", b"{}"])
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    for read in (read_predict, read_infer):
        with pytest.raises(RequestError, match="the body is no"):
            read(electricity_price, content)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"weekday": None}, r"missing field 'weekday'"),
        ({"price": {}}, r"unknown field 'price'"),
        ({"region": {"datatype": "UTF8"}}, r"input 'region': datatype 'UTF8'; send BYTES, BOOL, FP32, FP64, INT64"),
        ({"region": {"shape": [2, 1]}}, r"input 'region': shape \[2, 1\] for 2 values; send a flat \[N\]"),
        ({"region": {"shape": [1], "data": ["NSW"]}}, r"the tensors hold {'region': 1, 'half_hour': 2, 'weekday': 2} rows"),
        ({"half_hour": {"data": ["1", "2"]}}, r"inputs.half_hour: '1' does not fit: not a finite number"),
    ],
)
def test_a_v2_request_that_does_not_fit_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        read_infer(electricity_price, json.dumps({"inputs": tensors(**changes)}).encode())


def test_no_rows_and_too_many_are_refused() -> None:
    for count in (0, MAX_ROWS + 1):
        changed = {name: {"shape": [count], "data": ["NSW" if name == "region" else 1] * count} for name in INPUTS}
        with pytest.raises(RequestError, match=f"hold .*{count}.* rows; send the same number of each, 1 to {MAX_ROWS}"):
            read_infer(electricity_price, json.dumps({"inputs": tensors(**changed)}).encode())
