"""How far a replay came, kept in ``<home>/replay/<model>.json`` so that it can be taken up again."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from everfit.environment.formats import require_format

FORMAT = 1


class Progress(msgspec.Struct):
    """Counts of a replay from ``start``: everything up to ``sent_until`` was sent, and every window due by then decided.

    ``asked_until`` and ``observed_until`` are the moments of the newest request answered and of the newest outcome sent.
    ``seconds`` is where the time went: publishing, asking, deciding (waiting for windows), retraining (waiting for runs).
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
    seconds: dict[str, float] = {}
    format: int = FORMAT

    def spent(self, what: str, seconds: float) -> None:
        """Add to the time that went into something."""
        self.seconds[what] = self.seconds.get(what, 0.0) + seconds

    @classmethod
    def load(cls, file: Path, model: str, start: datetime) -> "Progress":
        """The progress of the replay from ``start``; a fresh one where the file is missing or tells of another."""
        if file.exists():
            held = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
            require_format(held, FORMAT, str(file))
            found = msgspec.convert(held, cls)
            if (found.model, found.start) == (model, start):
                return found
        return cls(model=model, start=start)

    def save(self, file: Path) -> None:
        """Write it whole or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".writing")
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(self)))
        temporary.replace(file)
