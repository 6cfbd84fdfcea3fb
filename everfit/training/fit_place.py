"""The folder of one fit, which outlives a process that is killed: its checkpoints, its progress, and what it has finished."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from everfit.declaration.fit_context import Champion, FitContext, Floats
from everfit.training.fit_progress import ProgressFile


@dataclass(frozen=True, slots=True)
class FitPlace:
    """The folder ``path``, and the champion that the fit may go on from."""

    path: Path
    champion: Champion | None = None

    def given_to(self, context: FitContext) -> FitContext:
        """The context of a fit that has this place; its progress is counted from now on."""
        champion = self.champion and replace(self.champion, mark=self.path / "continues")
        return replace(context, checkpoints=self.checkpoints, report=ProgressFile(self.path), champion=champion)

    @property
    def checkpoints(self) -> Path:
        """The folder that the recipe may use."""
        folder = self.path / "checkpoints"
        folder.mkdir(exist_ok=True)
        return folder

    def last_checkpoint(self) -> Iterator[Path]:
        """The files that lie in it; what a recipe moved to folders within it is no part of the checkpoint."""
        yield from sorted(file for file in self.checkpoints.iterdir() if file.is_file() and not file.name.startswith("."))

    def keep_answers(self, answers: Floats) -> None:
        """Keep the answers float64[N], or of the task's shape, to the rows that the fit was made for."""
        import numpy as np

        content = io.BytesIO()
        np.save(content, answers, allow_pickle=False)
        self.keep("answers", content.getvalue())

    def kept_answers(self) -> Floats | None:
        """The answers that were kept; None where there are none."""
        import numpy as np

        content = self.kept("answers")
        return None if content is None else np.load(io.BytesIO(content), allow_pickle=False)

    def keep(self, name: str, content: bytes) -> None:
        """Keep what the fit has finished."""
        written = self.path / f".writing-{name}"
        written.write_bytes(content)
        written.replace(self.path / f"{name}.{hashlib.sha256(content).hexdigest()}")

    def kept(self, name: str) -> bytes | None:
        """What was kept under this name; None where there is nothing, or only a part of it."""
        for file in self.path.glob(f"{name}.*"):
            content = file.read_bytes()
            if file.name == f"{name}.{hashlib.sha256(content).hexdigest()}":
                return content
        return None
