"""A table of requests: each row holds the fields of a request, and where there is such a column its event time."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from everfit.declaration import Model
from everfit.declaration.reserved_columns import EVENT_TIME
from everfit.declaration.values import Value
from everfit.errors import RequestError, SourceError
from everfit.serving.request_schema import checked_fields
from everfit.timing import format_time, parse_time

if TYPE_CHECKING:
    import polars as pl


class TableRow(NamedTuple):
    """A row as a request at a moment; ``fault`` says why it is none, and is empty where it is one."""

    at: datetime
    inputs: Mapping[str, Value]
    fault: str = ""


def read_table(location: str) -> "pl.DataFrame":
    """All columns of a Parquet or CSV file; those of a CSV file are text.

    Raises:
        SourceError: when it is another kind of file, or cannot be read.
    """
    import polars as pl

    try:
        if location.endswith((".csv", ".csv.gz")):
            return pl.read_csv(location, infer_schema=False, glob=False)
        if location.endswith(".parquet"):
            return pl.read_parquet(location, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SourceError(f"{location} cannot be read: {error}") from error
    raise SourceError(f"{location}: unknown kind of file; give .csv, .csv.gz or .parquet")


def table_rows(model: Model, table: "pl.DataFrame", now: datetime) -> list[TableRow]:
    """The rows of a table as requests, checked as serving checks a request's fields; other columns are ignored.

    The event time is ``_event_time``, ``event_time`` or what the model calls it; without such a column it is ``now``.

    Raises:
        SourceError: when a field has no column, or the times have no zone.
    """
    fields = [column.name for column in model.request]
    if missing := [name for name in fields if name not in table.columns]:
        raise SourceError(
            f"the table has no column {', '.join(map(repr, missing))}; a request to {model.name} has {', '.join(fields)}; "
            f"the table has {', '.join(table.columns)}"
        )
    return list(_rows(model, table, _time_column(model, table), now))


def _time_column(model: Model, table: "pl.DataFrame") -> str | None:
    import polars as pl

    fields = {column.name for column in model.request}
    names = [name for name in (EVENT_TIME, "event_time", model.event_time) if name and name not in fields]
    name = next((name for name in names if name in table.columns), None)
    if name is not None and isinstance(kind := table.schema[name], pl.Datetime) and kind.time_zone is None:
        raise SourceError(
            f"the times of {name!r} have no zone; write them with one, such as by .dt.replace_time_zone('UTC') of Polars"
        )
    return name


def _rows(model: Model, table: "pl.DataFrame", time_column: str | None, now: datetime) -> Iterator[TableRow]:
    from everfit.sources.files import typed

    read = typed(model.request)
    is_text = all(kind == "String" for kind in map(str, table.dtypes))
    for row in table.iter_rows(named=True):
        fields = {column.name: row[column.name] for column in model.request}
        try:
            at = now if time_column is None else _time(model, row[time_column], now)
            yield TableRow(at, checked_fields(model.request, read(fields) if is_text else fields))
        except RequestError as error:
            yield TableRow(now, {}, str(error))


def _time(model: Model, given: Any, now: datetime) -> datetime:
    """An event time; one in the future is refused, as nothing is known of it yet."""
    try:
        at = parse_time(given)
    except ValueError as error:
        raise RequestError(f"event_time: {error}") from error
    if at > now + model.log.future_tolerance:
        raise RequestError(f"event_time: {format_time(at)} lies in the future; leave it out for features as of now")
    return at
