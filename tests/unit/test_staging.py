"""The lines of COPY and the columns that they are copied into."""

import msgspec

from everfit.store import staging
from everfit.store.bulk_copy import outcome_line, prediction_line
from everfit.topics.events import LoggedPrediction, Outcome, Prediction, encode
from tests.events import outcome, prediction


def test_a_line_has_the_staged_columns_in_their_order() -> None:
    event = msgspec.structs.replace(prediction(7, version=3, score=0.75), degraded=True)
    logged = msgspec.json.decode(encode(event), type=LoggedPrediction)
    values = {name: getattr(logged, name) for name in staging.PREDICTIONS.columns}
    values |= {"event_time": event.event_time.isoformat(), "features": bytes(logged.features).decode(), "degraded": "t"}
    assert prediction_line(logged, 5, plain=True) == "\t".join(map(str, [5, *values.values()])) + "\n"
    observed = outcome(7)
    values = {name: getattr(observed, name) for name in staging.OUTCOMES.columns}
    values |= {"observed_at": observed.observed_at.isoformat()}
    assert outcome_line(observed) == "\t".join(map(str, values.values())) + "\n"


def test_every_field_of_an_event_is_staged() -> None:
    assert set(staging.PREDICTIONS.columns) == set(Prediction.__struct_fields__)
    assert set(staging.OUTCOMES.columns) == set(Outcome.__struct_fields__)
