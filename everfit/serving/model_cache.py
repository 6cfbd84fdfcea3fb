"""Which versions answer: loaded beside those that serve, then swapped in at once."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from everfit.declaration import Model
from everfit.errors import EverfitError, NotServableError, ServiceError
from everfit.registry import Artifact
from everfit.topics.events import Role
from everfit.training.artifact import Scorer, Signature

POLL_SECONDS = 1.0
RETRY_SECONDS = 30.0
SERVED: tuple[Role, ...] = ("champion", "shadow")

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Versions(Protocol):
    """What the roster follows: see :mod:`everfit.serving.version_source`."""

    def roles(self, model: str) -> dict[Role, int]:
        """The versions that are wanted, by role."""

    def fetch(self, model: str, version: int) -> Artifact:
        """The artifact of a version."""


@dataclass(frozen=True, slots=True)
class Version:
    """A loaded version."""

    number: int
    scorer: Scorer


@dataclass(frozen=True, slots=True)
class Lineup:
    """Who answers for a model. A shadow that is the champion is left out: it answers once, as champion."""

    champion: Version | None = None
    shadow: Version | None = None

    @property
    def roles(self) -> dict[Role, int]:
        """The versions that serve, by role."""
        pairs: list[tuple[Role, Version | None]] = [("champion", self.champion), ("shadow", self.shadow)]
        return {role: version.number for role, version in pairs if version is not None}


class Roster:
    """The line-up of every declared model; requests read it, :meth:`refresh` replaces it."""

    def __init__(
        self, models: Mapping[str, Model], registry: Versions, remember: Callable[[Signature], None] = lambda _: None
    ) -> None:
        """``remember`` is given the signature of each version before it serves."""
        self.lineups = {name: Lineup() for name in models}
        self.failures = dict.fromkeys(models, 0)
        self.read = dict.fromkeys(models, False)
        self.wanted: dict[str, int | None] = dict.fromkeys(models)  # the champion by the ledger, loaded or not
        self._tasks = {name: model.task for name, model in models.items()}
        self._registry = registry
        self._remember = remember
        self._locks = {name: asyncio.Lock() for name in models}
        self._retry_at: dict[tuple[str, int], float] = {}
        self._told: dict[str, str] = {}
        self._errors: dict[str, BaseException] = {}
        self._unfit: dict[str, int] = {}  # champions that cannot be loaded for a reason of their own

    def awaited(self) -> dict[str, str]:
        """What keeps serving from being ready, by model: roles that were not read, and champions that are not loaded.

        A model without a champion does not, nor one whose champion cannot be loaded for a reason of its own: the others serve.
        """
        waits = {}
        for name, lineup in self.lineups.items():
            wanted = self.wanted[name]
            if not self.read[name]:
                waits[name] = "its roles were not read yet"
            elif wanted is not None and lineup.champion is None and self._unfit.get(name) != wanted:
                waits[name] = f"its champion, version {wanted}, is not loaded yet"
        return waits

    async def watch(self) -> None:
        """Follow who is wanted, until cancelled."""
        while True:
            for name in self.lineups:
                await self.refresh(name)
            await asyncio.sleep(POLL_SECONDS)

    async def refresh(self, name: str, *, insist: bool = False) -> Lineup:
        """Read a model's roles and load what is new; whoever cannot be replaced goes on serving.

        Args:
            name: of a declared model.
            insist: try again at once a version that failed to load lately.
        """
        async with self._locks[name]:
            roles = await self._supervised(name, asyncio.to_thread(self._registry.roles, name), "its roles cannot be read")
            if roles is not None:
                self.read[name] = True
                self.wanted[name] = roles.get("champion")
                await self._follow(name, roles, insist=insist)
        return self.lineups[name]

    async def _follow(self, name: str, roles: Mapping[Role, int], *, insist: bool) -> None:
        old = self.lineups[name]
        champion = await self._version(name, roles.get("champion"), old, old.champion, insist=insist)
        wanted = roles.get("shadow")
        wanted = None if wanted == roles.get("champion") else wanted
        shadow = await self._version(name, wanted, old, old.shadow, insist=insist)
        new = Lineup(champion, None if shadow == champion else shadow)
        if new != old:
            self.lineups[name] = new
            logger.info("%s is served by %s", name, new.roles or "nobody")

    async def _version(
        self, name: str, number: int | None, old: Lineup, holder: Version | None, *, insist: bool
    ) -> Version | None:
        """The wanted version, loaded; the one that holds the role now where it cannot be."""
        if number is None:
            return None
        for loaded in (old.champion, old.shadow):
            if loaded is not None and loaded.number == number:
                return loaded
        if not insist and time.monotonic() < self._retry_at.get((name, number), 0.0):
            return holder
        loading = asyncio.to_thread(self._load, name, number)
        loaded = await self._supervised(name, loading, f"version {number} cannot be loaded; {holder and holder.number} goes on")
        if loaded is None:
            self._retry_at[name, number] = time.monotonic() + RETRY_SECONDS
            if isinstance(self._errors[name], EverfitError) and not isinstance(self._errors[name], ServiceError):
                self._unfit[name] = number
        return loaded or holder

    async def _supervised(self, name: str, work: Coroutine[Any, Any, T], consequence: str) -> T | None:
        """The work's result, or None where it failed, of whatever kind: counted and told, and what serves goes on serving."""
        task = asyncio.create_task(work)
        await asyncio.wait([task])
        error = task.exception()
        if error is None:
            self._told.pop(name, None)
            return task.result()
        self.failures[name] += 1
        self._errors[name] = error
        if self._told.get(name) != consequence:
            self._told[name] = consequence
            logger.error("%s: %s: %r", name, consequence, error)
        return None

    def _load(self, name: str, number: int) -> Version:
        """Fetch and try a version; runs in a thread."""
        artifact = self._registry.fetch(name, number)
        scorer = Scorer(artifact.onnx, artifact.signature)
        score = scorer.score_one(dict.fromkeys(feature for feature, _ in scorer.signature.features))
        if fault := self._tasks[name].answer_fault(score):
            raise NotServableError(f"{name} version {number} answers {score} to nulls, no {fault}")
        self._remember(scorer.signature)
        return Version(number, scorer)
