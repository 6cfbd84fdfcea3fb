"""The numbers that the doors take: whole ones exactly or not at all, none that could not be read later."""

import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from everfit import Category, Integer, Model, Number, Source, Time, count, feature_view, latest, mean, total
from everfit.declaration.doors import reader
from everfit.declaration.number_range import EXACT, LARGEST, WHOLE
from everfit.declaration.values import Value
from everfit.errors import DeclarationError, EventError, RequestError, SourceError
from everfit.features.offline import compute
from everfit.features.running_sums import answer, extend, key_of, known_values
from everfit.serving.request_schema import read_infer, read_predict
from everfit.sources.readers import read
from everfit.sources.validation import check, frame_of
from everfit.store.documents import beyond, bounded, from_json
from everfit.store.frames import decode_rows
from everfit.topics.contract import Contract
from everfit.topics.events import Prediction, encode
from models.electricity_price import electricity_price

AT = datetime(2024, 1, 1, tzinfo=UTC)
NEAR = [0, 2**31, EXACT, 2**63, 2**64, 10**18, 10**37, 10**39]
whole = st.builds(
    lambda near, away, sign: sign * (near + away), st.sampled_from(NEAR), st.integers(-3, 3), st.sampled_from([1, -1])
)
READINGS = Source(
    name="half_hours",
    columns=[Integer("pump"), Time("hour"), Integer("level", nullable=True), Number("heat", nullable=True)],
    identity=["pump", "hour"],
    event_time="hour",
)


def row(pump: Any, **values: Any) -> dict[str, Any]:
    """A row of the source."""
    return {"pump": pump, "hour": AT, "level": None, "heat": None} | values


def landed(pumps: Sequence[Any]) -> list[int]:
    """What the source's frame holds of rows of these pumps once they have gone through their JSON."""
    offered = check(READINGS, [row(pump) for pump in pumps], AT)
    assert frame_of(READINGS, [one.values for one in offered]).height == len(offered)
    frame = decode_rows(READINGS, [msgspec.json.encode(one.document).decode() for one in offered])
    return frame["pump"].to_list()


@given(number=whole)
@example(number=1234567890123456789)
@example(number=1234567890123456790)
def test_a_whole_number_of_a_source_is_exact_or_refused(number: int) -> None:
    if abs(number) <= WHOLE:
        assert landed([number]) == [number]
    else:
        with pytest.raises(SourceError, match=r"source half_hours, row 1, column 'pump': .* does not fit: beyond"):
            landed([number])


def test_two_ids_that_a_float_cannot_tell_apart_stay_two() -> None:
    ids = [1234567890123456789, 1234567890123456790]
    assert sorted(landed(ids)) == ids


@given(number=whole)
def test_a_float_is_taken_for_a_whole_number_only_where_it_is_that_one(number: int) -> None:
    if abs(float(number)) < EXACT:
        assert landed([float(number)]) == [number]
    else:
        with pytest.raises(SourceError, match=r"float from ±2|beyond"):
            landed([float(number)])


def test_a_whole_number_that_has_gone_through_a_float32_is_refused_with_its_row() -> None:
    frame = pl.DataFrame([row(pump) for pump in (7.0, 16777217.0)])
    assert len(check(READINGS, frame[:1].with_columns(pl.col("pump").cast(pl.Float32)), AT)) == 1
    with pytest.raises(SourceError, match=r"row 2, column 'pump': 16777216.0 does not fit: a float32 from ±2\^24 on"):
        check(READINGS, frame.with_columns(pl.col("pump").cast(pl.Float32)), AT)


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet", "jsonl"])
def test_every_file_keeps_whole_numbers(tmp_path: Path, kind: str) -> None:
    ids = [1234567890123456789, 1234567890123456790, -(2**53) - 1, WHOLE, -WHOLE]
    rows = [{"pump": one, "hour": "2024-01-01T00:00:00Z", "level": one, "heat": 0.5} for one in ids]
    path = tmp_path / f"rows.{kind}"
    frame = pl.DataFrame(rows)
    if kind == "parquet":
        frame.write_parquet(path)
    elif kind == "jsonl":
        path.write_text("\n".join(json.dumps(one) for one in rows))
    else:
        text = frame.write_csv().encode()
        path.write_bytes(gzip.compress(text) if kind == "csv.gz" else text)
    (portion,) = read(READINGS, str(path))
    offered = check(READINGS, portion, AT)
    assert sorted(one.values["pump"] for one in offered) == sorted(ids)
    assert sorted(one.values["level"] for one in offered) == sorted(ids)
    assert len({one.identity for one in offered}) == len(ids)


def test_a_number_that_names_a_row_is_not_rounded() -> None:
    depths = Source(name="depths", columns=[Number("depth"), Time("at")], identity=["depth", "at"], event_time="at")
    assert [one.values["depth"] for one in check(depths, [{"depth": 0.1, "at": AT}], AT)] == [0.1]
    with pytest.raises(SourceError, match="1234567890123456789 does not fit: a whole number that no float64 is"):
        check(depths, [{"depth": 1234567890123456789, "at": AT}], AT)


def model(*fields: Any) -> Model:
    """A model of these request fields and no view."""
    entity = Category("region")
    return electricity_price.model_copy(update={"request": [entity, *fields], "views": []})


def asked(declared: Model, value: Any) -> list[Any]:
    """What both protocols read of a request with this value of the second field, which each sends as it stands."""
    name = declared.request[1].name
    plain = read_predict(declared, json.dumps({"inputs": {"region": "a", name: value}}).encode())
    tensors = [
        {"name": "region", "shape": [1], "datatype": "BYTES", "data": ["a"]},
        {"name": name, "shape": [1], "datatype": "INT64" if isinstance(value, int) else "FP64", "data": [value]},
    ]
    v2 = read_infer(declared, json.dumps({"inputs": tensors}).encode())
    return [plain.rows[0][name], v2.rows[0][name]]


@given(number=whole, as_float=st.booleans())
@example(number=EXACT, as_float=False)
@example(number=EXACT + 1, as_float=True)
def test_a_whole_number_of_a_request_is_exact_or_refused(number: int, as_float: bool) -> None:
    sent = float(number) if as_float else number
    if abs(number) < EXACT or (abs(number) == EXACT and not as_float):
        read = asked(model(Integer("pump")), sent)
        assert read == [number, number]
        assert all(isinstance(one, int) for one in read)
    else:
        with pytest.raises(RequestError, match=r"inputs.pump: .* does not fit: beyond"):
            asked(model(Integer("pump")), sent)


@given(number=st.floats(allow_nan=False, allow_infinity=False))
@example(number=1e39)
@example(number=-3.4e38)
@example(number=1.7976931348623157e308)
@example(number=1e37)
def test_a_number_is_taken_up_to_its_bound_and_what_is_taken_passes_the_log(number: float) -> None:
    declared = model(Number("heat"))
    if abs(number) > LARGEST:
        for refuse in (lambda: asked(declared, number), lambda: logged(declared, number)):
            with pytest.raises((RequestError, EventError), match=r"1?e\+|beyond"):
                refuse()
        with pytest.raises(SourceError, match=r"row 1, column 'heat': .* does not fit: beyond ±1e.37"):
            check(READINGS, [row(1, heat=number)], AT)
    else:
        assert asked(declared, number) == [number, number]
        assert logged(declared, number) == number
        assert check(READINGS, [row(1, heat=number)], AT)[0].values["heat"] == number


def logged(declared: Model, value: Any) -> Any:
    """What the log's contract lets pass of a record with this value, read as a window is."""
    name = declared.request[1].name
    record = Prediction(
        request_id="r",
        model=declared.name,
        version=1,
        role="champion",
        entity="a",
        event_time=declared.go_live,
        features={"region": "a", name: value},
        score=0.5,
        schema=declared.schema_id,
    )
    event = Contract({declared.name: declared}).prediction(encode(record), declared.go_live)
    missing = {column.name: column.missing for column in declared.request if isinstance(column, Number | Integer)}
    held = from_json(pl.Series([bytes(event.features).decode()]), {name: pl.Float64()}, missing)
    assert beyond(held).to_list() == [0]
    return bounded(held)[name][0]


@given(number=whole)
def test_a_whole_number_on_the_log_is_exact_or_a_dead_letter(number: int) -> None:
    declared = model(Integer("pump"))
    if abs(number) <= EXACT:
        assert logged(declared, number) == number
    else:
        with pytest.raises(EventError, match=f"features do not fit electricity_price: .*'pump' is {number}"):
            logged(declared, number)


@pytest.mark.parametrize("column", [Number("heat", missing=[-3.4e38, -9999]), Integer("heat", missing=[-9999])])
@pytest.mark.parametrize("value", [-3.4e38, -9999, -9999.0])
def test_a_missing_value_is_null_at_every_door(column: Number | Integer, value: float) -> None:
    if value not in column.missing:
        with pytest.raises(RequestError):
            asked(model(column), value)
        return
    assert asked(model(column), value) == [None, None]
    assert logged(model(column), value) is None
    source = Source(name="s", columns=[Time("at"), column], identity=["at"], event_time="at")
    (offered,) = check(source, [{"at": AT, "heat": value}], AT)
    assert offered.document["heat"] is None
    assert decode_rows(source, [json.dumps({"at": "2024-01-01T00:00:00Z", "heat": value})])["heat"].to_list() == [None]


def test_beside_a_missing_value_all_others_are_bounded() -> None:
    declared = model(Number("heat", missing=[-3.4e38]))
    with pytest.raises(EventError, match=r"'heat' is -3.3e\+38, beyond"):
        logged(declared, -3.3e38)


@pytest.mark.parametrize(
    ("outside", "request_door", "source_door"),
    [(None, [1.5, 1.5], None), ("keep", [1.5, 1.5], 1.5), ("clip", [1.0, 1.0], 1.0), ("refuse", None, None)],
)
def test_what_lies_out_of_bounds_is_refused_clipped_or_kept_as_declared(
    outside: Any, request_door: list[float] | None, source_door: float | None
) -> None:
    column = Number("heat", between=(0, 1), outside=outside)
    if request_door is None:
        with pytest.raises(RequestError, match=r"inputs.heat: 1.5 does not fit: outside its bounds 0.0 to 1.0"):
            asked(model(column), 1.5)
    else:
        assert asked(model(column), 1.5) == request_door
    read = reader(column, "source")
    if source_door is None:
        with pytest.raises(ValueError, match="outside its bounds"):
            read(1.5)
    else:
        assert read(1.5) == source_door
    assert (read(0), read(1)) == (0, 1)
    assert reader(Integer("level", between=(2, 4), outside="clip"), "request")(-7) == 2


@pytest.mark.parametrize(
    ("declare", "told"),
    [
        (lambda: Number("heat", outside="clip"), "outside='clip' says nothing without between"),
        (lambda: Number("heat", between=(1, 0)), "the lower bound comes first"),
        (lambda: Number("heat", between=(0, 1e38)), "neither lies beyond"),
        (lambda: Number("heat", missing=[-1], nullable=False), "is read as null; let the column be nullable"),
        (lambda: keyed_by(Number("pump")), "keyed by 'pump', a Number; a key is a Category or an Integer"),
    ],
)
def test_what_cannot_be_declared_is_told(declare: Any, told: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        declare()
    assert told in str(refused.value)


@feature_view(key="pump", known_at="hour", features=latest("level", "heat"))
def newest(half_hours: Any) -> Any:
    """The newest of a pump."""
    return half_hours


@feature_view(
    key="pump",
    known_at="hour",
    features={"sum": total("heat", over="1h", resolution=1e30), "mean": mean("heat", over="1h", resolution=1e30)}
    | {"levels": count("level", over="1h")},
)
def sums(half_hours: Any) -> Any:
    """Sums of a pump."""
    return half_hours


def keyed_by(field: Any) -> Model:
    """The electricity model, with a view keyed by the field."""
    declared = {name: getattr(electricity_price, name) for name in Model.model_fields}
    return Model(**declared | {"request": [Category("region"), field], "views": [newest], "sources": [READINGS]})


def online(view: Any, frame: pl.DataFrame, key: str) -> dict[str, Value]:
    """The view's features at the frame's moment, as serving answers."""
    rows = {made.key: made for made in extend(view, known_values(view, frame), {})}
    return answer(view, AT, rows.get(key), dict.fromkeys(view.windows))


@given(level=whole.filter(lambda n: abs(n) <= WHOLE), heats=st.lists(st.floats(-1e38, 1e38), min_size=1, max_size=4))
@example(level=EXACT + 1, heats=[9e36, 9e36])
@example(level=-EXACT, heats=[1.1e37])
def test_what_has_landed_beyond_the_bounds_is_null_offline_and_online_alike(level: int, heats: list[float]) -> None:
    frame = pl.DataFrame(
        [row(1234567890123456789, level=level, heat=heat) for heat in heats],
        schema={"pump": pl.Int64, "hour": pl.Datetime("us", "UTC"), "level": pl.Int64, "heat": pl.Float64},
    )
    spine = pl.DataFrame({"_event_time": [AT], "pump": [1234567890123456789]}).with_columns(
        pl.col("_event_time").cast(pl.Datetime("us", "UTC"))
    )
    for view in (newest, sums):
        offline = compute([view], {"half_hours": frame}, spine).select(*view.features).row(0, named=True)
        found = online(view, frame, "1234567890123456789")
        assert offline == found
        assert all(value is None or abs(value) <= LARGEST for value in found.values() if isinstance(value, float))
        if view is newest:
            assert found["level"] == (level if abs(level) <= EXACT else None)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"level": EXACT + 1}, f"view newest: 'level' is {EXACT + 1}, beyond ±2.53 .*take it by kind='category'"),
        ({"heat": 1.1e37}, "view newest: 'heat' is 1.1e.37, beyond ±1e.37, the limit of all numbers"),
        ({"pump": 2.5}, "view newest: key 'pump' is 2.5, not a whole number"),
        ({"pump": "k" * 1_001}, "view newest: a key 'pump' has 1001 bytes, of at most 1000"),
    ],
)
def test_a_row_that_a_view_cannot_take_is_refused_before_it_lands(changed: dict[str, Any], told: str) -> None:
    frame = pl.DataFrame([row(1, heat=0.5, level=1) | changed])
    with pytest.raises(SourceError, match=told):
        known_values(newest, frame, offered=True)
    known_values(newest, frame)


def test_keys_are_the_same_text_whatever_holds_them() -> None:
    assert [key_of(key) for key in ("a", 7, 7.0, 2.5, 1234567890123456789)] == ["a", "7", "7", "2.5", "1234567890123456789"]


def test_an_identity_too_long_for_an_index_is_refused() -> None:
    named = Source(name="s", columns=[Category("name"), Time("at")], identity=["name", "at"], event_time="at")
    with pytest.raises(SourceError, match=r"row 1: its identity has 3.* bytes, of at most 2000"):
        check(named, [{"name": "n" * 3_000, "at": AT}], AT)


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(ValueError, match="no Unicode text"):
        reader(Category("name"), "source")("\ud800")
