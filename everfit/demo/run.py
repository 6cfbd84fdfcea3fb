"""The demo from an empty folder to its report: up, first training, replay, report, down."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from everfit.catalogue import find_model
from everfit.declaration import Model
from everfit.demo.collect import collect
from everfit.demo.report import render
from everfit.demo.result import DemoResult
from everfit.deployment import Deployment
from everfit.embedded.stack import BrokerKind, Stack
from everfit.errors import StackError
from everfit.replay.client import ServingClient
from everfit.replay.landing import bootstrap
from everfit.replay.lockstep import await_retraining
from everfit.replay.player import Listener, replay
from everfit.retraining import ask_for_training, await_training
from everfit.timing import format_time

MODEL = "electricity_price"
END = datetime(1998, 1, 1, tzinfo=UTC)

STAGES = {  # of the replay's own clock
    "publishing": "replay: publishing what became known",
    "asking": "replay: asking for predictions",
    "deciding": "replay: waiting for windows to be judged",
    "retraining": "replay: waiting for retrainings",
}


@dataclass(slots=True)
class Demo:
    """One demo in a home folder. ``say`` gets a line a stage, ``playing`` shows the replay's progress.

    ``broker`` is 'embedded' (the wheel's) or 'kafka' (Apache Kafka from ``KAFKA_HOME``); None keeps what the home has.
    """

    home: Path
    project: Path
    say: Callable[[str], None]
    playing: Listener
    model: str = MODEL
    end: datetime = END
    broker: BrokerKind | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where summary and report are left."""
        return self.home / "demo"

    def run(self) -> DemoResult:
        """Run the demo and leave its summary and report; the stack is down afterwards, whatever happened.

        Raises:
            StackError: when the folder holds state that no demo made, or the stack does not start.
            ServiceError: when a service does not answer, or the loop stands still.
        """
        stack = Stack(self.home, self.project, say=self.say, broker=self.broker)
        self._begin_anew(stack)
        try:
            with self._stage("starting the stack"):
                stack.up()
            deployment = Deployment.load()
            with closing(deployment):
                result = self._play(deployment, find_model(deployment.models, self.model))
        finally:
            with self._stage("stopping the stack"):
                stack.down()
        result = msgspec.structs.replace(result, seconds=self.seconds)
        leave(result, self.folder)
        return result

    def _begin_anew(self, stack: Stack) -> None:
        """Remove an earlier demo and everything it left; never what a demo did not make."""
        earlier = self.folder.exists()
        if not earlier and (self.home / "postgres").exists():
            raise StackError(f"{self.home} holds state that no demo made; move it away, or set EVERFIT_HOME to another folder")
        if earlier:
            self.say(f"an earlier demo is in {self.home}: it is removed, and the demo begins anew")
            stack.down()
            for part in self.home.iterdir():
                if part.name != "run":
                    shutil.rmtree(part) if part.is_dir() else part.unlink()
        self.folder.mkdir(parents=True)

    def _play(self, deployment: Deployment, model: Model) -> DemoResult:
        with self._stage("first training"):
            self._first_training(deployment, model)
        self.say(f"replaying {format_time(model.go_live)} to {format_time(self.end)}")
        began = time.monotonic()
        progress = replay(deployment, model, model.go_live, self.end, listener=self.playing)
        took = time.monotonic() - began
        parts = {told: progress.seconds.get(name, 0.0) for name, told in STAGES.items()}
        self.seconds |= parts | {"replay: all else": took - sum(parts.values())}
        with self._stage("fitting the timer, computing the report"):
            span = (model.go_live, self.end)
            return collect(deployment, model, span, answered=progress.answered, folder=self.folder, seconds={})

    def _first_training(self, deployment: Deployment, model: Model) -> None:
        """Train on what came before the go-live, keep version 1 as a pinned shadow, and see that it answers."""
        rows = bootstrap(deployment, model)
        self.say(f"published {rows:,} rows from before {format_time(model.go_live)}; training the first version")
        asked = ask_for_training(deployment, model)
        done = await_training(deployment, asked.request)
        if done.status != "promoted":
            raise StackError(
                f"the first training was {done.status}: {done.result}; see its run in Dagster and `everfit status`"
            )
        deployment.registry.pin(model.name, "shadow", 1)
        settings = deployment.settings
        with closing(ServingClient(settings.serving, settings.token)) as serving:
            await_retraining(deployment.engine, serving, model.name)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        self.say(name)
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began


def leave(result: DemoResult, folder: Path) -> None:
    """Write summary.json and report.html."""
    summary = msgspec.json.format(msgspec.json.encode(result.summary()), indent=2)
    (folder / "summary.json").write_bytes(summary + b"\n")
    (folder / "report.html").write_text(render(result))
