"""Loaded versions, and which of them answer for a model."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from everfit.declaration.rollouts import Role
from everfit.store.served_roles import Served
from everfit.training.version_scorer import VersionScorer

T = TypeVar("T")


def _one_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="beside-the-champion")


@dataclass(frozen=True, slots=True)
class Version:
    """A loaded version."""

    number: int
    scorer: VersionScorer
    _own: ThreadPoolExecutor = field(default_factory=_one_thread, compare=False, repr=False)

    async def aside(self, work: Callable[[], T]) -> T:
        """The result of work in a thread that this version alone has, one at a time: it delays nobody else."""
        return await asyncio.wrap_future(self._own.submit(work))


@dataclass(frozen=True, slots=True)
class ActiveVersions:
    """The versions that answer for a model; each has one role. See :class:`everfit.store.served_roles.Served`."""

    champion: Version | None = None
    challenger: Version | None = None
    share: float = 0.0
    unit: str = ""
    shadows: tuple[Version, ...] = ()

    @classmethod
    def of(cls, served: Served, loaded: dict[int, Version], champion: Version | None) -> "ActiveVersions":
        """Those of the served versions that are loaded, beside a champion; a version of two roles has the first."""
        taken = {champion.number} if champion else set()
        challenger = None if served.challenger in taken or served.challenger is None else loaded.get(served.challenger)
        if challenger:
            taken.add(challenger.number)
        others = [number for number in dict.fromkeys(served.shadows) if number not in taken]
        share, unit = (served.share, served.unit) if challenger else (0.0, "")
        return cls(champion, challenger, share, unit, tuple(loaded[number] for number in others if number in loaded))

    def __iter__(self) -> Iterator[tuple[Role, Version]]:
        """Each with its role, the champion first."""
        if self.champion:
            yield "champion", self.champion
        if self.challenger:
            yield "challenger", self.challenger
        for version in self.shadows:
            yield "shadow", version

    @property
    def roles(self) -> dict[str, Any]:
        """The numbers of the versions by role, without roles that none has."""
        told: dict[str, Any] = {role: version.number for role, version in self if role != "shadow"}
        if self.challenger:
            told |= {"share": self.share} | ({"unit": self.unit} if self.unit else {})
        return told | ({"shadows": [version.number for version in self.shadows]} if self.shadows else {})
