"""What the candidates of a training are fitted on: rows in files, from which each fit's process reads them as it needs them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from everfit.declaration import Model
from everfit.declaration.reserved_columns import renewed
from everfit.evaluation.folds import Fold
from everfit.evidence.calibration import rows_between
from everfit.pipeline.manifests import TrainingSet
from everfit.pipeline.training_set import known_by
from everfit.training import row_file

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
    def of(cls, model: Model, training_set: TrainingSet, kept: Path, origins: Sequence[Fold], folder: Path) -> Self:
        """The rows of the training set's file in the lake; written to the folder, which is to last as long as the fits."""
        file = folder / "rows.arrow"
        row_file.from_parquet(kept, file)
        rows = row_file.mapped(file)
        named = renewed(rows, model.label)
        if named is not rows:
            named, file = in_file(named, folder / "renewed.arrow")
        parts = [*fold_rows(model, named, origins, folder)]
        row_file.let_go()  # the fits come first; they read the rows in processes of their own
        return cls(training_set, named, file, parts)


def in_file(rows: "pl.DataFrame", file: Path) -> "tuple[pl.DataFrame, Path]":
    """The rows as they are read from a file, and the file."""
    rows.write_ipc(file)
    return row_file.mapped(file), file


def fold_rows(model: Model, rows: "pl.DataFrame", origins: Sequence[Fold], folder: Path) -> Iterator[FoldRows]:
    """The rows of each fold; those to fit on are written to the folder."""
    for number, origin in enumerate(origins):
        known, file = in_file(rows.filter(*known_by(model, origin.start)), folder / f"fold-{number}.arrow")
        scored = rows_between(rows, origin.start, origin.end)
        flaw = "no labelled row before it" if known.is_empty() else "no labelled row in it" if scored.is_empty() else ""
        yield FoldRows(origin, file, scored, flaw)
