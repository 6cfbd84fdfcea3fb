"""The progress of a replay, kept in ``<home>/replay/<model>.json`` so that it can be resumed."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from everfit.environment.formats import require_format

FORMAT = 1


class Progress(msgspec.Struct):
    """Counts of a replay from ``start``: everything up to ``sent_until`` was sent, and every window due by then is decided.

    ``asked_until`` and ``observed_until`` are the times of the newest answered request and of the newest outcome sent.
    ``days`` counts those that the clock stopped at for a look at a rollout. ``seconds`` are by step: publishing, asking
    (requests), comparing (waiting for comparators), deciding (for windows), looking (for days), retraining (waiting for runs).
    """

    model: str
    start: datetime
    sent_until: datetime | None = None
    asked_until: datetime | None = None
    observed_until: datetime | None = None
    source_rows: int = 0
    outcomes: int = 0
    answered: int = 0
    degraded: int = 0
    failed: int = 0
    windows: int = 0
    days: int = 0
    seconds: dict[str, float] = {}
    format: int = FORMAT

    def add_seconds(self, what: str, seconds: float) -> None:
        """Add to the seconds of a step."""
        self.seconds[what] = self.seconds.get(what, 0.0) + seconds

    @classmethod
    def load(cls, file: Path, model: str, start: datetime) -> "Progress":
        """The progress of the replay from ``start``; new where the file is missing or of another replay."""
        if file.exists():
            document = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
            require_format(document, FORMAT, str(file))
            progress = msgspec.convert(document, cls)
            if (progress.model, progress.start) == (model, start):
                return progress
        return cls(model=model, start=start)

    def save(self, file: Path) -> None:
        """Write it atomically."""
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".writing")
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(self)))
        temporary.replace(file)
