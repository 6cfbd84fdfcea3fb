"""The versions of every model in memory: a new one is loaded while the old one serves, and then takes its place at once.

The last champions are loaded, too, also after a restart, so that taking a promotion back waits for nothing. Each version is
loaded by itself: one that loads slowly, or not at all, delays no other.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import psutil

from everfit.declaration import Model
from everfit.errors import EverfitError, NotServableError, ServiceError
from everfit.serving.answer_check import answer_fields
from everfit.serving.loaded_versions import ActiveVersions, Version
from everfit.serving.version_source import Versions
from everfit.store.served_roles import Served
from everfit.training.artifact import Signature
from everfit.training.version_scorer import open_scorer

POLL_SECONDS = 1.0
RETRY_SECONDS = 30.0
ROOM_TIMES = 3  # the memory that a version takes while it is loaded, in times of its bytes

T = TypeVar("T")

logger = logging.getLogger(__name__)


class ModelCache:
    """The active versions of every declared model: requests read them, :meth:`refresh` replaces them."""

    def __init__(
        self, models: Mapping[str, Model], versions: Versions, remember: Callable[[Signature], None] = lambda _: None
    ) -> None:
        """``remember`` is given the signature of each version before it serves."""
        self.active = {name: ActiveVersions() for name in models}
        self.failures = dict.fromkeys(models, 0)
        self._models = models
        self._versions = versions
        self._remember = remember
        self._served: dict[str, Served] = {}  # by the ledger, loaded or not; none before it was read
        self._shadows: dict[str, int | None] = {}  # those that persons set, as last read
        self._loaded: dict[str, dict[int, Version]] = {name: {} for name in models}
        self._loading: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._locks = {name: asyncio.Lock() for name in models}
        self._retry_at: dict[tuple[str, int], float] = {}
        self._reported: set[tuple[str, str]] = set()
        self._unfit: set[tuple[str, int]] = set()  # versions that cannot be loaded for a reason of their own
        self._woken: asyncio.Queue[str] = asyncio.Queue()

    def champion_number(self, name: str) -> int | None:
        """The champion by the ledger, loaded or not; None where there is none, or the ledger was not read yet."""
        return self._served[name].champion if name in self._served else None

    def awaited(self) -> dict[str, str]:
        """Why serving is not ready, by model: its roles were not read yet, or its champion is not loaded yet.

        A model without a champion is not waited for, nor a champion that cannot be loaded for a reason of its own.
        """
        waits = {}
        for name, active in self.active.items():
            wanted = self.champion_number(name)
            if name not in self._served:
                waits[name] = "its roles were not read yet"
            elif wanted is not None and active.champion is None and (name, wanted) not in self._unfit:
                waits[name] = f"its champion, version {wanted}, is not loaded yet"
        return waits

    async def watch(self) -> None:
        """Follow every model's roles in turn, and one that is woken at once, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._in_turn(self._follow))
            tasks.create_task(self._in_turn(self._read_shadow))
            tasks.create_task(self._follow_woken())

    def wake(self, name: str) -> None:
        """Let a model be refreshed without waiting for its turn. Called in the event loop; other names are ignored."""
        if name in self.active:
            self._woken.put_nowait(name)

    async def refresh(self, name: str, *, insist: bool = False) -> ActiveVersions:
        """Read a declared model's roles, and wait until what they name is loaded or has failed to load.

        Args:
            name: of a declared model.
            insist: try again at once a version that failed to load lately.
        """
        await self._read_shadow(name)
        await self._follow(name, insist=insist)
        while loading := [task for (model, _), task in self._loading.items() if model == name]:
            await asyncio.wait(loading)
        return self.active[name]

    async def _in_turn(self, each: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        while True:
            for name in self.active:
                await each(name)
            await asyncio.sleep(POLL_SECONDS)

    async def _follow_woken(self) -> None:
        while True:
            await self._follow(await self._woken.get())

    async def _read_shadow(self, name: str) -> None:
        reading = asyncio.to_thread(self._versions.shadow, name)
        if (read := await self._supervised(name, reading, "its shadow stays as it was")) is not None:
            (self._shadows[name],) = read

    async def _follow(self, name: str, *, insist: bool = False) -> None:
        """Read who serves, and begin to load who is not loaded."""
        async with self._locks[name]:
            reading = asyncio.to_thread(self._versions.served, name)
            if (read := await self._supervised(name, reading, "its roles cannot be read")) is None:
                return
            (self._served[name],) = read
        self._take(name)
        for number in self._wanted(name):
            if number not in self._loaded[name] and (name, number) not in self._loading:
                self._begin(name, number, insist=insist)

    def _wanted(self, name: str) -> list[int]:
        """The versions to load, the champion first, a person's shadow before others, those on standby last."""
        served = self._served[name]
        numbers = (served.champion, served.challenger, self._shadows.get(name), *served.shadows, *served.standby)
        return list(dict.fromkeys(number for number in numbers if number is not None))

    def _begin(self, name: str, number: int, *, insist: bool) -> None:
        if insist or time.monotonic() >= self._retry_at.get((name, number), 0.0):
            self._loading[name, number] = asyncio.create_task(self._bring(name, number))

    async def _bring(self, name: str, number: int) -> None:
        """Load a version, and let it serve."""
        holder = self.active[name].champion
        loading = asyncio.to_thread(self._load, name, number)
        consequence = f"version {number} cannot be loaded; {holder and holder.number} goes on"
        loaded = await self._supervised(name, loading, consequence, number)
        del self._loading[name, number]
        if loaded is None:
            self._retry_at[name, number] = time.monotonic() + RETRY_SECONDS
        else:
            (self._loaded[name][number],) = loaded
            self._take(name)

    def _take(self, name: str) -> None:
        """Serve by what is loaded now; a champion that is not keeps the one before in its place."""
        served, loaded, old = self._served[name], self._loaded[name], self.active[name]
        champion = None if served.champion is None else loaded.get(served.champion, old.champion)
        person = self._shadows.get(name)
        shadows = served.shadows if person is None else (person, *served.shadows)
        all_served = Served(served.champion, served.challenger, served.share, served.unit, shadows)
        new = ActiveVersions.of(all_served, loaded, champion)
        kept = {version.number for _, version in new} | {*served.standby}
        for number in loaded.keys() - kept:
            del loaded[number]
        if new != old:
            self.active[name] = new
            logger.info("%s is served by %s", name, new.roles or "nobody")

    async def _supervised(
        self, name: str, work: Coroutine[Any, Any, T], consequence: str, number: int | None = None
    ) -> tuple[T] | None:
        """The work's result, or None where it raised anything, which is counted and logged; the active versions stay."""
        task = asyncio.create_task(work)
        await asyncio.wait([task])
        error = task.exception()
        if error is None:
            self._reported.discard((name, consequence))
            return (task.result(),)
        self.failures[name] += 1
        if number is not None and isinstance(error, EverfitError) and not isinstance(error, ServiceError):
            self._unfit.add((name, number))
        if (name, consequence) not in self._reported:
            self._reported.add((name, consequence))
            logger.error("%s: %s: %r", name, consequence, error)
        return None

    def _load(self, name: str, number: int) -> Version:
        """Fetch a version and let it answer nulls; runs in a thread."""
        artifact = self._versions.fetch(name, number)
        _require_room(name, number, len(artifact.content))
        scorer = open_scorer(artifact.content, artifact.signature)
        score = scorer.score_one(dict.fromkeys(feature for feature, _ in scorer.signature.features))
        answer_fields(self._models[name], number, score, inputs="nulls")
        self._remember(scorer.signature)
        return Version(number, scorer)


def _require_room(name: str, number: int, size: int) -> None:
    """Refuse a version that would leave no memory to those that serve.

    Raises:
        NotServableError: with its size, and the memory that there is.
    """
    available = psutil.virtual_memory().available
    if ROOM_TIMES * size > available:
        raise NotServableError(
            f"{name} version {number} has {size / 2**20:.0f} MB, and about {ROOM_TIMES} times that are needed to load it; "
            f"{available / 2**20:.0f} MB are free: give serving more memory, or train a smaller version"
        )
