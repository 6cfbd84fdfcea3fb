"""The lines of COPY and the columns that they are copied into."""

from typing import Any

import msgspec
import pytest

from everfit.store.bulk_copy import NULL, outcome_line, prediction_line
from everfit.store.staging import OUTCOMES, PREDICTIONS
from everfit.topics.events import LoggedPrediction, Outcome, Prediction, encode
from tests.events import outcome, prediction

SEVERAL = {"score": None, "scores": {"rain": 0.25, "snow": 0.75}}


@pytest.mark.parametrize(
    ("answer", "staged"),
    [
        ({"score": 0.75, "explored": 0.05}, {"score": "0.75", "scores": NULL, "explored": "0.05"}),
        (SEVERAL, {"score": NULL, "scores": '{"rain":0.25,"snow":0.75}', "explored": "0.0"}),
    ],
)
def test_a_line_of_a_prediction_has_the_staged_columns_in_their_order(answer: Any, staged: dict[str, str]) -> None:
    event = msgspec.structs.replace(prediction(7, version=3), degraded=True, **answer)
    logged = msgspec.json.decode(encode(event), type=LoggedPrediction)
    values = {name: getattr(logged, name) for name in PREDICTIONS.columns} | staged
    values |= {"event_time": event.event_time.isoformat(), "features": bytes(logged.features).decode(), "degraded": "t"}
    assert prediction_line(logged, 5, plain=True) == "\t".join(map(str, [5, *values.values()])) + "\n"


@pytest.mark.parametrize(
    ("truth", "staged"),
    [(1.0, {"outcome": "1.0", "outcome_class": NULL}), ("sn\tow", {"outcome": NULL, "outcome_class": r"sn\tow"})],
)
def test_a_line_of_an_outcome_has_the_staged_columns_in_their_order(truth: Any, staged: dict[str, str]) -> None:
    observed = msgspec.structs.replace(outcome(7), outcome=truth)
    values = {name: getattr(observed, name, "") for name in OUTCOMES.columns} | staged
    values |= {"observed_at": observed.observed_at.isoformat()}
    assert outcome_line(observed) == "\t".join(map(str, values.values())) + "\n"


def test_every_field_of_an_event_is_staged() -> None:
    assert set(PREDICTIONS.columns) == set(Prediction.__struct_fields__)
    assert set(OUTCOMES.columns) == {*Outcome.__struct_fields__, "outcome_class"}
