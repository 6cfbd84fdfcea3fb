"""The bodies of requests, of ``/predict`` and of the Open Inference Protocol V2, checked against the declared request."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec

from everfit.declaration import Column, Model
from everfit.declaration.doors import naming_fault, reader
from everfit.declaration.values import Value, shown
from everfit.errors import EventError, RequestError
from everfit.timing import parse_time, wall_clock
from everfit.topics.contract import require_time

MAX_ROWS = 1_000
MAX_ID_CHARACTERS = 200
DATATYPES = ("BYTES", "BOOL", "FP32", "FP64", "INT64")


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """Checked rows of one request: an id and the request's fields each; ``at`` is the event time of them all, UTC."""

    id: str
    at: datetime
    ids: Sequence[str]
    rows: Sequence[Mapping[str, Value]]


class PredictBody(msgspec.Struct, forbid_unknown_fields=True):
    """``POST /predict/{model}``."""

    inputs: dict[str, Any]
    request_id: Any = None
    event_time: Any = None


class Tensor(msgspec.Struct, forbid_unknown_fields=True):
    """An input of V2. Source: https://github.com/kserve/open-inference-protocol."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] = {}


class InferBody(msgspec.Struct):
    """``POST /v2/models/{model}/infer``."""

    inputs: list[Tensor]
    id: Any = None
    parameters: dict[str, Any] = {}


_PREDICT = msgspec.json.Decoder(PredictBody)
_INFER = msgspec.json.Decoder(InferBody)


def read_predict(model: Model, body: bytes) -> CheckedRequest:
    """Decode and check the body of ``/predict``.

    Raises:
        RequestError: when it is no such JSON, or a field is unknown, missing or of the wrong type.
    """
    try:
        predict = _PREDICT.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"the body is no request to {model.name}: {error}") from error
    request_id = _id(predict.request_id)
    return CheckedRequest(
        request_id, _time(model, predict.event_time), [request_id], [checked_fields(model.request, predict.inputs)]
    )


def read_infer(model: Model, body: bytes) -> CheckedRequest:
    """Decode and check the body of a V2 inference request: every request field is a tensor, [N] or of a vector [N, size].

    Raises:
        RequestError: when it is no such JSON, or a tensor is unknown, missing, or of the wrong shape or type.
    """
    try:
        infer = _INFER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestError(f"the body is no inference request to {model.name}: {error}") from error
    shapes = {column.name: column.shape for column in model.request}
    columns = {tensor.name: _rows_of(tensor, shapes.get(tensor.name, ())) for tensor in infer.inputs}
    _named(model.request, columns)
    lengths = {name: len(data) for name, data in columns.items()}
    if len(set(lengths.values())) != 1 or not 1 <= max(lengths.values()) <= MAX_ROWS:
        raise RequestError(f"inputs: the tensors hold {lengths} rows; send the same number of each, 1 to {MAX_ROWS}")
    rows = [
        checked_fields(model.request, dict(zip(columns, values, strict=True))) for values in zip(*columns.values(), strict=True)
    ]
    request_id = _id(infer.id)
    ids = [request_id] if len(rows) == 1 else [f"{request_id}-{n}" for n in range(len(rows))]
    return CheckedRequest(request_id, _time(model, infer.parameters.get("event_time")), ids, rows)


def _rows_of(tensor: Tensor, of_one: tuple[int, ...]) -> Sequence[Any]:
    """The values of a tensor by row; the numbers of vectors may come flat, or a list a vector."""
    data = tensor.data
    if of_one and data and not isinstance(data[0], list) and len(data) % of_one[0] == 0:
        data = [data[at : at + of_one[0]] for at in range(0, len(data), of_one[0])]
    if tensor.shape != [len(data), *of_one]:
        wanted = f"[N, {of_one[0]}]" if of_one else "a flat [N]"
        raise RequestError(f"input {tensor.name!r}: shape {tensor.shape} for {len(tensor.data)} values; send {wanted}")
    if tensor.datatype not in DATATYPES:
        raise RequestError(f"input {tensor.name!r}: datatype {tensor.datatype!r}; send {', '.join(DATATYPES)}")
    return data


def checked_fields(columns: Sequence[Column], inputs: Mapping[str, Any]) -> dict[str, Value]:
    """The declared fields in declared order; what lies outside declared bounds is kept, clipped or refused, as declared.

    Raises:
        RequestError: when a field is unknown, missing or of the wrong type.
    """
    _named(columns, inputs)
    return {column.name: _value(column, inputs[column.name]) for column in columns}


def _named(columns: Sequence[Column], inputs: Iterable[str]) -> None:
    names = [column.name for column in columns]
    if fault := naming_fault(names, inputs, "field"):
        raise RequestError(f"inputs: {fault}; send exactly {', '.join(names)}")


def _value(column: Column, value: Any) -> Value:
    try:
        taken: Value = reader(column, "request")(value)
    except ValueError as error:
        raise RequestError(f"inputs.{column.name}: {error}") from error
    return taken


def _id(given: Any) -> str:
    if given is None:
        return str(uuid4())
    if not isinstance(given, str) or not 0 < len(given) <= MAX_ID_CHARACTERS or "\0" in given:
        raise RequestError(
            f"request id {given!r} is no text of 1 to {MAX_ID_CHARACTERS} characters; leave it out for one to be made"
        )
    return given


def _time(model: Model, given: Any) -> datetime:
    """The event time, which the log must take too; now where none is given."""
    now = wall_clock()
    if given is not None and not isinstance(given, str):
        raise RequestError(f"event_time: {shown(given)} is no time; write it as 1996-09-04T12:30:00Z")
    try:
        at = now if given is None else parse_time(given)
        require_time(model, at, now)
    except (ValueError, EventError) as error:
        raise RequestError(f"event_time: {error}") from error
    return at
