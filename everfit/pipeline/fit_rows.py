"""What the candidates of a training are fitted on: rows in files, from which each fit's process reads them as it needs them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from everfit.declaration import Model
from everfit.declaration.reserved_columns import EVENT_TIME
from everfit.evaluation.folds import Fold
from everfit.pipeline.manifests import TrainingSet
from everfit.pipeline.training_set import known_by

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class FoldRows:
    """A fold's rows: the file of those that were known when it began, and those to score; ``flaw`` is why there are none."""

    origin: Fold
    known: Path
    scored: "pl.DataFrame"
    flaw: str


@dataclass(frozen=True, slots=True)
class FitRows:
    """The rows of a training set in the order of events, the same in a file, and those of each fold."""

    training_set: TrainingSet
    rows: "pl.DataFrame"
    file: Path
    folds: Sequence[FoldRows]

    @classmethod
    def of(cls, model: Model, training_set: TrainingSet, rows: "pl.DataFrame", origins: Sequence[Fold], folder: Path) -> Self:
        """Written to the folder, which is to last as long as the fits."""
        mapped, file = in_file(rows, folder / "rows.arrow")
        return cls(training_set, mapped, file, [*fold_rows(model, mapped, origins, folder)])


def in_file(rows: "pl.DataFrame", file: Path) -> "tuple[pl.DataFrame, Path]":
    """The rows as they are read from a file, and the file."""
    import polars as pl

    rows.write_ipc(file)
    return pl.read_ipc(file), file


def fold_rows(model: Model, rows: "pl.DataFrame", origins: Sequence[Fold], folder: Path) -> Iterator[FoldRows]:
    """The rows of each fold; those to fit on are written to the folder."""
    import polars as pl

    for number, origin in enumerate(origins):
        known, file = in_file(rows.filter(*known_by(model, origin.start)), folder / f"fold-{number}.arrow")
        scored = rows.filter(pl.col(EVENT_TIME).is_between(origin.start, origin.end, closed="left"))
        flaw = "no labelled row before it" if known.is_empty() else "no labelled row in it" if scored.is_empty() else ""
        yield FoldRows(origin, file, scored, flaw)
