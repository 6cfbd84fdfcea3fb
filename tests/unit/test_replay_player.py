"""The order in which a replay plays, holds and is taken up again, against hand-written stand-ins of the services."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from everfit import Model
from everfit.declaration.window_grid import WindowGrid
from everfit.errors import RequestError, ServiceError
from everfit.replay import player
from everfit.replay.progress import Progress
from everfit.replay.serving_client import Answer, Reply
from everfit.replay.timeline import Instant, Request
from everfit.runtime import Runtime
from everfit.stack.parts_in_use import Uses
from everfit.topics.events import Outcome

LIVE = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class World:
    """Everything that the player talks to: it writes down what it was told, in order."""

    journal: list[str] = field(default_factory=list)
    refuse: bool = False
    stall_at: int | None = None  # which window is never decided
    decided: int = 0
    requested: datetime | None = None  # the newest event time in the log
    champion: int | None = 1
    kafka: str = "here:9092"  # that serving works with
    opened: datetime | None = None  # when the rollout began that is open
    asked_for: list[datetime] = field(default_factory=list)  # the days of which it was asked whether one is due
    compared: int = 0  # how often it was waited for a comparator
    outcomes_since: list[datetime] = field(default_factory=list)  # what was waited for in the store

    def uses(self) -> Uses:
        return Uses({"database_url": "postgresql://db/everfit", "kafka": self.kafka, "mlflow": "http://mlflow:5000"})

    def await_outcomes(self, _engine: object, _model: str, sent: datetime, _kafka: str) -> None:
        self.outcomes_since.append(sent)

    def publish(self, _engine: object, _models: object, source: str, rows: list[Any]) -> int:
        self.journal.append(f"rows {len(rows)} of {source}")
        return len(rows)

    def send(self, instant: Instant) -> None:
        self.journal += [f"outcome {outcome.request_id}" for _, outcome in instant.outcomes]

    def flush(self) -> None:
        self.journal.append("flush")

    def predict(self, _model: str, request: Request) -> Answer | Reply:
        self.journal.append(f"ask {request.request_id}")
        return Reply(503, b"no champion") if self.refuse else Answer(1)

    def await_comparators(self, _engine: object, _model: str, _watching: object) -> None:
        self.compared += 1

    def await_decision(self, _engine: object, _model: str, end: datetime, _watching: object) -> None:
        if self.decided == self.stall_at:
            raise ServiceError("nothing moved for 180 s")
        self.decided += 1
        self.journal.append(f"decided {end:%dT%H}")

    def await_retraining(self, *_: object) -> None:
        self.journal.append("retrained")

    def looks_due(self, _engine: object, _model: str, day: datetime) -> bool:
        self.asked_for.append(day)
        return self.opened is not None and self.opened < day

    def await_looks(self, _engine: object, _model: str, day: datetime, _watching: object) -> None:
        if self.looks_due(None, "m", day):
            self.journal.append(f"looked {day:%d}")

    def await_roles(self, *_: object) -> None:
        self.journal.append("served")


def instants(hours: int) -> list[Instant]:
    """A row, the previous hour's outcome and a request an hour."""
    made = []
    for hour in range(hours):
        at = LIVE + hour * HOUR
        outcome = Outcome(request_id=f"r{hour - 1}", model="m", outcome=1.0, observed_at=at)
        request = Request(f"r{hour}", "e", at, {})
        made.append(Instant(at, {"s": [{"hour": hour}]}, [("e", outcome)] if hour else [], [request]))
    return made


def a_model() -> Model:
    """Windows of two hours, an hour of lateness."""
    timed = {"log": SimpleNamespace(lateness=HOUR), "training": SimpleNamespace(label_delay=2 * HOUR)}
    return cast(Model, SimpleNamespace(name="m", go_live=LIVE, windows=WindowGrid(LIVE, 2 * HOUR, HOUR), **timed))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    @contextmanager
    def producer(_bootstrap: str) -> Iterator[Any]:
        yield SimpleNamespace(send=world.send, flush=lambda: world.journal.append("acknowledged"))

    serving = SimpleNamespace(predict=world.predict, flush=world.flush, uses=world.uses, close=lambda: None)
    monkeypatch.setattr(player, "uses", lambda _: World().uses())
    monkeypatch.setattr(player, "timeline", lambda _m, start, end: iter([i for i in instants(30) if start <= i.at < end]))
    monkeypatch.setattr(player, "ServingClient", lambda _url, _token: serving)
    monkeypatch.setattr(player, "OutcomeProducer", producer)
    monkeypatch.setattr(player, "catch_up", lambda *_: 0)
    monkeypatch.setattr(player, "state_of", lambda *_: SimpleNamespace(requested=world.requested, champion=world.champion))
    monkeypatch.setattr(player, "await_read", lambda *_: world.journal.append("read"))
    for name in (
        "publish",
        "await_comparators",
        "await_decision",
        "await_outcomes",
        "await_retraining",
        "looks_due",
        "await_looks",
        "await_roles",
    ):
        monkeypatch.setattr(player, name, getattr(world, name))
    return world


def play(home: Path, hours: int, *, free_running: bool = False) -> Progress:
    settings = SimpleNamespace(database_url="postgresql+psycopg://", home=home, serving="", token="", kafka="", dagster="")
    runtime = cast(Runtime, SimpleNamespace(settings=settings, engine=None, models={}))
    return player.replay(runtime, a_model(), LIVE, LIVE + hours * HOUR, free_running=free_running)


def test_what_is_known_comes_before_the_request_and_the_clock_is_held_past_lateness(world: World, tmp_path: Path) -> None:
    progress = play(tmp_path, 4)

    assert world.journal == [
        "retrained",  # the champion answers before anything is asked
        *["rows 1 of s", "ask r0"],
        *["rows 1 of s", "outcome r0", "ask r1"],
        *["rows 1 of s", "outcome r1", "ask r2"],  # ends the first window, its lateness still to come
        *["rows 1 of s", "outcome r2", "acknowledged", "ask r3", "flush", "decided 01T02", "retrained"],
        *["acknowledged", "flush", "read"],
    ]
    assert (progress.source_rows, progress.outcomes, progress.answered, progress.windows) == (4, 3, 4, 1)


def test_while_a_rollout_is_open_the_clock_is_held_once_a_day_when_its_labels_are_due(world: World, tmp_path: Path) -> None:
    world.opened = LIVE
    progress = play(tmp_path, 30)

    held = world.journal[world.journal.index("ask r26") :]
    assert held[:7] == ["ask r26", "rows 1 of s", "outcome r26", "acknowledged", "ask r27", "flush", "decided 02T02"]
    assert held[7:11] == ["retrained", "flush", "looked 02", "served"], "after the window, and before anything else is asked"
    assert (progress.days, world.journal.count("looked 02")) == (1, 1)
    assert world.asked_for.count(LIVE + 24 * HOUR) == 2, "the database is asked once a day, and while it is waited for"


def test_where_no_rollout_is_open_no_day_holds_the_clock(world: World, tmp_path: Path) -> None:
    progress = play(tmp_path, 30)

    assert (progress.days, "served" in world.journal) == (0, False)


def test_a_look_that_was_under_way_when_the_replay_was_stopped_is_awaited_first(world: World, tmp_path: Path) -> None:
    play(tmp_path, 28)
    world.journal, world.opened = [], LIVE
    play(tmp_path, 29)

    assert world.journal[0] == "looked 02"


def test_after_each_window_an_outcome_of_it_must_have_arrived(world: World, tmp_path: Path) -> None:
    play(tmp_path, 6)

    assert world.outcomes_since == [LIVE + HOUR, LIVE + 4 * HOUR]


def test_a_serving_on_another_kafka_is_refused_before_anything_is_sent(world: World, tmp_path: Path) -> None:
    world.kafka = "there:9092"
    with pytest.raises(ServiceError, match="works with Kafka at there:9092, and this command Kafka at here:9092"):
        play(tmp_path, 4)

    assert world.journal == []


def test_free_running_waits_for_nothing(world: World, tmp_path: Path) -> None:
    play(tmp_path, 12, free_running=True)

    assert not {entry.split()[0] for entry in world.journal} & {"decided", "retrained", "read"}
    assert world.compared == 0


def test_a_replay_taken_up_again_counts_and_sends_each_window_once(world: World, tmp_path: Path) -> None:
    whole = play(tmp_path / "whole", 12)
    assert world.compared == world.decided == whole.windows
    in_one_go, world.journal, world.decided = world.journal, [], 0

    world.stall_at = 2
    with pytest.raises(ServiceError, match="nothing moved"):
        play(tmp_path, 12)
    world.stall_at, world.journal = None, []
    again = play(tmp_path, 12)

    assert world.journal[0] == "retrained"  # what the last decision caused is awaited first
    assert world.journal[1:] == in_one_go[in_one_go.index("retrained", in_one_go.index("ask r5")) + 1 :]
    assert (again.answered, again.outcomes, again.windows) == (whole.answered, whole.outcomes, whole.windows)


def test_a_replay_that_is_complete_sends_nothing_again(world: World, tmp_path: Path) -> None:
    play(tmp_path, 6)
    world.journal = []
    play(tmp_path, 6)

    assert not [entry for entry in world.journal if entry.startswith(("ask", "rows", "outcome"))]


def test_the_log_is_awaited_up_to_the_newest_outcome_not_to_the_request_it_was_sent_before(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = Outcome(request_id="r0", model="m", outcome=1.0, observed_at=LIVE + HOUR)
    merged = Instant(LIVE + 3 * HOUR, {}, [("e", outcome)], [Request("r3", "e", LIVE + 3 * HOUR, {})])
    monkeypatch.setattr(player, "timeline", lambda *_: iter([merged]))
    assert play(tmp_path, 4).observed_until == LIVE + HOUR


@pytest.mark.parametrize("requested", [LIVE + 3 * HOUR, LIVE + 1 * HOUR])
def test_what_an_earlier_replay_sent_before_it_was_stopped_is_no_reason_to_refuse(
    world: World, tmp_path: Path, requested: datetime
) -> None:
    world.requested = requested
    assert play(tmp_path, 6).answered == 6


def test_a_replay_behind_the_models_clock_is_refused_before_anything_is_sent(world: World, tmp_path: Path) -> None:
    world.requested = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(
        RequestError, match=r"m has a request at 2026-01-01T00:00:00Z, .* played from 2024-01-01T00:00:00Z on would be late"
    ):
        play(tmp_path, 12)
    assert not [entry for entry in world.journal if entry.startswith(("ask", "rows", "outcome"))]


def test_a_model_without_a_champion_is_refused_before_anything_is_sent(world: World, tmp_path: Path) -> None:
    world.champion = None
    with pytest.raises(RequestError, match="m has no champion to answer requests: `everfit train m` makes the first"):
        play(tmp_path, 12)
    assert world.journal == []


def test_a_serving_that_refuses_everything_stops_the_replay(world: World, tmp_path: Path) -> None:
    world.refuse = True
    with pytest.raises(ServiceError, match="refused 20 requests in a row, the last, r19, with status 503: no champion"):
        play(tmp_path, 24, free_running=True)


@pytest.mark.parametrize(("hours", "told"), [(0, "nothing would be played"), (-3, "nothing would be played")])
def test_an_empty_range_is_refused(world: World, tmp_path: Path, hours: int, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        play(tmp_path, hours)


def test_a_range_before_the_go_live_is_refused() -> None:
    with pytest.raises(RequestError, match="is before m went live: start at 2024-01-01T00:00:00Z or later"):
        player.check_range(a_model(), LIVE - HOUR, LIVE + HOUR)
