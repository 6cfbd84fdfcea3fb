"""Flags, texts and vectors at every door, in views, on the log and in what is learnt of them."""

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import narwhals.stable.v2 as nw
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit import (
    Category,
    DriftPolicy,
    Flag,
    Gate,
    GradientBoosting,
    Model,
    Number,
    Source,
    Text,
    Time,
    Vector,
    feature_view,
    latest,
    mean,
)
from everfit.declaration.doors import reader
from everfit.declaration.values import Value
from everfit.errors import DeclarationError, EventError, RequestError, SourceError
from everfit.evidence.calibration import calibrate
from everfit.evidence.counts import tally
from everfit.evidence.drift import judge_drift
from everfit.features.definition import define
from everfit.features.labelled_rows import labelled
from everfit.features.offline import compute
from everfit.features.running_sums import answer, extend, known_values
from everfit.serving.loaded_versions import ActiveVersions
from everfit.serving.protocol import model_metadata
from everfit.serving.request_schema import read_infer, read_predict
from everfit.sources.readers import read
from everfit.sources.validation import check, frame_of
from everfit.store.documents import from_json
from everfit.store.frames import decode_rows
from everfit.topics.contract import Contract
from everfit.topics.events import Prediction, encode
from everfit.training.constant_features import left_out
from models.electricity_price import electricity_price
from tests.recipes import AnyInputs

AT = datetime(2024, 1, 1, tzinfo=UTC)
OWN = [Flag("urgent", nullable=True), Text("headline", nullable=True), Vector("embedding", 2, nullable=True)]
TICKETS = Source(name="tickets", columns=[Category("queue"), Time("at"), *OWN], identity=["queue", "at"], event_time="at")
NAMES = ["urgent", "headline", "embedding"]
NULLS: dict[str, Any] = dict.fromkeys(NAMES)


@feature_view(
    key="queue",
    known_at="at",
    ttl="1d",
    features=latest("urgent", kind="flag") | latest("headline", kind="text") | latest("embedding", kind="vector", size=2),
)
def newest(tickets: Any) -> Any:
    """The newest ticket of a queue."""
    return tickets


def model(**changes: Any) -> Model:
    """The electricity model with a request of all kinds, and a recipe that takes them."""
    declared = {name: getattr(electricity_price, name) for name in Model.model_fields if name != "declared_metric"}
    parts = {"request": [Category("region"), *OWN], "views": [], "candidates": [AnyInputs()], "sources": [TICKETS]}
    return Model(
        **declared
        | parts
        | {"history": lambda tickets: tickets, "entity": "region", "identity": [], "event_time": None, "gate": Gate()}
        | changes
    )


MODEL = model()
floats = st.floats(-(2.0**120), 2.0**120, width=32)
tickets = st.fixed_dictionaries(
    {
        "urgent": st.none() | st.booleans(),
        "headline": st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
        "embedding": st.none() | st.lists(floats, min_size=2, max_size=2),
    }
)


def ticket(**values: Any) -> dict[str, Any]:
    return {"queue": "a", "at": AT} | NULLS | values


def asked(**values: Any) -> Any:
    """The fields as a request's door reads them."""
    inputs = {"region": "NSW"} | NULLS | values
    body = {"inputs": inputs, "event_time": "2024-01-01T00:00:00Z"}
    return read_predict(MODEL, json.dumps(body).encode()).rows[0]


def logged(**values: Any) -> Any:
    """The features once they were sent and read from the log, as a frame's row."""
    sent = Prediction(
        request_id="r",
        model=MODEL.name,
        version=1,
        role="champion",
        entity="NSW",
        event_time=AT,
        score=0.5,
        schema=MODEL.schema_id,
        features={"region": "NSW"} | NULLS | values,
    )
    features = Contract({MODEL.name: MODEL}).prediction(encode(sent), AT).features
    types = {column.name: column.frame_type() for column in OWN}
    return from_json(pl.Series([bytes(features).decode()]), types, {}).row(0, named=True)


@given(values=tickets)
def test_what_a_door_takes_passes_every_later_one_unchanged(values: dict[str, Any]) -> None:
    (offered,) = check(TICKETS, [ticket(**values)], AT)
    kept = {name: offered.values[name] for name in NAMES}
    document = msgspec.json.encode(offered.document).decode()
    for frame in (decode_rows(TICKETS, [document]), frame_of(TICKETS, [offered.values])):
        assert frame.select(NAMES).row(0, named=True) == kept == values
    fields = asked(**values)
    assert {name: fields[name] for name in NAMES} == values
    assert logged(**{name: fields[name] for name in NAMES}) == values


@given(rows=st.lists(st.tuples(st.integers(0, 3), tickets), min_size=1, max_size=6), hours=st.integers(0, 30))
def test_the_newest_of_each_kind_is_the_same_offline_and_online(rows: list[tuple[int, dict[str, Any]]], hours: int) -> None:
    landed = frame_of(TICKETS, [ticket(**values) | {"at": AT + timedelta(hours=hour)} for hour, values in rows])
    moment = AT + timedelta(hours=hours)
    spine = pl.DataFrame({"_event_time": [moment], "queue": ["a"]}, schema_overrides={"_event_time": pl.Datetime("us", "UTC")})
    offline = compute([newest], {"tickets": landed}, spine).select(NAMES).row(0, named=True)
    known = [row for row in extend(newest, known_values(newest, landed, offered=True), {}) if row.known_at <= moment]
    online = answer(newest, moment, known[-1] if known else None, {})
    kept = json.loads(msgspec.json.encode(known[-1].values if known else []))
    assert offline == online
    assert not known or kept == list(known[-1].values)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("urgent", "yes", "'yes' does not fit: not true or false, without quotes"),
        ("urgent", 1, "1 does not fit: not true or false"),
        ("headline", 7, "7 does not fit: not a text"),
        ("headline", "a\0", r"'a\\x00' does not fit: a text with a NUL character, which no database holds; take it out"),
        ("embedding", 0.5, "0.5 does not fit: not a list of 2 numbers"),
        ("embedding", [1.0], "does not fit: 1 components, and the vector has 2; send all of them, or null"),
        ("embedding", [1.0, None], "component 1 is None, not a finite number"),
        ("embedding", [1.0, "2"], "component 1 is '2', not a finite number"),
        ("embedding", [True, 2.0], "component 0 is True, not a finite number"),
        ("embedding", [1.0, 1e38], r"component 1 is 1e\+38, not a finite number within ±1e\+37"),
        ("embedding", [1.0, 10**400], "component 1 is a whole number of 1329 bits, not a finite number"),
    ],
)
def test_what_does_not_fit_is_refused_at_every_door_with_the_value(field: str, value: Any, told: str) -> None:
    with pytest.raises(SourceError, match=f"source tickets, row 1, column '{field}': .*{told}"):
        check(TICKETS, [ticket(**{field: value})], AT)
    with pytest.raises(RequestError, match=f"inputs.{field}: .*{told}"):
        asked(**{field: value})


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(SourceError, match=r"'\\ud800' does not fit: no Unicode text: surrogates not allowed"):
        check(TICKETS, [ticket(headline="\ud800")], AT)
    with pytest.raises(RequestError, match=r"JSON is malformed: .* surrogate"):
        asked(headline="\ud800")


@pytest.mark.parametrize("component", [math.nan, math.inf, -math.inf])
def test_a_component_that_is_not_finite_is_refused(component: float) -> None:
    for given_as in ([0.0, component], np.array([0.0, component]), (0.0, component)):
        with pytest.raises(SourceError, match=f"component 1 is {component}, not a finite number"):
            check(TICKETS, [ticket(embedding=given_as)], AT)


def test_arrays_are_taken_as_vectors_and_rounded_to_float32() -> None:
    (offered,) = check(TICKETS, [ticket(embedding=np.array([0.1, -0.0]))], AT)
    assert offered.document["embedding"] == [float(np.float32(0.1)), 0.0]
    assert math.copysign(1, offered.document["embedding"][1]) == 1


@pytest.mark.parametrize("missing", [column.model_copy(update={"nullable": False}) for column in OWN], ids=lambda c: c.name)
def test_a_null_is_refused_where_it_is_not_declared(missing: Any) -> None:
    with pytest.raises(ValueError, match="null, and the column is not nullable"):
        reader(missing, "request")(None)


@pytest.mark.parametrize(
    ("features", "told"),
    [
        ({"urgent": "true"}, r"Expected `bool \| null`, got `str`"),
        ({"urgent": 1}, r"Expected `bool \| null`, got `int`"),
        ({"headline": 1.0}, r"Expected `str \| null`"),
        ({"embedding": [1.0]}, "Expected `array` of length >= 2"),
        ({"embedding": [1.0, 2.0, 3.0]}, "Expected `array` of length <= 2"),
        ({"embedding": [1.0, None]}, r"Expected `float`, got `null` - at `\$.embedding\[1\]`"),
        ({"embedding": [1.0, 1e38]}, "embedding"),
        ({"headline": "a\0"}, "holds a NUL character"),
    ],
)
def test_what_another_service_logs_wrongly_is_a_dead_letter(features: dict[str, Value], told: str) -> None:
    with pytest.raises(EventError, match=told):
        logged(**features)


TENSORS: dict[str, dict[str, Any]] = {
    "region": {"datatype": "BYTES", "shape": [2], "data": ["NSW", "VIC"]},
    "urgent": {"datatype": "BOOL", "shape": [2], "data": [True, None]},
    "headline": {"datatype": "BYTES", "shape": [2], "data": ["late again", ""]},
    "embedding": {"datatype": "FP32", "shape": [2, 2], "data": [0.5, 1, 1.5, 2]},
}


def inferred(**changes: dict[str, Any]) -> Any:
    inputs = [{"name": name} | tensor | changes.get(name, {}) for name, tensor in TENSORS.items()]
    return read_infer(MODEL, json.dumps({"inputs": inputs, "parameters": {"event_time": "2024-01-01T00:00:00Z"}}).encode()).rows


def test_v2_takes_vectors_flat_or_nested_and_tells_the_shapes() -> None:
    first = {"region": "NSW", "urgent": True, "headline": "late again", "embedding": [0.5, 1.0]}
    second = {"region": "VIC", "urgent": None, "headline": "", "embedding": [1.5, 2.0]}
    assert inferred() == inferred(embedding={"data": [[0.5, 1], [1.5, 2]]}) == [first, second]
    inputs = model_metadata(MODEL, ActiveVersions())["inputs"]
    assert {field["name"]: (field["datatype"], field["shape"]) for field in inputs} == {
        "region": ("BYTES", [-1]),
        "urgent": ("BOOL", [-1]),
        "headline": ("BYTES", [-1]),
        "embedding": ("FP32", [-1, 2]),
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"shape": [4]}, r"input 'embedding': shape \[4\] for 4 values; send \[N, 2\]"),
        ({"data": [1, 2, 3]}, r"input 'embedding': shape \[2, 2\] for 3 values; send \[N, 2\]"),
        ({"data": [[1, 2], [3]]}, "1 components, and the vector has 2"),
        ({"shape": [1, 2], "data": [1, 2]}, "'embedding': 1}? rows"),
    ],
)
def test_v2_refuses_a_tensor_of_another_shape(change: dict[str, Any], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        inferred(embedding=change)


def test_every_file_holds_every_kind(tmp_path: Path) -> None:
    rows = [ticket(urgent=True, headline="a, b", embedding=[0.5, -1.0]), ticket() | {"queue": "b"}]
    frame = frame_of(TICKETS, rows)
    frame.write_parquet(tmp_path / "tickets.parquet")
    written = [row | {"at": "2024-01-01T00:00:00Z"} for row in rows]
    (tmp_path / "tickets.jsonl").write_text("\n".join(map(json.dumps, written)))
    lines = 'queue,at,urgent,headline,embedding\na,2024-01-01T00:00:00Z,True,"a, b","[0.5, -1]"\nb,2024-01-01T00:00:00Z,,,\n'
    (tmp_path / "tickets.csv").write_text(lines)
    for kind in ("parquet", "jsonl", "csv"):
        (portion,) = read(TICKETS, str(tmp_path / f"tickets.{kind}"))
        assert frame_of(TICKETS, [row.values for row in check(TICKETS, portion, AT)]).equals(frame), kind


@pytest.mark.parametrize(
    ("cells", "told"), [("yes,,", "'yes' does not fit: not true or false"), (",,2;3", "'2;3' does not fit: not a list")]
)
def test_what_a_csv_file_holds_wrongly_is_refused_as_it_stands_there(tmp_path: Path, cells: str, told: str) -> None:
    (tmp_path / "tickets.csv").write_text(f"queue,at,urgent,headline,embedding\na,2024-01-01T00:00:00Z,{cells}\n")
    (portion,) = read(TICKETS, str(tmp_path / "tickets.csv"))
    with pytest.raises(SourceError, match=told):
        check(TICKETS, portion, AT)


@pytest.mark.parametrize(
    ("declare", "told"),
    [
        (lambda: model(entity="embedding", request=[Vector("embedding", 2)]), "entity is 'embedding', a vector[2]; what tells"),
        (lambda: model(entity="urgent", request=[Flag("urgent")]), "entity is 'urgent', a flag; what tells things apart"),
        (lambda: keyed("embedding"), "the key of view keyed_view is 'embedding', a vector[2]; what tells things apart is a C"),
        (lambda: keyed("headline"), "the key of view keyed_view is 'headline', a text"),
        (lambda: model(identity=["embedding"]), "identity is 'embedding', a vector[2]"),
        (lambda: model(gate=Gate(slices=["embedding"])), "gate.slices names 'embedding', a vector[2], of which each row has"),
        (lambda: model(gate=Gate(slices=["headline"])), "gate.slices names 'headline', a text"),
        (lambda: model(request=[Category("region"), Text("numbers")]), "'numbers', a text, is the name of another input or"),
        (lambda: model(request=[Category("region"), Vector("score", 2)]), "'score', a vector[2], is the name of another"),
        (
            lambda: model(candidates=[GradientBoosting()]),
            "GradientBoosting takes no text, and headline is one",
        ),
        (lambda: averaged("embedding"), "size is the mean of 'embedding', a vector[2] of source tickets; let the view's"),
        (lambda: averaged("headline"), "size is the mean of 'headline', a text of source tickets"),
        (lambda: Vector("embedding", 0), "size: Input should be greater than or equal to 1, got 0"),
        (lambda: latest("embedding", kind="vector"), "size=None of a vector; a vector has a size from 1 to 8192"),
        (lambda: latest("price", size=3), "size=3 of a number"),
        (lambda: latest("price", kind="numbr"), "kind='numbr' is none of number, category, flag, text, vector"),
        (
            lambda: Source(name="s", columns=[Time("at"), OWN[2]], identity=["at", "embedding"], event_time="at"),
            "identity names 'embedding', a vector, by which no two rows are told apart",
        ),
    ],
)
def test_what_they_cannot_be_is_told_when_it_is_declared(declare: Any, told: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        declare()
    assert told in str(refused.value)


def keyed(key: str) -> Model:
    @feature_view(key=key, known_at="at", features=latest("urgent", kind="flag"))
    def keyed_view(tickets: Any) -> Any:
        return tickets

    return model(views=[keyed_view], request=[Category("region"), Text("headline"), Vector("embedding", 2)])


def averaged(column: str) -> Model:
    @feature_view(key="region", known_at="at", features={"size": mean(column, over="1h")})
    def means(tickets: Any) -> Any:
        return tickets

    return model(views=[means])


@pytest.mark.parametrize(
    ("made", "features", "told"),
    [
        ("embedding", latest("embedding"), "'embedding' is Array.*, no number; take it by kind='vector', size=2"),
        ("embedding", latest("embedding", kind="vector", size=3), r".*, no vector\[3\]; take it by kind='vector', size=2"),
        ("headline", latest("headline", kind="flag"), "'headline' is String, no flag; take it by kind='category'"),
        ("urgent", latest("urgent", kind="vector", size=2), "'urgent' is Boolean, no vector.*; take it by kind='flag'"),
        ("listed", latest("listed", kind="vector", size=2), r"'listed' is List.*; cast it to nw.Array\(nw.Float32, size\)"),
    ],
)
def test_a_view_that_takes_a_column_as_another_kind_is_told(made: str, features: Any, told: str) -> None:
    @feature_view(key="queue", known_at="at", features=features)
    def other(tickets: Any) -> Any:
        return tickets.with_columns(listed=nw.col("embedding").cast(nw.List(nw.Float32))) if made == "listed" else tickets

    with pytest.raises(SourceError, match=f"view other: {told}"):
        known_values(other, frame_of(TICKETS, [ticket(embedding=[1.0, 2.0])]), offered=True)


def test_a_view_whose_function_makes_an_unreadable_component_has_a_null_offline_and_online() -> None:
    @feature_view(key="queue", known_at="at", features=latest("ratio", kind="vector", size=2))
    def ratios(tickets: Any) -> Any:
        made = tickets.to_native().with_columns(ratio=pl.col("embedding") / pl.col("embedding"))
        return nw.from_native(made)

    for embedding, expected in ([0.0, 1.0], None), ([2.0, 4.0], [1.0, 1.0]):
        landed = frame_of(TICKETS, [ticket(embedding=embedding)])
        spine = pl.DataFrame({"_event_time": [AT], "queue": ["a"]}, schema_overrides={"_event_time": pl.Datetime("us", "UTC")})
        (row,) = extend(ratios, known_values(ratios, landed), {})
        assert compute([ratios], {"tickets": landed}, spine)["ratio"].to_list() == [expected]
        assert answer(ratios, AT, row, {}) == {"ratio": expected}


def test_another_size_is_another_schema_and_another_version_of_a_view() -> None:
    wider = model(request=[Category("region"), *OWN[:2], Vector("embedding", 3, nullable=True)])
    assert wider.schema_id != MODEL.schema_id
    columns = [*TICKETS.columns[:-1], Vector("embedding", 3, nullable=True)]
    assert define(newest, TICKETS).version != define(newest, TICKETS.model_copy(update={"columns": columns})).version


def history(rows: int = 400) -> pl.DataFrame:
    draw = np.random.default_rng(11)
    words = np.array(["late", "again", "broken", "thanks", "refund", "where"])
    return pl.DataFrame(
        {
            "_event_time": [AT + timedelta(hours=n) for n in range(rows)],
            "urgent": draw.random(rows) < 0.3,
            "headline": [" ".join(draw.choice(words, 4)) if n % 12 else None for n in range(rows)],
            "embedding": pl.Series(
                [row if n % 16 else None for n, row in enumerate(draw.normal(size=(rows, 2)).tolist())],
                dtype=pl.Array(pl.Float32, 2),
            ),
        },
        schema_overrides={"_event_time": pl.Datetime("us", "UTC")},
    )


DRIFTED = {
    "urgent": pl.lit(value=True),
    "headline": pl.lit("totally new words here"),
    "embedding": pl.lit([3.0, 3.0], dtype=pl.Array(pl.Float32, 2)),
}
KINDS = [("urgent", "flag"), ("headline", "text"), ("embedding", "vector[2]")]


@pytest.mark.parametrize("column", NAMES)
def test_drift_of_each_kind_is_seen_and_drawn(column: str) -> None:
    past = history()
    policy = DriftPolicy(window="2d", min_rows=20, reference="14d")
    calibration = calibrate(policy, past, past, KINDS, cutoff=AT + timedelta(hours=400))
    assert judge_drift(calibration, past, past[:48])[0].verdict == "ok"
    evidence, page = judge_drift(calibration, past, past[:48].with_columns(DRIFTED[column].alias(column)), html=True)
    assert evidence.verdict == "alarm"
    assert {each["column"] for each in evidence.detail["columns"] if each["drifted"]} == {column}
    assert page is not None
    assert all(title in page for title in ("urgent", "length of headline", "norm of embedding"))
    null, _ = judge_drift(calibration, past, past[:48].with_columns(pl.lit(None, dtype=past.schema[column]).alias(column)))
    assert [each["measure"] for each in null.detail["columns"] if each["drifted"]] == ["null_share"]


def test_what_is_always_the_same_is_told_with_its_value() -> None:
    stuck = history(60).with_columns(DRIFTED[name].alias(name) for name in NAMES)
    constants = {name: column.constant for name, column in tally(MODEL, stuck, NAMES).columns.items()}
    assert constants == {"urgent": "True", "headline": "totally new words here", "embedding": "[3.0, 3.0]"}
    assert left_out(KINDS, stuck) == {
        "urgent": "is always True",
        "headline": "is always 'totally new words here'",
        "embedding": "is always [3.0, 3.0]",
    }
    assert left_out(KINDS, history(60)) == {}


def test_a_history_makes_the_fields_of_every_kind_or_is_told() -> None:
    labels = {"region": pl.lit("NSW"), "price_rose": pl.lit(1.0), "observed_at": pl.col("event_time")}
    made = history(3).rename({"_event_time": "event_time"}).with_columns(**labels)
    made = made.rename({"price_rose": MODEL.label})
    rows = labelled(MODEL, {"tickets": made})
    assert rows.select(NAMES).equals(made.select(NAMES))
    with pytest.raises(SourceError, match="its history makes 'urgent' String, no flag; cast it"):
        labelled(MODEL, {"tickets": made.with_columns(urgent=pl.lit("yes"))})


def test_number_stays_a_number() -> None:
    assert Number("price").input_kind == "number"
