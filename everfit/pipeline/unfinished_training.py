"""What a training has done before its manifest is written, in a folder of the lake: the next attempt goes on from there.

``<lake>/unfinished/<model>/<key>/<candidate>-<settings>/<part>/`` is the folder of a fit; a part is a fold by its first day,
or ``all``. The key stands for all that a fit depends on, so that another training finds nothing of this one.
"""

import fcntl
import hashlib
import logging
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

import msgspec

from everfit.declaration import Model
from everfit.declaration.fit_context import Champion
from everfit.declaration.recipes import Recipe
from everfit.pipeline.code_versions import stage_version
from everfit.pipeline.manifests import TrainingSet
from everfit.store.lake import Lake
from everfit.training.fit_place import FitPlace
from everfit.training.fit_progress import FitProgress, read

ALL = "all"
FORGOTTEN_SECONDS = 30 * 86_400.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UnfinishedTraining:
    """The folder of one training, and the champion that its fits may go on from."""

    path: Path
    champion: Champion | None

    def fit(self, recipe: Recipe, part: str = ALL) -> FitPlace:
        """The place of a fit of a recipe as it is set."""
        settings = hashlib.sha256(msgspec.json.encode(recipe.parameters(), order="deterministic")).hexdigest()[:12]
        folder = self.path / f"{recipe.name}-{settings}" / part
        folder.mkdir(parents=True, exist_ok=True)
        return FitPlace(folder, self.champion)

    def progress(self) -> dict[tuple[str, str], FitProgress]:
        """How far the fits are that have said so, by candidate and part."""
        folders = sorted(self.path.glob("*/*/"))
        found = {(folder.parent.name.rpartition("-")[0], folder.name): read(folder) for folder in folders}
        return {name: progress for name, progress in found.items() if progress}


@contextmanager
def unfinished(lake: Lake, model: Model, given: TrainingSet, champion: Champion | None) -> Iterator[UnfinishedTraining]:
    """The folder of a training for as long as this process works on it; one of its own where another process does."""
    folder = _folder(lake, model, given, champion.version if champion else None)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.warning("%s: another process trains the same; of this training nothing is kept if it is killed", model.name)
            with tempfile.TemporaryDirectory(prefix="everfit-training-") as own:
                yield UnfinishedTraining(Path(own), champion)
            return
        yield UnfinishedTraining(folder, champion)


def forget(lake: Lake, model: Model, given: TrainingSet, champion: int | None) -> None:
    """Delete the folder of a training whose manifest is written, and those of this model's that nobody took up for a month."""
    shutil.rmtree(_folder(lake, model, given, champion), ignore_errors=True)
    for folder in _of(lake, model).glob("*/"):
        with suppress(FileNotFoundError):
            if time.time() - (folder / "lock").stat().st_mtime > FORGOTTEN_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _of(lake: Lake, model: Model) -> Path:
    return lake.root / "unfinished" / model.name


def _folder(lake: Lake, model: Model, given: TrainingSet, champion: int | None) -> Path:
    packages = sorted(f"{each.metadata['Name']}=={each.version}" for each in distributions())
    code = stage_version(model, "trained_model")  # of the candidates' settings, too
    parts = [given.rows_hash, given.cutoff, code, champion, platform.python_version(), packages]
    return _of(lake, model) / hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:24]
