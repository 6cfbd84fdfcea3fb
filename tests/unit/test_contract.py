"""What does not fit the declared models is refused before it reaches a table, with the reason; what fits passes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from everfit import MulticlassClassification, QuantileRegression
from everfit.errors import EventError, UnknownSchemaError
from everfit.topics.contract import MAX_BYTES, Contract
from everfit.topics.events import encode
from tests.events import MODEL, outcome, prediction

CONTRACT = Contract({MODEL.name: MODEL})
NOW = datetime(1998, 1, 1, tzinfo=UTC)
FEATURES = prediction(0).features


def changed(**fields: Any) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(prediction(0)) | fields)


def featured(**values: Any) -> bytes:
    return changed(features=FEATURES | values)


def test_what_fits_passes_with_its_features_as_they_were_sent() -> None:
    event = CONTRACT.prediction(encode(prediction(3)), NOW)
    assert msgspec.json.decode(event.features) == prediction(3).features
    assert (event.request_id, event.score, event.event_time) == ("request-3", 0.5, prediction(3).event_time)
    assert CONTRACT.outcome(encode(outcome(3)), NOW) == outcome(3)


def test_nulls_and_whole_numbers_are_values() -> None:
    assert CONTRACT.prediction(featured(price=None, region=None, weekday=3), NOW).score == 0.5


def test_a_time_with_another_offset_is_the_same_moment() -> None:
    elsewhere = MODEL.go_live.astimezone(timezone(timedelta(hours=10)))
    assert CONTRACT.prediction(changed(event_time=elsewhere.isoformat()), NOW).event_time == MODEL.go_live


def test_text_that_only_looks_like_a_nul_passes() -> None:
    assert CONTRACT.prediction(changed(entity=r"\u0000"), NOW).entity == r"\u0000"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "tombstone"),
        (b"", "malformed|truncated"),
        (b"\xff\xfe", "not of"),
        (b"[]", "not of"),
        (b" " * (MAX_BYTES + 1), f"{MAX_BYTES + 1} bytes"),
        (changed(request_id=""), "length >= 1"),
        (changed(request_id="x" * 513), "length <= 512"),
        (changed(request_id="a\0b"), "NUL"),
        (changed(entity="a\0b"), "NUL"),
        (changed(model="unheard_of"), "no model 'unheard_of' is declared"),
        (changed(model="m" * 10_000), "no model 'mmm.*…' is declared"),
        (changed(version=-1), "Expected `int` >= 1"),
        (changed(version=2**31), "Expected `int` <= 2147483647"),
        (changed(version=10**30), "version"),
        (changed(role="king"), "role"),
        (changed(schema="00000000"), f"schema '00000000' is not the declared {MODEL.schema_id}"),
        (changed(score=1.5), "score 1.5 is no probability"),
        (changed(score=-0.1), "score -0.1 is no probability"),
        (changed(score=None), "score None: electricity_price answers one number"),
        (changed(event_time="1970-01-01T00:00:00Z"), "before 1996-09-04T00:00:00Z, the go-live"),
        (changed(event_time="0001-01-01T00:00:00+10:00"), "before|time"),
        (changed(event_time="2200-01-01T00:00:00Z"), "ahead of the tolerated"),
        (changed(event_time="9999-12-31T23:59:59-10:00"), "ahead of|time"),
        (changed(event_time="1996-09-04T00:00:00"), "timezone"),
        (featured(price="dear"), r"Expected `float \| null`, got `str` - at `\$.price`"),
        (featured(price=True), "got `bool`"),
        (featured(price=[1.0]), "got `array`"),
        (featured(region=1.0), r"Expected `str \| null`, got `float`"),
        (featured(region="a\0b"), "NUL"),
        (featured(unheard_of=1.0), "unknown field `unheard_of`"),
        (changed(features={f"f{n}": 0.5 for n in range(10_000)}), "features do not fit"),
        (changed(features={}), "missing required field `region`"),
        (featured(price=0.125).replace(b"0.125", b"1e999"), "out of range"),
        (featured(price=0.125).replace(b"0.125", b"Infinity"), "malformed"),
        (featured(region="dear").replace(b"dear", rb"\ud800"), "malformed"),
    ],
)
def test_a_prediction_that_does_not_fit_is_refused(value: bytes | None, told: str) -> None:
    with pytest.raises(EventError, match=told):
        CONTRACT.prediction(value, NOW)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda sent: sent.replace(b":1.0", b":0.5"), "outcome 0.5 is no label"),
        (lambda sent: sent.replace(b":1.0", b":1e999"), "out of range"),
        (lambda sent: sent.replace(b":1.0", b":null"), "Expected `float | str`"),
        (lambda sent: sent.replace(b"request-3", rb"a\u0000b"), "NUL"),
        (lambda sent: sent.replace(b"1996-", b"2200-"), "ahead of the tolerated"),
        (lambda sent: sent.replace(b"1996-", b"1970-"), "before"),
        (lambda sent: sent.replace(MODEL.name.encode(), b"other"), "no model 'other'"),
    ],
)
def test_an_outcome_that_does_not_fit_is_refused(change: Callable[[bytes], bytes], told: str) -> None:
    with pytest.raises(EventError, match=told):
        CONTRACT.outcome(change(encode(outcome(3))), NOW)


def test_the_schema_of_a_version_is_taken_once_it_is_known_and_no_other() -> None:
    contract = Contract({MODEL.name: MODEL})
    record = changed(schema="earlier", features={"region": "NSW", "price": 0.5})
    with pytest.raises(UnknownSchemaError, match="schema 'earlier' is not the declared"):
        contract.prediction(record, NOW)
    contract.learn({MODEL.name: {"earlier": [("region", "category"), ("price", "number")]}, "nobody": {"x": []}})
    assert contract.prediction(record, NOW).schema == "earlier"
    for wrong in ({"region": "NSW"}, {"region": "NSW", "price": "dear"}, FEATURES):
        with pytest.raises(EventError, match="features do not fit"):
            contract.prediction(changed(schema="earlier", features=wrong), NOW)
    with pytest.raises(UnknownSchemaError):
        contract.prediction(changed(schema="another"), NOW)
    assert contract.prediction(encode(prediction(0)), NOW).schema == MODEL.schema_id


SKY = MODEL.model_copy(update={"name": "sky", "task": MulticlassClassification("sky", ["rain", "snow"])})
DEMAND = MODEL.model_copy(update={"name": "demand", "task": QuantileRegression("demand", [0.1, 0.5])})
SEVERAL = Contract({"sky": SKY, "demand": DEMAND, MODEL.name: MODEL})


@pytest.mark.parametrize("value", [{"rain": 0.25, "snow": 0.75}, {"snow": 0.75, "rain": 0.25}])
def test_answers_of_several_numbers_come_by_their_names_in_any_order(value: dict[str, float]) -> None:
    assert SEVERAL.prediction(changed(model="sky", score=None, scores=value), NOW).scores == value
    quantiles = {"0.1": -3.0, "0.5": 4.0}
    assert SEVERAL.prediction(changed(model="demand", score=None, scores=quantiles), NOW).scores == quantiles


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"scores": {"rain": 1.0}}, "score 0.5: electricity_price answers one number, as the score, and has no scores"),
        ({"score": None}, "score None: electricity_price answers one number"),
        ({"model": "sky"}, "score 0.5: sky answers scores rain, snow, and its score is null"),
        ({"model": "sky", "score": None}, "score None: sky answers scores rain, snow"),
        ({"model": "sky", "score": None, "scores": {"rain": 1.0}}, "scores of 'rain'; sky has those of rain, snow"),
        (
            {"model": "sky", "score": None, "scores": {"rain": 1.0, "snow": 0.0, "hail": 0.0}},
            "scores of 'rain, snow, hail'; sky has those of rain, snow",
        ),
        (
            {"model": "sky", "score": None, "scores": {"rain": 0.5, "snow": 0.75}},
            r"scores {'rain': 0.5, 'snow': 0.75} are no 2 probabilities with the sum 1",
        ),
        ({"model": "sky", "score": None, "scores": {"rain": None, "snow": 1.0}}, r"Expected `float`, got `null`"),
        (
            {"model": "demand", "score": None, "scores": {"0.1": 4.0, "0.5": 3.0}},
            "are no 2 finite numbers that do not decrease",
        ),
    ],
)
def test_an_answer_of_another_form_than_the_tasks_is_refused_with_it(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(EventError, match=told):
        SEVERAL.prediction(changed(**fields), NOW)


def test_an_outcome_is_a_number_or_a_class_as_the_task_has_it() -> None:
    def came_true(model: str, value: Any) -> Any:
        return SEVERAL.outcome(encode(msgspec.structs.replace(outcome(0), model=model, outcome=value)), NOW).outcome

    assert (came_true("sky", "snow"), came_true("demand", 12)) == ("snow", 12.0)
    with pytest.raises(
        EventError, match=r"outcome 'hail' is no label of sky: class that is declared: 'rain', 'snow'; correct it, and redrive"
    ):
        came_true("sky", "hail")
    with pytest.raises(EventError, match=r"outcome 1.0 is no label of sky"):
        came_true("sky", 1)
    with pytest.raises(EventError, match=r"outcome '12' is no label of demand: finite number"):
        came_true("demand", "12")
    with pytest.raises(EventError, match=r"outcome '1' is no label of electricity_price: 0 or 1"):
        came_true(MODEL.name, "1")
