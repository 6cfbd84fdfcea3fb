"""How far the fits of a training are, shown while they run: to the trackers as curves, and on the page of the run."""

import time
from collections.abc import Callable, Mapping

from everfit.pipeline.trackers import Tracker
from everfit.pipeline.unfinished_training import ALL, UnfinishedTraining
from everfit.training.fit_progress import FitProgress

BETWEEN_SECONDS = 10.0  # from the training's begin, and between two looks

Shown = Callable[[Mapping[str, str]], None]


def unshown(progress: Mapping[str, str]) -> None:
    """A page that nobody looks at."""


class TrainingProgress:
    """Looks at a training's folder, and tells what has changed; all its calls come from one thread."""

    def __init__(self, kept: UnfinishedTraining, tracker: Tracker, show: Shown) -> None:
        self._kept = kept
        self._tracker = tracker
        self._show = show
        self._looked = time.monotonic()
        self._told: dict[str, FitProgress] = {}

    def tell(self) -> None:
        """Tell it, unless that was done a moment ago.

        A tracker gets ``{candidate}.done``, a share, and ``{candidate}.fit_loss`` by the step, of a fold with its first day
        after the candidate; ``show`` gets a sentence for each fit, with the seconds that are left.
        """
        if time.monotonic() - self._looked < BETWEEN_SECONDS:
            return
        self._looked = time.monotonic()
        found = {_named(*key): progress for key, progress in self._kept.progress().items()}
        changed = {name: progress for name, progress in found.items() if progress != self._told.get(name)}
        for name, progress in changed.items():
            loss = {} if progress.loss is None else {f"{name}.fit_loss": progress.loss}
            self._tracker.log_metrics({f"{name}.done": progress.step / progress.of} | loss, step=progress.step)
        if changed:
            self._show({f"{name}, progress": str(progress) for name, progress in changed.items()})
        self._told = found


def _named(candidate: str, part: str) -> str:
    return candidate if part == ALL else f"{candidate}.{part}"
