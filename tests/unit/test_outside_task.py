"""A task from outside is carried by every part that asks what is predicted: none of them knows which task it is."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from everfit.errors import EventError
from everfit.serving.model_cache import Lineup
from everfit.serving.protocol import inferred, model_metadata, predicted
from everfit.serving.request_schema import Asked
from everfit.serving.service import Answered
from everfit.topics.contract import Contract
from tests.events import MODEL, outcome, prediction
from tests.tasks import Bounded

CHANGE = MODEL.model_copy(update={"task": Bounded(label="change")})
NOW = datetime(1998, 1, 1, tzinfo=UTC)
ASKED = Asked(id="request", ids=["request"], rows=[{}], at=NOW)


def sent(event: Any, **fields: Any) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(event) | fields)


@pytest.mark.parametrize("answer", [-7.5, 0.5, 1e9])
def test_the_log_takes_any_answer_of_the_task_and_its_labels_alone(answer: float) -> None:
    contract = Contract({CHANGE.name: CHANGE})
    fields = CHANGE.task.fields(answer)
    assert contract.prediction(sent(prediction(0), **fields), NOW).score == answer
    assert contract.outcome(sent(outcome(0), outcome=-0.25), NOW).outcome == -0.25
    with pytest.raises(EventError, match=r"outcome 1\.5 is no label of electricity_price: number from -1 to 1"):
        contract.outcome(sent(outcome(0), outcome=1.5), NOW)
    with pytest.raises(EventError, match="is no label of electricity_price: 0 or 1"):
        Contract({MODEL.name: MODEL}).outcome(sent(outcome(0), outcome=-0.25), NOW)


def test_answers_and_metadata_of_serving_are_the_tasks() -> None:
    answered = Answered(3, [-0.5], [False])
    assert predicted(CHANGE, ASKED, answered)["score"] == -0.5
    assert inferred(CHANGE, ASKED, answered)["outputs"] == [{"name": "score", "shape": [1], "datatype": "FP64", "data": [-0.5]}]
    assert model_metadata(CHANGE, Lineup())["outputs"] == [{"name": "score", "datatype": "FP64", "shape": [-1]}]
