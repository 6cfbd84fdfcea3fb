"""What each column of a table seems to be."""

import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple

from everfit.declaration.number_range import EXACT, LARGEST
from everfit.declaration.views import MOST_COMPONENTS

if TYPE_CHECKING:
    import polars as pl

Guessed = Literal["Time", "Flag", "Integer", "Number", "Category", "Text", "Vector", "other"]

WORDS_OF_A_TEXT = 3  # on average, above which a column of words is read for what it says
DISTINCT_SHARE = 0.3  # of the rows, above which a text is no name of something that comes again
NUMBERINGS = {"id", "number", "no", "nr", "index", "row", "key", "order", "invoice"}
TAKEN = ("event_time", "observed_at")  # columns that a history makes


class ColumnGuess(NamedTuple):
    """A column: what it is called in the file and in the declaration, and what it seems to be.

    ``is_distinct``: each row has another value, which tells rows apart and says nothing else. ``size`` is that of a vector.
    """

    given: str
    name: str
    kind: Guessed
    nullable: bool = False
    is_distinct: bool = False
    distinct: int = 0
    size: int = 0
    is_naive: bool = False


def guess_columns(frame: "pl.DataFrame") -> list[ColumnGuess]:
    """A guess for each column of the table, in its order."""
    names = _names(frame.columns)
    return [_guess(frame[given], name) for given, name in zip(frame.columns, names, strict=True)]


def as_name(text: str) -> str:
    """A text as the name of a part of a declaration: ``Größe (m)`` becomes ``grosse_m``."""
    ascii_only = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^a-z0-9]+", "_", ascii_only).strip("_")
    return (plain if plain[:1].isalpha() else f"column_{plain}".rstrip("_"))[:60].rstrip("_")


def _names(given: Iterable[str]) -> list[str]:
    names: list[str] = []
    for text in given:
        name = plain = as_name(text)
        if name in TAKEN:
            name = plain = f"{name}_given"
        number = 2
        while name in names:
            name, number = f"{plain}_{number}", number + 1
        names.append(name)
    return names


def _guess(column: "pl.Series", name: str) -> ColumnGuess:
    import polars as pl

    given, kind = column.name, column.dtype
    if kind in (pl.Date, pl.Datetime):
        naive = not isinstance(kind, pl.Datetime) or kind.time_zone is None
        return ColumnGuess(given, name, "Time", column.null_count() > 0, is_naive=naive)
    if kind == pl.Boolean:
        return ColumnGuess(given, name, "Flag", column.null_count() > 0, distinct=column.drop_nulls().n_unique())
    if kind.is_numeric():
        return _number(column, name)
    if kind in (pl.String, pl.Categorical, pl.Enum):
        return _words(column.cast(pl.String), name)
    if isinstance(kind, pl.List | pl.Array) and kind.inner is not None and kind.inner.is_numeric():
        sizes = column.list.len() if isinstance(kind, pl.List) else pl.Series([kind.size])
        size = sizes.drop_nulls()[0] if sizes.drop_nulls().n_unique() == 1 else 0
        if 1 <= size <= MOST_COMPONENTS and _are_finite(column.drop_nulls().explode()):
            return ColumnGuess(given, name, "Vector", column.null_count() > 0, size=size)
    return ColumnGuess(given, name, "other")


def _are_finite(components: "pl.Series") -> bool:
    return components.null_count() == 0 and bool((components.abs() <= LARGEST).all())


def _number(column: "pl.Series", name: str) -> ColumnGuess:
    import polars as pl

    known = column.drop_nulls()
    known = known.filter(known.abs() <= LARGEST) if known.dtype.is_float() else known
    nullable, distinct = known.len() < column.len(), known.n_unique()
    is_whole = known.dtype.is_integer()
    kind: Guessed = "Integer" if is_whole else "Number"
    if is_whole and known.len() and known.cast(pl.Float64).abs().max() > EXACT:  # type: ignore[operator]
        kind = "Category"
    is_distinct = is_whole and distinct == column.len() and _is_numbering(column, name)
    return ColumnGuess(column.name, name, kind, nullable, is_distinct, distinct)


def _is_numbering(column: "pl.Series", name: str) -> bool:
    """Whether whole numbers that are all different number the rows, and measure nothing."""
    return bool(set(name.split("_")) & NUMBERINGS) or column.n_unique() - 1 == column.max() - column.min()  # type: ignore[operator]


def _words(column: "pl.Series", name: str) -> ColumnGuess:
    known = column.drop_nulls()
    nullable, distinct = known.len() < column.len(), known.n_unique()
    words = known.str.count_matches(r"\w+").mean() or 0.0
    is_text = float(words) >= WORDS_OF_A_TEXT and distinct > DISTINCT_SHARE * known.len()  # type: ignore[arg-type]
    return ColumnGuess(column.name, name, "Text" if is_text else "Category", nullable, distinct == column.len(), distinct)
