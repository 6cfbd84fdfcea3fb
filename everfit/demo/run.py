"""The demo from an empty folder to its report: start, first training, replay, report, stop."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from everfit.declaration import Model
from everfit.declaration.discovery import find_model, load_models
from everfit.demo.collect import collect
from everfit.demo.home import made_by_others, require_empty
from everfit.demo.report import render
from everfit.demo.result import DemoResult
from everfit.environment.settings import Settings, models_package
from everfit.errors import StackError
from everfit.pipeline.loop_progress import watching_loop
from everfit.pipeline.training_request import await_training, request_training
from everfit.replay.bootstrap import bootstrap
from everfit.replay.lockstep import await_retraining
from everfit.replay.player import Listener, replay
from everfit.replay.serving_client import ServingClient
from everfit.runtime import Runtime
from everfit.stack.supervisor import BrokerKind, Stack
from everfit.timing import format_time

MODEL = "electricity_price"
END = datetime(1998, 1, 1, tzinfo=UTC)

STAGES = {  # labels of the replay's steps
    "publishing": "replay: publishing what became known",
    "asking": "replay: asking for predictions",
    "comparing": "replay: waiting for comparators to be fitted",
    "deciding": "replay: waiting for windows to be judged",
    "looking": "replay: waiting for days of a rollout to be looked at",
    "retraining": "replay: waiting for retrainings",
}


@dataclass(slots=True)
class Demo:
    """One demo in a home folder of its own. ``announce`` receives a line per stage, ``playing`` shows the replay's progress.

    ``agree`` decides, given a description, whether what another model made there may be removed.
    ``broker`` is 'embedded' (the wheel's) or 'kafka' (Apache Kafka from ``KAFKA_HOME``); None keeps what the home has.
    """

    home: Path
    project: Path
    announce: Callable[[str], None]
    playing: Listener
    model: str = MODEL
    end: datetime = END
    broker: BrokerKind | None = None
    agree: Callable[[str], bool] = lambda _: False
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self) -> DemoResult:
        """Run the demo and write its summary and report; the stack is stopped afterwards in any case.

        Raises:
            StackError: when the folder contains what another model made and its removal is not agreed to, an external part is
                not empty, or the stack does not start.
            ServiceError: when a service does not answer, or the loop makes no progress.
        """
        environ = {**self.environ, "EVERFIT_HOME": str(self.home)}
        models = load_models(models_package(environ))
        stack = Stack(self.home, self.project, announce=self.announce, broker=self.broker, environ=environ)
        self._begin_anew(stack, models)
        try:
            with self._stage("starting the stack"):
                stack.up()
            with Runtime(Settings.load(environ)) as runtime:
                model = find_model(models, self.model)
                require_empty(runtime, model)
                result = self._play(runtime, model)
        finally:
            with self._stage("stopping the stack"):
                stack.down()
        result = msgspec.structs.replace(result, seconds=self.seconds)
        leave(result, self.home)
        return result

    def _begin_anew(self, stack: Stack, models: Mapping[str, Model]) -> None:
        """Remove an earlier demo; what another model made is removed only with agreement."""
        if self.home.exists():
            self._require_agreement(made_by_others(stack.postgres, self.model, models))
            self.announce(f"an earlier demo is in {self.home}: it is removed, and the demo starts again")
            stack.down()
            for part in self.home.iterdir():
                if part.name != "run":
                    shutil.rmtree(part) if part.is_dir() else part.unlink()
        self.home.mkdir(parents=True, exist_ok=True)

    def _require_agreement(self, others: Sequence[str]) -> None:
        message = f"{self.home} also contains what other models made: {'; '.join(others)}"
        if others and not self.agree(message):
            raise StackError(f"{message}. Nothing was removed: move the folder away, or agree to its removal by --yes")

    def _play(self, runtime: Runtime, model: Model) -> DemoResult:
        with self._stage("first training"):
            self._first_training(runtime, model)
        self.announce(f"replaying {format_time(model.go_live)} to {format_time(self.end)}")
        began = time.monotonic()
        progress = replay(runtime, model, model.go_live, self.end, listener=self.playing)
        took = time.monotonic() - began
        parts = {label: progress.seconds.get(name, 0.0) for name, label in STAGES.items()}
        self.seconds |= parts | {"replay: all else": took - sum(parts.values())}
        with self._stage("fitting the timers, computing the report"):
            span = (model.go_live, self.end)
            return collect(runtime, model, span, answered=progress.answered, folder=self.home, seconds={})

    def _first_training(self, runtime: Runtime, model: Model) -> None:
        """Train on the rows from before the go-live, pin version 1 as a shadow, and await its first answer."""
        rows = bootstrap(runtime, model)
        self.announce(f"published {rows:,} rows from before {format_time(model.go_live)}; training the first version")
        training = request_training(runtime, model)
        done = await_training(runtime, training.request)
        if done.status != "promoted":
            raise StackError(
                f"the first training was {done.status}: {done.result}; see its run in Dagster and `everfit status`"
            )
        runtime.registry.point(model.name, "shadow", 1)
        settings = runtime.settings
        with closing(ServingClient(settings.serving, settings.token)) as serving:
            await_retraining(runtime.engine, serving, model.name, watching_loop(runtime))

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        self.announce(name)
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began


def leave(result: DemoResult, folder: Path) -> None:
    """Write summary.json and report.html."""
    summary = msgspec.json.format(msgspec.json.encode(result.summary()), indent=2)
    (folder / "summary.json").write_bytes(summary + b"\n")
    (folder / "report.html").write_text(render(result))
