"""How far a fit is: written by the process that fits, to a file of its folder, and read by the one that shows it."""

import time
from pathlib import Path

import msgspec

FILE = "progress.json"
BETWEEN_SECONDS = 1.0  # between two writes


class FitProgress(msgspec.Struct, frozen=True):
    """``step`` of ``of`` steps are done, the last with this loss; the attempt began ``seconds`` ago, after step ``first``."""

    step: int
    of: int
    loss: float | None
    first: int
    seconds: float

    @property
    def seconds_left(self) -> float | None:
        """How long the other steps take at the pace of this attempt; None before it has a pace."""
        done = self.step - self.first
        return self.seconds / done * (self.of - self.step) if done > 0 else None

    def __str__(self) -> str:
        loss = "" if self.loss is None else f", loss {self.loss:.4g}"
        left = "" if self.seconds_left is None else f", {self.seconds_left:,.0f} s left"
        return f"{self.step:,} of {self.of:,} steps{loss}{left}"


class ProgressFile:
    """A report of :class:`everfit.FitContext` that writes how far the fit is, at most once a second and at its end."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._began = time.monotonic()
        self._first: int | None = None
        self._written = -BETWEEN_SECONDS

    def __call__(self, step: int, of: int, loss: float | None = None) -> None:
        """See :class:`everfit.declaration.fit_context.Report`."""
        seconds = time.monotonic() - self._began
        self._first = step - 1 if self._first is None else self._first
        if seconds - self._written < BETWEEN_SECONDS and step < of:
            return
        self._written = seconds
        content = msgspec.json.encode(FitProgress(step, of, loss, self._first, seconds))
        written = self._file.with_name(f".writing-{FILE}")
        written.write_bytes(content)
        written.replace(self._file)


def read(folder: Path) -> FitProgress | None:
    """How far the fit of this folder is; None where it has said nothing."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=FitProgress)
    except FileNotFoundError:
        return None
