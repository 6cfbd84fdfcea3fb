"""A model that goes live in a drill: requests over HTTP day by day, outcomes on the broker, and the passes that read them.

Serving, Postgres and the broker are real; what a sensor and Dagster would start is called in turn, so that a drill repeats with
its seed.
"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import uvicorn

from everfit import Decision, Finding, Gate, GradientBoosting, History, Limits, Model, TrainingWindow
from everfit.declaration.rollouts import Step
from everfit.drills.catalogue import Order
from everfit.drills.models.drill import MEASURES, ROWS_A_DAY, SITES, drill, readings
from everfit.drills.test_bed import TestBed, open_test_bed
from everfit.environment.settings import Settings
from everfit.errors import DrillError
from everfit.pipeline.promotion import Conclusion
from everfit.pipeline.retraining import retrain
from everfit.registry import InMemoryRegistry
from everfit.replay.bootstrap import bootstrap
from everfit.replay.lockstep import await_roles
from everfit.replay.outcomes import OutcomeProducer
from everfit.replay.serving_client import Answer, ServingClient
from everfit.replay.timeline import Instant, Request
from everfit.runtime import Runtime
from everfit.serving.__main__ import build
from everfit.serving.app import create_app
from everfit.sources.publication import publish
from everfit.stack.ports import LOCAL, any_free
from everfit.store import rollouts
from everfit.store.rollouts import Rollout
from everfit.topics.events import Outcome
from everfit.waiting import wait_until
from monitors.log_pass import run_pass

Row = dict[str, Any]
Truth = Callable[[Row, random.Random], bool]  # what comes true of a request

TRAINED_DAYS = 14
DAY, STEP, KNOWN_AFTER = timedelta(days=1), timedelta(days=1) / ROWS_A_DAY, timedelta(minutes=30)


@dataclass(frozen=True)
class ByHand:
    """A policy that asks for nothing: the drill retrains when it wants to."""

    def decide(self, model: Model, at: datetime, current: list[Finding], history: History) -> Decision:  # noqa: ARG002
        """Nothing."""
        return Decision("none", None, "the drill retrains by itself")


def declared(rollout: list[Step], **fields: Any) -> Model:
    """The drills' model with this rollout, trained on a fortnight."""
    changed = {
        "rollout": rollout,
        "candidates": [GradientBoosting(trees=40, leaves=2)],
        "retraining": ByHand(),
        "training": TrainingWindow(history=f"{TRAINED_DAYS}d"),
        "gate": Gate(backtest="7d", folds=1, min_unseen_days=1),
        "drift": drill.drift.model_copy(update={"window": timedelta(days=56)}),
        "limits": Limits(retry_after="1s"),
    }
    return Model(**{name: getattr(drill, name) for name in Model.model_fields} | changed | fields)


def days_of(order: Order) -> int:
    """How many days of requests are asked for before the challenger is trained.

    Raises:
        DrillError: when they are fewer than what is trained on.
    """
    if order.events < TRAINED_DAYS * ROWS_A_DAY:
        raise DrillError(
            f"{order.events} events: the challenger is trained on {TRAINED_DAYS * ROWS_A_DAY}; give as many or more"
        )
    return order.events // ROWS_A_DAY


def as_recorded(row: Row, draw: random.Random) -> bool:
    """The rule of the rows from before the go-live."""
    return bool(row["measure_00"] + draw.gauss(0, 0.2) > 0.5)


@dataclass(slots=True)
class LiveModel:
    """A model with a champion, that serves; ``day`` counts those that were played."""

    bed: TestBed
    runtime: Runtime
    model: Model
    serving: ServingClient
    outcomes: OutcomeProducer
    draw: random.Random
    day: int = 0
    asked: int = 0
    failed: int = 0
    spoil: Callable[[Row], Row] = dict  # what the feed makes of a row

    def play(self, truth: Truth, *, days: int = 1) -> None:
        """Ask for the answers of so many days, tell what came true, and let the monitors read it all and act on it."""
        for _ in range(days):
            start = self.model.go_live + self.day * DAY
            rows = [self._ask(start + number * STEP, truth) for number in range(ROWS_A_DAY)]
            publish(self.runtime.engine, self.runtime.models, readings.name, rows)
            self.day += 1
        self.serving.flush()
        self.outcomes.flush()
        models = {self.model.name: self.model}
        run_pass(self.runtime.engine, self.runtime.lake, self.bed.kafka, models, linger_seconds=0.0)
        await_roles(self.runtime.engine, self.serving, self.model.name)

    def retrain(self) -> Conclusion:
        """Train on the days that are whole by the model's clock, and let serving take what passes the gate."""
        concluded = retrain(self.runtime, self.model, actor="drill")
        await_roles(self.runtime.engine, self.serving, self.model.name)
        return concluded

    def rollout(self) -> Rollout | None:
        """The newest rollout."""
        with self.runtime.engine.connect() as connection:
            return next(reversed(rollouts.of_model(connection, self.model.name)), None)

    def champion(self) -> int | None:
        """The version that serving answers with as champion."""
        return self.serving.roles(self.model.name).champion

    def _ask(self, at: datetime, truth: Truth) -> Row:
        """Ask for an answer, and send what comes true; returns the row as it is recorded."""
        site, request_id = self.draw.choice(SITES), f"live-{self.asked:06}"
        measures = {name: round(self.draw.random(), 4) for name in MEASURES}
        row: Row = {"site": site, "hour": self.draw.randrange(24), **measures}
        fed = self.spoil(row)
        answer = self.serving.predict(self.model.name, Request(request_id, site, at, fed))
        self.asked += 1
        self.failed += not isinstance(answer, Answer)
        came, observed_at = int(truth(row, self.draw)), at + KNOWN_AFTER
        outcome = Outcome(request_id=request_id, model=self.model.name, outcome=float(came), observed_at=observed_at)
        self.outcomes.send(Instant(observed_at, {}, [(site, outcome)], []))
        return {"taken_at": at, **fed, "failed": came}


@contextmanager
def go_live(order: Order, model: Model) -> Iterator[LiveModel]:
    """The model, trained on its recorded rows, on a test bed of its own."""
    with ExitStack() as opened:
        bed = opened.enter_context(open_test_bed(order.broker))
        settings = Settings(bed.folder, bed.url, bed.kafka, "", "", "", bed.lake)
        runtime = opened.enter_context(Runtime(settings, {model.name: model}, InMemoryRegistry()))
        bootstrap(runtime, model)
        retrain(runtime, model, cutoff=model.go_live, actor="drill")
        serving = opened.enter_context(closing(ServingClient(opened.enter_context(_serving(runtime)))))
        outcomes = opened.enter_context(OutcomeProducer(bed.kafka))
        await_roles(runtime.engine, serving, model.name)
        yield LiveModel(bed, runtime, model, serving, outcomes, order.random)


@contextmanager
def _serving(runtime: Runtime) -> Iterator[str]:
    """URL of serving in a thread."""
    port = any_free()
    app = create_app(build(runtime), runtime.lake)
    server = uvicorn.Server(uvicorn.Config(app, host=LOCAL, port=port, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, name="serving")
    thread.start()
    try:
        wait_until(lambda: server.started, bool, "serving to start;")
        yield f"http://{LOCAL}:{port}"
    finally:
        server.should_exit = True
        thread.join()
