"""Killed at any moment of a promotion or rollback, or changed by hand: the ledger has one champion, the alias follows."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from everfit.declaration.rollouts import Role
from everfit.environment.settings import Settings
from everfit.pipeline import manual_promotion
from everfit.pipeline.manual_promotion import adopt
from everfit.pipeline.promotion import register
from everfit.pipeline.reconciliation import reconcile
from everfit.pipeline.rollback import roll_back
from everfit.registry import Artifact, InMemoryRegistry
from everfit.runtime import Runtime
from everfit.store import ledger, locks
from everfit.store.served_roles import served
from models.electricity_price import electricity_price as model
from tests.versions import described

MOMENTS = 20


class KilledError(BaseException):
    """The process ends here: nothing after this happens, and Postgres rolls back what was open."""


class Fate:
    """Counts the moments of an act, and ends it at the one that is drawn; 0: never."""

    def __init__(self) -> None:
        self.passed = self.drawn = 0

    def moment(self, *_: object) -> None:
        self.passed += 1
        if self.passed == self.drawn:
            raise KilledError

    @contextmanager
    def over(self, drawn: int) -> Iterator[None]:
        self.passed, self.drawn = 0, drawn
        try:
            yield
        finally:
            self.drawn = 0


class MortalRegistry(InMemoryRegistry):
    """Its caller may be killed before and after an alias moves."""

    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self.fate = fate

    def point(self, model: str, role: Role, version: int) -> None:
        self.fate.moment()
        super().point(model, role, version)
        self.fate.moment()


@pytest.fixture
def fate(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> Fate:
    """Moments are before and after each statement, before and after a commit, and around the alias."""
    fate = Fate()
    for event in ("before_cursor_execute", "after_cursor_execute", "commit"):
        sa.event.listen(engine, event, fate.moment)
    for module in ("manual_promotion", "rollback"):
        monkeypatch.setattr(f"everfit.pipeline.{module}.announce", fate.moment)
    monkeypatch.setattr(manual_promotion, "publish_card", fate.moment)
    return fate


@pytest.fixture
def runtime(engine: sa.Engine, tmp_path: Path, fate: Fate) -> Runtime:
    """Version 1 is champion, version 2 registered."""
    settings = Settings(tmp_path, "", "", "", "", "", tmp_path / "lake")
    runtime = Runtime(settings, {model.name: model}, MortalRegistry(fate))
    runtime.__dict__["engine"] = engine
    for bias in (0.1, 0.2):
        version = described(runtime.lake, model, bias)
        register(runtime, version, runtime.lake.put_json(version))
    for number in (1, 2, 1):
        adopt(runtime, model, number, actor="person ada")
    return runtime


def champion(runtime: Runtime) -> int:
    with runtime.engine.connect() as connection:
        found = ledger.champion(connection, model.name)
        assert found is not None
        assert served(connection, model.name).champion == found.version
        return found.version


@pytest.mark.parametrize("act", [adopt, roll_back], ids=["promotion", "rollback"])
def test_killed_at_a_drawn_moment_ledger_and_alias_agree(runtime: Runtime, fate: Fate, act: Callable[..., object]) -> None:
    for number in (2, 1):  # the first rollback also ends the rollout that it finds, which later ones do not
        with fate.over(0):
            act(runtime, model, number, actor="person ada")
    moments = fate.passed
    ends: set[bool] = set()
    for drawn in random.Random(13).sample(range(1, moments + 1), MOMENTS):
        before = champion(runtime)
        with fate.over(drawn), suppress(KilledError):
            act(runtime, model, 3 - before, actor="person ada")
            pytest.fail(f"moment {drawn} of {moments} was not reached")
        after = champion(runtime)
        ends.add(after == before)
        reconcile(runtime, [model.name])
        assert (champion(runtime), runtime.registry.roles(model.name)["champion"]) == (after, after), drawn
    assert ends == {True, False}, "some kills came before the commit, and some after it"


def test_an_alias_that_was_moved_or_deleted_by_hand_is_set_back(runtime: Runtime, fate: Fate) -> None:
    pointers = runtime.registry.pointers  # type: ignore[attr-defined]
    runtime.registry.point(model.name, "champion", 2)
    reconcile(runtime, [model.name])
    assert pointers[model.name, "champion"] == 1
    del pointers[model.name, "champion"]
    reconcile(runtime, [model.name])
    assert pointers[model.name, "champion"] == 1


def test_a_champion_that_the_registry_has_lost_is_told_and_stays(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    del runtime.registry.artifacts[model.name, 1]  # type: ignore[attr-defined]
    runtime.registry.point(model.name, "champion", 2)
    reconcile(runtime, [model.name])
    assert champion(runtime) == 1
    assert "version 1 of electricity_price was never registered" in caplog.text


class Watched(InMemoryRegistry):
    """Of the same versions and roles as another; it tells the verb that it is asked, before it answers."""

    def __init__(self, other: InMemoryRegistry, asked: Callable[[str], None]) -> None:
        super().__init__()
        self.artifacts, self.pointers, self.asked = other.artifacts, other.pointers, asked

    def fetch(self, model: str, version: int) -> Artifact:
        self.asked("fetch")
        return super().fetch(model, version)

    def roles(self, model: str) -> dict[Role, int]:
        self.asked("roles")
        return super().roles(model)

    def point(self, model: str, role: Role, version: int) -> None:
        self.asked("point")
        super().point(model, role, version)


def watched(runtime: Runtime, asked: Callable[[str], None]) -> Watched:
    registry = runtime.registry
    assert isinstance(registry, InMemoryRegistry)
    runtime.__dict__["registry"] = one = Watched(registry, asked)
    return one


def test_a_registry_is_never_asked_while_the_ledger_is_locked(runtime: Runtime) -> None:
    free: list[bool] = []

    def asked(_: str) -> None:
        with runtime.engine.begin() as another:
            free.append(locks.try_hold(another, locks.LEDGER + model.name))

    registry = watched(runtime, asked)
    adopt(runtime, model, 2, actor="person ada")
    roll_back(runtime, model, actor="person ada")
    registry.pointers[model.name, "champion"] = 2
    manual_promotion.restore(runtime, model, actor="person ada")
    registry.pointers.clear()
    reconcile(runtime, [model.name])
    assert registry.pointers[model.name, "champion"] == 1
    assert free.count(True) == len(free) > 10, "a rollback would have waited for the registry"


def test_an_alias_that_is_set_late_is_that_of_who_was_promoted_meanwhile(runtime: Runtime) -> None:
    def meanwhile(verb: str) -> None:
        if verb == "point":
            registry.asked = lambda _: None
            adopt(runtime, model, 2, actor="person ada")

    registry = watched(runtime, meanwhile)
    registry.pointers.clear()
    reconcile(runtime, [model.name])
    assert (champion(runtime), registry.pointers[model.name, "champion"]) == (2, 2)
