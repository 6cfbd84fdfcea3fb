"""The loaded versions of every model: a new one is loaded while the old one serves, and then takes its place at once."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from everfit.declaration import Model
from everfit.declaration.rollouts import Role
from everfit.errors import EverfitError, ServiceError
from everfit.serving.answer_check import answer_fields
from everfit.serving.version_source import Versions
from everfit.training.artifact import Signature
from everfit.training.version_scorer import VersionScorer, open_scorer

POLL_SECONDS = 1.0
RETRY_SECONDS = 30.0

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Version:
    """A loaded version."""

    number: int
    scorer: VersionScorer


@dataclass(frozen=True, slots=True)
class ActiveVersions:
    """The versions that answer for a model, by role, the champion first. A version of two roles answers once, in the first."""

    by_role: Mapping[Role, Version] = field(default_factory=dict)

    @property
    def champion(self) -> Version | None:
        """The version that answers where no other does; None before the first."""
        return self.by_role.get("champion")

    @property
    def roles(self) -> dict[Role, int]:
        """The numbers of the versions, by role."""
        return {role: version.number for role, version in self.by_role.items()}


class ModelCache:
    """The active versions of every declared model: requests read them, :meth:`refresh` replaces them."""

    def __init__(
        self, models: Mapping[str, Model], versions: Versions, remember: Callable[[Signature], None] = lambda _: None
    ) -> None:
        """``remember`` is given the signature of each version before it serves."""
        self.active = {name: ActiveVersions() for name in models}
        self.failures = dict.fromkeys(models, 0)
        self.read = dict.fromkeys(models, False)
        self.wanted: dict[str, int | None] = dict.fromkeys(models)  # the champion by the ledger, loaded or not
        self._models = models
        self._versions = versions
        self._remember = remember
        self._locks = {name: asyncio.Lock() for name in models}
        self._retry_at: dict[tuple[str, int], float] = {}
        self._reported: dict[str, str] = {}
        self._errors: dict[str, BaseException] = {}
        self._unfit: dict[str, int] = {}  # champions that cannot be loaded for a reason of their own
        self._woken: asyncio.Queue[str] = asyncio.Queue()

    def awaited(self) -> dict[str, str]:
        """Why serving is not ready, by model: its roles were not read yet, or its champion is not loaded yet.

        A model without a champion is not waited for, nor a champion that cannot be loaded for a reason of its own.
        """
        waits = {}
        for name, active in self.active.items():
            wanted = self.wanted[name]
            if not self.read[name]:
                waits[name] = "its roles were not read yet"
            elif wanted is not None and active.champion is None and self._unfit.get(name) != wanted:
                waits[name] = f"its champion, version {wanted}, is not loaded yet"
        return waits

    async def watch(self) -> None:
        """Refresh every model in turn, and one that is woken at once, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._refresh_in_turn())
            tasks.create_task(self._refresh_woken())

    def wake(self, name: str) -> None:
        """Let a model be refreshed without waiting for its turn. Called in the event loop; other names are ignored."""
        if name in self.active:
            self._woken.put_nowait(name)

    async def _refresh_in_turn(self) -> None:
        while True:
            for name in self.active:
                await self.refresh(name)
            await asyncio.sleep(POLL_SECONDS)

    async def _refresh_woken(self) -> None:
        while True:
            await self.refresh(await self._woken.get())

    async def refresh(self, name: str, *, insist: bool = False) -> ActiveVersions:
        """Read a model's roles and load new versions; a version that cannot be replaced goes on serving.

        Args:
            name: of a declared model.
            insist: try again at once a version that failed to load lately.
        """
        async with self._locks[name]:
            roles = await self._supervised(name, asyncio.to_thread(self._versions.roles, name), "its roles cannot be read")
            if roles is not None:
                self.read[name] = True
                self.wanted[name] = roles.get("champion")
                await self._follow(name, roles, insist=insist)
        return self.active[name]

    async def _follow(self, name: str, roles: Mapping[Role, int], *, insist: bool) -> None:
        old = self.active[name]
        wanted: dict[int, Role] = {}
        for role in self._models[name].rollout.roles:
            if role in roles:
                wanted.setdefault(roles[role], role)
        loaded: dict[Role, Version] = {}
        for number, role in wanted.items():
            version = await self._version(name, number, old, old.by_role.get(role), insist=insist)
            if version is not None and version not in loaded.values():
                loaded[role] = version
        new = ActiveVersions(loaded)
        if new != old:
            self.active[name] = new
            logger.info("%s is served by %s", name, new.roles or "nobody")

    async def _version(
        self, name: str, number: int, old: ActiveVersions, holder: Version | None, *, insist: bool
    ) -> Version | None:
        """The wanted version, loaded; where it cannot be loaded, the version that has the role now."""
        for version in old.by_role.values():
            if version.number == number:
                return version
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
        """The work's result, or None where it raised anything, which is counted and logged; the active versions stay."""
        task = asyncio.create_task(work)
        await asyncio.wait([task])
        error = task.exception()
        if error is None:
            self._reported.pop(name, None)
            return task.result()
        self.failures[name] += 1
        self._errors[name] = error
        if self._reported.get(name) != consequence:
            self._reported[name] = consequence
            logger.error("%s: %s: %r", name, consequence, error)
        return None

    def _load(self, name: str, number: int) -> Version:
        """Fetch a version and let it answer nulls; runs in a thread."""
        artifact = self._versions.fetch(name, number)
        scorer = open_scorer(artifact.content, artifact.signature)
        score = scorer.score_one(dict.fromkeys(feature for feature, _ in scorer.signature.features))
        answer_fields(self._models[name], number, score, inputs="nulls")
        self._remember(scorer.signature)
        return Version(number, scorer)
