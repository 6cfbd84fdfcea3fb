"""The table that a declaration is drafted from, and the code that reads it again."""

import gzip
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from everfit.drafting.written import code
from everfit.errors import SourceError

if TYPE_CHECKING:
    import polars as pl

SEPARATORS = ",;\t|"
MISSING_WORDS = ("NA", "N/A", "NaN", "nan", "null", "NULL", "?", "-")
DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
DAY_FIRST = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{4}")
MONTH_FIRST = ("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y")


class TableFile(NamedTuple):
    """A table as it was read. ``reading`` is the expression that reads it from ``PATH``; ``remarks`` are for a person."""

    path: Path
    frame: "pl.DataFrame"
    reading: str
    remarks: list[str]


def read_table_file(path: Path) -> TableFile:
    """Read a CSV or Parquet file, with the separator, the missing words and the forms of numbers and times that it has.

    Raises:
        SourceError: when it is another kind of file, cannot be read, or holds no row.
    """
    import polars as pl

    try:
        if path.name.endswith((".csv", ".csv.gz", ".tsv", ".txt")):
            table = _read_csv(path)
        elif path.suffix == ".parquet":
            table = TableFile(path, pl.read_parquet(path, glob=False), "pl.read_parquet(PATH)", [])
        else:
            raise SourceError(f"{path}: unknown kind of file; give .csv, .csv.gz or .parquet")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not UTF-8 ({error}); convert it, such as by `iconv -f latin1 -t utf8`") from error
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error
    if table.frame.is_empty():
        raise SourceError(f"{path} holds no row; give a file with the rows on record")
    return table


def _read_csv(path: Path) -> TableFile:
    import polars as pl

    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        header = lines.readline()
        for _ in lines:  # a file in another encoding is found here, with its place
            pass
    options: dict[str, Any] = {"try_parse_dates": True, "infer_schema_length": None}
    separator = max(SEPARATORS, key=header.count)
    if separator != ",":
        options["separator"] = separator
    words = pl.read_csv(path, infer_schema=False, separator=separator)
    if separator != "," and any(_is_decimal_comma(words[name]) for name in words.columns):
        options["decimal_comma"] = True
    if missing := sorted({word for name in words.columns for word in _missing_words(words[name])}):
        options["null_values"] = missing
    frame = pl.read_csv(path, **options)
    reading = ", ".join(["PATH", *(f"{name}={code(value)}" for name, value in options.items())])
    return _with_times(TableFile(path, frame, f"pl.read_csv({reading})", _remarks(options)), words)


def _remarks(options: dict[str, Any]) -> list[str]:
    said = {"separator": "columns are separated by {!r}", "decimal_comma": "numbers have a decimal comma"}
    said["null_values"] = "read as missing: {}"
    return [sentence.format(options[name]) for name, sentence in said.items() if name in options]


def _is_decimal_comma(words: "pl.Series") -> bool:
    known = words.drop_nulls()
    return bool(known.len()) and known.str.contains(rf"^{DECIMAL_COMMA.pattern}$").any()


def _missing_words(words: "pl.Series") -> Sequence[str]:
    """The words for nothing in a column of numbers."""
    import polars as pl

    known = words.drop_nulls()
    numbers = known.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    other = known.filter(numbers.is_null() | numbers.is_nan())
    return other.unique().to_list() if other.len() < known.len() and other.is_in(MISSING_WORDS).all() else []


def _with_times(table: TableFile, words: "pl.DataFrame") -> TableFile:
    """The table with times that begin with the month, and a remark on those that were taken to begin with the day."""
    import polars as pl

    frame, reading, remarks = table.frame, table.reading, list(table.remarks)
    for name in frame.columns:
        known = words[name].drop_nulls()
        first = known[0] if known.len() else ""
        if frame.schema[name] in (pl.Date, pl.Datetime) and DAY_FIRST.match(first):
            remarks.append(f"{name!r}: times such as {first} are taken to begin with the day")
        if frame.schema[name] != pl.String or not DAY_FIRST.match(first):
            continue
        for form in MONTH_FIRST:
            if (read := known.str.to_datetime(form, strict=False)).null_count() == 0 and read.len():
                frame = frame.with_columns(pl.col(name).str.to_datetime(form))
                reading += f".with_columns(pl.col({code(name)}).str.to_datetime({code(form)}))"
                remarks.append(f"{name!r}: times such as {first} begin with the month")
                break
    return table._replace(frame=frame, reading=reading, remarks=remarks)
