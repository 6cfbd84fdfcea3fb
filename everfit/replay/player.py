"""Replay source rows, outcomes and requests, instant by instant, in lockstep with the loop.

The order within an instant: source rows, outcomes, requests. The clock stops when requests let a window close, and while a
rollout is open or a champion provisional, when they let a day of its outcomes be looked at. Before such requests Kafka has
acknowledged every outcome sent so far, and the window's comparator is fitted; before the clock stops, serving has written its
prediction log. Progress is saved when a window is decided and a day looked at; a resumed replay sends what followed once more,
under the same ids, so that nothing is stored twice.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.environment.settings import Settings
from everfit.errors import RequestError, ServiceError
from everfit.pipeline.loop_progress import watching_loop
from everfit.replay.bootstrap import MICROSECOND, catch_up
from everfit.replay.lockstep import (
    await_comparators,
    await_decision,
    await_looks,
    await_outcomes,
    await_read,
    await_retraining,
    await_roles,
    day_due,
    looks_due,
    state_of,
)
from everfit.replay.outcomes import OutcomeProducer
from everfit.replay.progress import Progress
from everfit.replay.serving_client import Answer, ServingClient
from everfit.replay.timeline import Instant, timeline
from everfit.runtime import Runtime
from everfit.sources.publication import publish
from everfit.stack.parts_in_use import differences, uses
from everfit.store.database import create_engine
from everfit.timing import format_time
from everfit.waiting import Watching

Listener = Callable[[Progress, str], None]

REFUSALS_IN_A_ROW = 20  # the replay then stops


def replay(
    runtime: Runtime,
    model: Model,
    start: datetime,
    end: datetime,
    *,
    free_running: bool = False,
    listener: Listener = lambda _progress, _doing: None,
) -> Progress:
    """Play ``[start, end)`` of the model's record against the running stack, from where an earlier replay stopped.

    Args:
        runtime: the connections to Postgres, Kafka and serving.
        model: whose record is played.
        start: inclusive, not before the go-live. Rows known before it that have not landed are published first.
        end: exclusive.
        free_running: do not wait for the loop.
        listener: receives the progress and a description of the current step, at every window's end and around each wait.

    Raises:
        RequestError: when the range is empty or begins before the go-live, or the model has no champion.
        ServiceError: when a service does not answer or refuses a request, or the loop makes no progress.
    """
    check_range(model, start, end)
    file = progress_file(runtime.settings.home, model)
    progress = Progress.load(file, model.name, start)
    settings = runtime.settings
    with ExitStack() as opened:
        serving = opened.enter_context(closing(ServingClient(settings.serving, settings.token)))
        _require_champion(runtime, model)
        _require_same_parts(settings, serving)
        catch_up(runtime, model, progress.sent_until or start)
        producer = opened.enter_context(OutcomeProducer(settings.kafka))
        publishing = create_engine(settings.database_url, durable=False)  # rows lost by a killed server are published again
        opened.callback(publishing.dispose)
        watching = watching_loop(runtime)
        _Player(runtime, model, progress, file, serving, producer, publishing, free_running, listener, watching).play(end)
    return progress


def progress_file(home: Path, model: Model) -> Path:
    """The file of a model's replay progress."""
    return home / "replay" / f"{model.name}.json"


def check_range(model: Model, start: datetime, end: datetime) -> None:
    """Refuse a range that is empty or begins before the model went live."""
    if start >= end:
        raise RequestError(f"--from {format_time(start)} is not before --to {format_time(end)}: nothing would be played")
    if start < model.go_live:
        live = format_time(model.go_live)
        raise RequestError(f"--from {format_time(start)} is before {model.name} went live: start at {live} or later")


def _require_champion(runtime: Runtime, model: Model) -> None:
    """Refuse before anything is sent: outcomes of unanswered requests would stay in the log."""
    if state_of(runtime.engine, model.name).champion is None:
        raise RequestError(f"{model.name} has no champion to answer requests: `everfit train {model.name}` makes the first")


def _require_same_parts(settings: Settings, serving: ServingClient) -> None:
    """Refuse before anything is sent: outcomes in one Kafka and predictions in another are never joined."""
    if differing := differences(uses(settings), serving.uses()):
        raise ServiceError(
            f"serving at {settings.serving} works with {'; with '.join(differing)}: give both the same addresses; what is sent "
            "here would never be joined with what serving logs there"
        )


@dataclass(slots=True)
class _Player:
    """One replay under way."""

    runtime: Runtime
    model: Model
    progress: Progress
    file: Path
    serving: ServingClient
    producer: OutcomeProducer
    publishing: sa.Engine
    free_running: bool
    listener: Listener
    watching: Watching
    refusals: int = 0
    unconfirmed: datetime | None = None  # first observation time among the outcomes sent since the last decided window

    def play(self, end: datetime) -> None:
        """Send the rest of the range, stopping the clock at every window's end, and at every day that is looked at."""
        progress = self.progress
        last = progress.sent_until or progress.start
        decided, looked = self._due(last), day_due(self.model, progress.asked_until or progress.start)
        self._await_looks(looked)  # a look or a retraining may be under way from before
        self._await_retraining()
        since = progress.sent_until + MICROSECOND if progress.sent_until else progress.start
        for instant in self._require_in_time(timeline(self.model, since, end), decided):
            due = self._due(instant.at) if instant.requests else decided
            day = day_due(self.model, instant.at) if instant.requests else looked
            looks = day > looked and self._looks_due(day)
            if due > decided:
                self._await_comparators()
            self._send(instant, flush_first=due > decided or looks)
            if due > decided:
                self._await_window(instant, due)
            if looks:
                self._await_day(day)
            decided, looked = due, day
        self._finish()

    def _require_in_time(self, instants: Iterator[Instant], decided: datetime) -> Iterator[Instant]:
        """The instants, unchanged, if the model's clock has not passed them: what an interrupted replay sent ends, at the
        latest, with the request that lets the next window close.

        Raises:
            RequestError: when the clock is past that, so that every row would be late.
        """
        first = []
        for instant in instants:
            first.append(instant)
            if instant.requests and self._due(instant.at) > decided:
                break
        requested = state_of(self.runtime.engine, self.model.name).requested
        if first and requested and requested > first[-1].at and self._due(requested) > self._due(first[0].at):
            raise RequestError(
                f"{self.model.name} has a request at {format_time(requested)}, which moved its clock: what is played from "
                f"{format_time(first[0].at)} on would be late. Play from {format_time(requested)} on, or start in another "
                "EVERFIT_HOME. A request about the past needs an event_time; without one its event time is now"
            )
        yield from chain(first, instants)

    def _due(self, at: datetime) -> datetime:
        """End of the newest window that a request at a moment lets close; the go-live where there is none."""
        return self.model.windows.closed_by(at)

    def _send(self, instant: Instant, *, flush_first: bool) -> None:
        progress = self.progress
        with self._timed("publishing"):
            for source, rows in instant.rows.items():
                publish(self.publishing, self.runtime.models, source, rows)
                progress.source_rows += len(rows)
        self.producer.send(instant)
        progress.outcomes += len(instant.outcomes)
        if instant.outcomes:
            self.unconfirmed = self.unconfirmed or min(outcome.observed_at for _, outcome in instant.outcomes)
            progress.observed_until = max(outcome.observed_at for _, outcome in instant.outcomes)
        if flush_first:
            self.producer.flush()
        with self._timed("asking"):
            self._send_requests(instant)
        progress.sent_until = instant.at

    def _send_requests(self, instant: Instant) -> None:
        progress = self.progress
        for request in instant.requests:
            answer = self.serving.predict(self.model.name, request)
            if isinstance(answer, Answer):
                progress.answered += 1
                progress.degraded += answer.degraded
                progress.asked_until = instant.at
                self.refusals = 0
                continue
            progress.failed += 1
            self.refusals += 1
            if self.refusals == REFUSALS_IN_A_ROW:
                message = answer.body.decode(errors="replace")[:300]
                raise ServiceError(
                    f"serving refused {self.refusals} requests in a row, the last, {request.request_id}, with status "
                    f"{answer.status}: {message}; see `everfit status`"
                )

    def _await_comparators(self) -> None:
        """Stop the clock until what the next decision holds the champion against is fitted."""
        if not self.free_running:
            with self._timed("comparing"):
                await_comparators(self.runtime.engine, self.model.name, self.watching)

    def _await_window(self, instant: Instant, due: datetime) -> None:
        """Stop the clock until the window that ends at ``due`` is decided and what it caused is done and served."""
        self.progress.windows += 1
        if not self.free_running:
            with self._timed("deciding"):
                self.serving.flush()
                await_decision(self.runtime.engine, self.model.name, due, self.watching)
                if self.unconfirmed:
                    await_outcomes(self.runtime.engine, self.model.name, self.unconfirmed, self.runtime.settings.kafka)
            self.unconfirmed = None
        self.progress.save(self.file)
        self.listener(self.progress, f"played to {format_time(instant.at)}")
        self._await_retraining()

    def _looks_due(self, day: datetime) -> bool:
        """Whether the clock stops for a look at the outcomes of the days up to ``day``."""
        return not self.free_running and looks_due(self.runtime.engine, self.model.name, day)

    def _await_day(self, day: datetime) -> None:
        """Stop the clock until the outcomes of the day that ends at ``day`` were looked at, and what follows is served."""
        with self._timed("looking"):
            self.serving.flush()
            self._await_looks(day)
            await_roles(self.runtime.engine, self.serving, self.model.name, self.watching)
        self.progress.days += 1
        self.progress.save(self.file)

    def _await_looks(self, day: datetime) -> None:
        if not self.free_running:
            await_looks(self.runtime.engine, self.model.name, day, self.watching)

    def _await_retraining(self) -> None:
        if not self.free_running:
            with self._timed("retraining"):
                await_retraining(self.runtime.engine, self.serving, self.model.name, self.watching)

    def _finish(self) -> None:
        """Return when everything sent is in the log and, in lockstep, also read by the loop."""
        progress = self.progress
        self.producer.flush()
        self.serving.flush()
        if not self.free_running and progress.asked_until:
            await_read(self.runtime.engine, self.model.name, progress.asked_until, progress.observed_until, self.watching)
        progress.save(self.file)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.progress.add_seconds(what, time.monotonic() - started)
