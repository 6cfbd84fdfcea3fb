"""The rows as a drafted declaration reads them: the table brought into the declared names, kinds and times in UTC."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from everfit.declaration.number_range import LARGEST
from everfit.drafting.column_guess import ColumnGuess
from everfit.drafting.roles import Roles
from everfit.drafting.table_file import TableFile
from everfit.drafting.written import code, free

if TYPE_CHECKING:
    import polars as pl

CONSTANT = "everything"
LOCAL = (
    "DECIDE: the file names no zone, and UTC is assumed. For another write such as\n"
    '    # .dt.replace_time_zone("Europe/Paris", ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")'
)


class Step(NamedTuple):
    """A line of the function that reads the rows, and why it stands there."""

    code: str
    why: str = ""


class Rows(NamedTuple):
    """How the rows are read from the file: the ``steps`` that bring them into the declared ``columns``.

    ``identity`` tells rows apart, and ``apart`` those of one time and entity. ``is_constant``: the entity is a column of one
    value, for the table has none.
    """

    reading: str
    steps: list[Step]
    columns: list[ColumnGuess]
    entity: str
    identity: list[str]
    apart: list[str]
    is_constant: bool


def rows_of(table: TableFile, guesses: Sequence[ColumnGuess], roles: Roles) -> Rows:
    """How the rows are read."""
    frame, kept = table.frame, [guess for guess in guesses if guess.kind != "other"]
    names = [guess.name for guess in kept]
    steps, columns = list(_steps(frame, kept, roles)), [_declared(guess, roles) for guess in guesses]
    if roles.entity is None:
        entity = free(CONSTANT, names)
        steps.append(Step(f'rows = rows.with_columns(pl.lit("all").alias({code(entity)}))', "rows are about no one thing"))
        columns.append(ColumnGuess(entity, entity, "Category"))
    else:
        entity = roles.entity.name
    if copies := frame.height - frame.unique().height:
        steps.append(Step("rows = rows.unique(maintain_order=True)", f"{copies} rows are copies of another"))
    given = [roles.time.given, *([roles.entity.given] if roles.entity else [])]
    keys, distinct = (
        [roles.time.name, entity],
        next((guess.name for guess in kept if guess.is_distinct and guess.kind != "Time"), ""),
    )
    again = frame.unique().select(given).is_duplicated().sum()
    apart = [distinct or free("row", names)] if again else []
    if again and not distinct:
        numbered = f"rows = rows.with_columns(pl.int_range(pl.len()).over({code(keys)}).alias({code(apart[0])}))"
        steps.append(Step(numbered, f"{again} rows share time and entity: their order tells them apart"))
        columns.append(ColumnGuess(apart[0], apart[0], "Integer"))
    return Rows(table.reading, steps, columns, entity, [*keys, *apart], apart, is_constant=roles.entity is None)


def _declared(guess: ColumnGuess, roles: Roles) -> ColumnGuess:
    """A column as the steps leave it."""
    if guess == roles.label and roles.yes:
        return guess._replace(kind="Flag")
    if guess == roles.entity:
        return guess._replace(kind="Category", nullable=False)
    return guess._replace(nullable=False) if guess == roles.time else guess


def recorded(rows: Rows, file: str) -> str:
    """The function that reads the rows."""
    path = f"Path(__file__).with_name({code(file)})"
    lines = [line for step in rows.steps for line in ([f"    # {step.why}"] if step.why else []) + [f"    {step.code}"]]
    return "\n".join(
        [
            "def recorded_rows() -> Any:",
            '    """The rows on record."""',
            "    import polars as pl",
            "",
            f"    rows = {rows.reading.replace('PATH', path, 1)}",
            *lines,
            "    return rows",
        ]
    )


def _steps(frame: "pl.DataFrame", kept: Sequence[ColumnGuess], roles: Roles) -> Iterator[Step]:
    renamed = {guess.given: guess.name for guess in kept if guess.given != guess.name}
    if len(kept) < frame.width:
        yield Step(f"rows = rows.select({code([guess.given for guess in kept])})")
    if renamed:
        yield Step(f"rows = rows.rename({code(renamed)})")
    for key in [roles.time, *([roles.entity] if roles.entity else [])]:
        if key.nullable:
            missing = frame[key.given].null_count()
            yield Step(f'rows = rows.filter(pl.col("{key.name}").is_not_null())', f"{missing} rows have none")
    for guess in kept:
        yield from _of_column(frame[guess.given].dtype, guess, roles, wants=_wanted(guess, roles))


def _wanted(guess: ColumnGuess, roles: Roles) -> str:
    return "Category" if guess == roles.entity else guess.kind


def _of_column(held: "pl.DataType", guess: ColumnGuess, roles: Roles, *, wants: str) -> Iterator[Step]:
    """What brings one column into its declared kind."""
    import polars as pl

    def changed(expression: str, why: str = "") -> Step:
        return Step(f'rows = rows.with_columns(pl.col("{guess.name}"){expression})', why)

    if wants == "Time":
        cast = '.cast(pl.Datetime("us"))' if guess.is_naive else '.cast(pl.Datetime("us", "UTC"))'
        naive = '.dt.replace_time_zone("UTC")' if guess.is_naive else ""
        yield changed(cast + naive, LOCAL if guess.is_naive else "")
    elif wants in ("Category", "Text") and held != pl.String:
        yield changed(".cast(pl.String)")
    elif wants == "Number" and not held.is_float():
        yield changed(".cast(pl.Float64)")
    elif wants == "Number" and guess.nullable:
        within = f'pl.when(pl.col("{guess.name}").abs() <= {LARGEST:g}).then(pl.col("{guess.name}"))'
        yield Step(f"rows = rows.with_columns({within})", "what is no number, or larger than is read, is missing")
    if guess == roles.label and roles.yes:
        yield changed(f' == "{roles.yes}"', "yes or no")
