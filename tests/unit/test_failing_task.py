"""A task of one's own that raises, or answers no text, costs the value that it checked and nothing else."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from everfit import BinaryClassification, Model
from everfit.errors import EventError, NotServableError
from everfit.serving.answer_check import answer_fields
from everfit.serving.model_cache import ModelCache
from everfit.topics.contract import Contract
from everfit.topics.events import encode
from tests.events import MODEL, outcome, prediction
from tests.serving import WatchedRegistry, graph

NOW = datetime(1998, 1, 1, tzinfo=UTC)


class Raising(BinaryClassification):
    """Fails at 0.5 and at a label of 1."""

    def label_fault(self, label: Any) -> str:
        return "" if 1 / (label - 1) else "number"

    def answer_fault(self, answer: Any) -> str:
        return "" if 1 / (answer - 0.5) else "number"


class Wordless(BinaryClassification):
    """Answers None where it means that nothing is wrong."""

    def label_fault(self, label: Any) -> Any:
        return None

    def answer_fault(self, answer: Any) -> Any:
        return None


def of(task: type[BinaryClassification]) -> Model:
    return MODEL.model_copy(update={"task": task(label="up")})


FAILING = pytest.mark.parametrize(
    ("task", "reason"), [(Raising, "ZeroDivisionError: .*division by zero"), (Wordless, "TypeError: it returns None, no text")]
)


@FAILING
def test_the_record_is_refused_with_task_model_and_value(task: type[BinaryClassification], reason: str) -> None:
    contract = Contract({MODEL.name: of(task)})
    wanted = rf"task {task.__name__} cannot check {{}} of {MODEL.name}: {reason}; repair it and redrive"
    with pytest.raises(EventError, match=wanted.format(r"score 0\.5")):
        contract.prediction(encode(prediction(0)), NOW)
    with pytest.raises(EventError, match=wanted.format(r"outcome 1\.0")):
        contract.outcome(encode(outcome(0, 1.0)), NOW)


def test_values_at_which_it_does_not_fail_pass() -> None:
    assert Contract({MODEL.name: of(Raising)}).outcome(encode(outcome(0, 0.0)), NOW).outcome == 0.0


@FAILING
def test_the_answer_is_refused_with_a_sentence(task: type[BinaryClassification], reason: str) -> None:
    wanted = rf"{MODEL.name} version 3 answers 0\.5, and task {task.__name__} cannot check it: {reason}; repair it"
    with pytest.raises(NotServableError, match=wanted):
        answer_fields(of(task), 3, 0.5)


def test_what_is_no_answer_is_refused_and_an_answer_is_a_score() -> None:
    assert answer_fields(MODEL, 3, 0.25) == {"score": 0.25}
    with pytest.raises(NotServableError, match=r"answers 1\.5, no probability in \[0, 1\]; `everfit promote"):
        answer_fields(MODEL, 3, 1.5)


@FAILING
def test_a_version_that_cannot_be_checked_is_not_loaded_and_not_waited_for(
    task: type[BinaryClassification], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = of(task)
    cache = ModelCache({model.name: model}, WatchedRegistry(model, {1: graph(model, 0.0)}, {"champion": 1}))
    assert asyncio.run(cache.refresh(model.name)).roles == {}
    assert cache.awaited() == {}
    assert f"task {task.__name__} cannot check it" in caplog.text
