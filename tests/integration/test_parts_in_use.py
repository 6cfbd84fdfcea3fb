"""Two brokers, one of them given: the stack uses that one, and whatever would use the other is refused and told."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.routing import Route

from everfit import Sklearn
from everfit.doctor.connections import shared
from everfit.doctor.examination import examine
from everfit.environment.settings import VARIABLES, Settings
from everfit.errors import ServiceError, SettingsError
from everfit.replay.lockstep import await_outcomes
from everfit.serving.parts_endpoint import USES, Using
from everfit.stack import ports
from everfit.stack.states import states
from everfit.stack.supervisor import Stack
from everfit.topics.admin import partitions
from everfit.topics.events import OUTCOMES, PREDICTIONS
from models.electricity_price import electricity_price as model
from tests.brokers import running_broker
from tests.serving import served

AWAY = "http://127.0.0.1:1"


@pytest.fixture
def brokers() -> Iterator[tuple[str, str]]:
    """The one that is given, and another."""
    with running_broker() as given, running_broker() as other:
        yield given, other


def test_a_broker_that_is_given_is_used_by_all_and_not_started(home: Path, tmp_path: Path, brokers: tuple[str, str]) -> None:
    given, other = brokers
    environ = {"EVERFIT_KAFKA_BOOTSTRAP": given, "EVERFIT_KAFKA_PORT": str(ports.any_free())}
    stack = Stack(home, tmp_path, ("postgres", "broker"), environ)
    try:
        told = stack.up()
        assert told["kafka"] == given
        assert json.loads((home / "run" / "endpoints.json").read_text())["given"] == "kafka"
        assert [state.state for state in states(home, ("postgres", "broker"))] == ["up", "down"]
        assert {PREDICTIONS, OUTCOMES} <= partitions(given).keys()
        assert Stack(home, tmp_path, ("postgres", "broker"), {}).up()["kafka"] == given
        split = environ | {"EVERFIT_KAFKA_BOOTSTRAP": other}
        with pytest.raises(SettingsError, match=rf"is {other}, and the stack works with {given}: .*everfit down"):
            Stack(home, tmp_path, ("postgres", "broker"), split).up()
        wrong = [check for check in examine(home, split) if check.name == "environment"]
        assert [(other in check.message, given in check.message, check.ok) for check in wrong] == [(True, True, False)]
    finally:
        stack.down()


def test_doctor_asks_serving_what_it_works_with(database_url: str, tmp_path: Path, brokers: tuple[str, str]) -> None:
    own, other = brokers
    values = {"database_url": database_url, "kafka": own, "lake": str(tmp_path)}
    settings = Settings.load({variable: values.get(name, AWAY) for name, variable in VARIABLES.items()})
    near = Sklearn("near", LogisticRegression(), native=["absent_here.Kernel"])
    lacking = model.model_copy(update={"name": "late", "candidates": [near]})
    for kafka, holds in ((own, True), (other, False)):
        theirs = replace(settings, kafka=kafka)
        with served(Starlette(routes=[Route(USES, Using(theirs, {"late": lacking}).answer)])) as url:
            check, lack = shared(replace(settings, serving=url))
        assert (lack.name, lack.message) == (
            "candidate near of late",
            "serving lacks absent_here, from which its versions answer",
        )
        assert check.ok is holds
        assert holds or f"Kafka at {other}, and this command Kafka at {own}" in check.message


def test_outcomes_that_never_arrive_are_told_with_the_kafka_that_they_were_sent_to(engine: Engine, kafka: str) -> None:
    with pytest.raises(ServiceError, match=rf"any outcome of electricity_price from .* sent to Kafka at {kafka}"):
        await_outcomes(engine, model.name, model.go_live, kafka, stall_seconds=0.2)
