"""What a fit is given beside its rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from everfit.declaration.tasks import Task
from everfit.declaration.views import Features

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
else:
    Floats = Any


class Report(Protocol):
    """Where a fit says how far it is."""

    def __call__(self, step: int, of: int, loss: float | None = None) -> None:
        """``step`` of ``of`` steps are done, with this loss; cheap, so that it may be called often."""


def silent(step: int, of: int, loss: float | None = None) -> None:
    """A report that nobody reads."""


@dataclass(slots=True)
class Champion:
    """The version that a fit may continue from. One that reads ``artifact`` or ``checkpoint`` has the champion as its parent.

    Attributes:
        version: its number.
        recipe: name of the recipe that made it.
        mark: a file that is made when the fit, in this attempt or an earlier one, reads what the champion has learnt.
    """

    version: int
    recipe: str
    artifact_file: Path = field(repr=False)
    checkpoint_files: Mapping[str, Path] = field(default_factory=dict, repr=False)
    mark: Path | None = field(default=None, repr=False)
    _read: bool = field(default=False, init=False, repr=False)

    @property
    def was_read(self) -> bool:
        """Whether the fit has read what the champion has learnt."""
        return self._read or (self.mark is not None and self.mark.exists())

    @property
    def artifact(self) -> bytes:
        """Its exported graph, or its file of skops."""
        self._remember()
        return self.artifact_file.read_bytes()

    @property
    def checkpoint(self) -> Mapping[str, Path]:
        """The files of the last checkpoint of its fit, by their names there; empty where its recipe left none."""
        self._remember()
        return self.checkpoint_files

    def _remember(self) -> None:
        self._read = True
        if self.mark:
            self.mark.touch()


@dataclass(frozen=True, slots=True)
class FitContext:
    """What a fit is given beside its rows.

    Attributes:
        task: what is predicted; ``task.loss`` is to be minimised, which a declared metric may have chosen (Poisson loss for
            ``metric="poisson_deviance"``), and ``task.answers`` and ``task.head`` go with it.
        features: name and kind of every input, in the order of the exported graph.
        labels: float64[N], the label of each row as the task checked it and made it a number.
        seed: of every random draw; the same rows, context and recipe give the same model.
        weights: float64[N], positive, how much each row counts in the fit; None where all count alike.
        checkpoints: a folder of this fit alone, which outlives a process that is killed: the fit of the next attempt finds
            in it what this one left. What lies there at the end is kept with the version. None: nothing can be kept.
        report: tells progress; it is shown while the fit goes on.
        champion: what the fit may continue from; None where there is no champion.
        deadline: when the fit is ended, as :func:`time.monotonic` counts; None where nothing ends it.
    """

    task: Task
    features: Features
    labels: Floats
    seed: int
    weights: Floats | None = None
    checkpoints: Path | None = None
    report: Report = silent
    champion: Champion | None = None
    deadline: float | None = None
