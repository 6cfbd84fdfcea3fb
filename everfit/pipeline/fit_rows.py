"""What the candidates of a training are fitted on: rows in files, from which each fit's process reads them as it needs them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from everfit.declaration import Model
from everfit.declaration.reserved_columns import renewed
from everfit.evaluation.folds import Fold
from everfit.evidence.calibration import rows_between
from everfit.evidence.propensity import drawn_by_chance
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
    def of(
        cls,
        model: Model,
        training_set: TrainingSet,
        kept: Path,
        origins: Sequence[Fold],
        folder: Path,
        unseen_since: datetime | None = None,
    ) -> Self:
        """The rows of the training set's file in the lake; written to the folder, which is to last as long as the fits.

        ``unseen_since`` is the champion's own cutoff, where there is one.
        """
        file = folder / "rows.arrow"
        row_file.from_parquet(kept, file)
        rows = row_file.mapped(file)
        named = renewed(rows, model.label)
        if named is not rows:
            named, file = in_file(named, folder / "renewed.arrow")
        parts = [*fold_rows(model, named, origins, folder, unseen_since)]
        row_file.let_go()  # the fits come first; they read the rows in processes of their own
        return cls(training_set, named, file, parts)


def in_file(rows: "pl.DataFrame", file: Path) -> "tuple[pl.DataFrame, Path]":
    """The rows as they are read from a file, and the file."""
    rows.write_ipc(file)
    return row_file.mapped(file), file


def fold_rows(
    model: Model, rows: "pl.DataFrame", origins: Sequence[Fold], folder: Path, unseen_since: datetime | None = None
) -> Iterator[FoldRows]:
    """The rows of each fold; those to fit on are written to the folder.

    A fold counts for neither side where what was known when it began is what the champion has learnt. Of a model that explores,
    those to score are the explored ones.
    """
    seen = None if unseen_since is None else rows.filter(*known_by(model, unseen_since)).height
    for number, origin in enumerate(origins):
        known, file = in_file(rows.filter(*known_by(model, origin.start)), folder / f"fold-{number}.arrow")
        scored = drawn_by_chance(model, rows_between(rows, origin.start, origin.end))
        yield FoldRows(origin, file, scored, _flaw(known.height, seen, scored.height))


def _flaw(known: int, seen: int | None, scored: int) -> str:
    if not known:
        return "no labelled row before it"
    if not scored:
        return "no labelled row in it"
    return "nothing is known before it that the champion has not learnt" if known == seen else ""
