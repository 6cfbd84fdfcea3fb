"""The finished trials of a search, in a file that is complete or as before: what a killed search goes on from."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec


class Trial(msgspec.Struct, frozen=True):
    """Settings that were tried: the loss of each fold that was judged, and why it ended early or failed."""

    params: dict[str, Any]
    losses: list[float]
    state: Literal["complete", "pruned", "failed"]
    reason: str = ""

    @property
    def loss(self) -> float:
        """The mean over the folds that were judged, one at least."""
        return sum(self.losses) / len(self.losses)


@dataclass(slots=True)
class Progress:
    """The finished trials, the seconds that they took, and the file that keeps both."""

    file: Path
    trials: list[Trial] = field(default_factory=list)
    seconds: float = 0.0

    @classmethod
    def of(cls, file: Path) -> "Progress":
        """What an earlier process left in the file."""
        if not file.exists():
            return cls(file)
        kept = json.loads(file.read_text())
        return cls(file, [msgspec.convert(each, Trial) for each in kept["trials"]], kept["seconds"])

    @contextmanager
    def trial(self) -> Iterator[Callable[[Trial], None]]:
        """Time a trial; what it hands to the function is kept."""
        began = time.monotonic()
        yield self.trials.append
        self.seconds += time.monotonic() - began
        self.file.parent.mkdir(parents=True, exist_ok=True)
        written = self.file.with_suffix(".writing")
        written.write_text(json.dumps({"trials": msgspec.to_builtins(self.trials), "seconds": self.seconds}))
        written.replace(self.file)
