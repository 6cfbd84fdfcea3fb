"""A runtime for what is tried: it reads everything, and writes to a folder alone."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import sqlalchemy as sa

from everfit.registry import InMemoryRegistry
from everfit.runtime import Runtime
from everfit.store.lake import Lake


@dataclass(frozen=True, slots=True)
class ScratchLake(Lake):
    """A lake whose objects are read from that ``below``, and written to a folder of its own."""

    below: Lake

    def path(self, digest: str, kind: str) -> Path:
        """The file of an object: below where it is there."""
        kept = self.below.path(digest, kind)
        return kept if kept.exists() else Lake.path(self, digest, kind)


class Scratch(Runtime):
    """The parts of another runtime, none of which can be changed by it: its transactions are read only, its registry empty."""

    def __init__(self, below: Runtime, folder: Path) -> None:
        super().__init__(below.settings, below.models, InMemoryRegistry())
        self._below = below
        self._folder = folder

    @cached_property
    def engine(self) -> sa.Engine:
        """The same connections, with transactions that PostgreSQL lets only read."""
        return self._below.engine.execution_options(postgresql_readonly=True)

    @cached_property
    def lake(self) -> Lake:
        """A lake above the other."""
        return ScratchLake(self._folder, self._below.lake)
