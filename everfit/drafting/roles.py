"""Which columns of a table seem to be the time, the label and the entity of a model; others that might be are told."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from everfit.drafting.column_guess import ColumnGuess
from everfit.errors import SourceError

if TYPE_CHECKING:
    import polars as pl

Task = Literal["binary", "multiclass", "regression"]

MOST_CLASSES = 50
RARE_ROWS = 50  # of a class, below which the task can merge it
LABELS = ("label", "target", "outcome", "y", "class", "churn", "churned", "fraud", "default", "cancelled", "stopped", "clicked")
TIMES = ("event_time", "timestamp", "time", "date_time", "datetime", "ts", "at", "date", "day", "hour")
ENTITIES = (
    *("entity", "customer", "user", "client", "account", "patient", "driver", "vehicle", "machine", "device", "sensor", "pump"),
    *("station", "store", "shop", "merchant", "product", "item", "sku", "carrier", "road", "site", "queue", "region", "city"),
)
SHARED = 0.7  # different times in the rows, below which several things are observed side by side
KEYS = ("Category", "Integer")
YES, NO = ("yes", "y", "true", "t", "1"), ("no", "n", "false", "f", "0")


class Roles(NamedTuple):
    """The chosen columns, ``entity`` None where there is none; ``others`` says of each role which others might be it.

    ``yes`` is the word that means 1, where the label of a binary classification is one of two words. ``classes`` are those of a
    multiclass classification; ``is_rare`` says that some are too rare to be learnt by themselves.
    """

    time: ColumnGuess
    label: ColumnGuess
    entity: ColumnGuess | None
    task: Task
    yes: str
    classes: Sequence[str]
    is_rare: bool
    others: dict[str, list[str]]


def choose_roles(frame: "pl.DataFrame", guesses: Sequence[ColumnGuess], asked: Mapping[str, str | None]) -> Roles:
    """The roles of columns: those that a person ``asked`` for, else by their names and values.

    Raises:
        SourceError: when a column that is asked for cannot be it, there is no time, or nothing is left to be a label.
    """
    times = [guess for guess in guesses if guess.kind == "Time"]
    if not times:
        raise SourceError(
            f"no column holds times: {', '.join(guess.given for guess in guesses)}; everfit learns in the order of events: "
            "add one with the time of each row, such as 2025-03-01T12:30:00Z (seconds since 1970 are numbers: convert them)"
        )
    time = _asked(times, asked.get("time"), "time") or _by_name(times, TIMES) or times[0]
    keys = [guess for guess in guesses if guess.kind in KEYS and not guess.is_distinct and guess.distinct > 1]
    keys = [guess for guess in keys if asked.get("label") not in (guess.given, guess.name)]
    named = [guess for guess in keys if _words_of(guess) & {*ENTITIES, "id"}]
    called = _by_name(named, ENTITIES) or next(iter(named), None)
    entity = _asked(keys, asked.get("entity"), "entity") or called or _apart(frame, time, keys)
    labels = [guess for guess in guesses if guess != entity and _may_be_label(guess)]
    if asked.get("label") is None and _by_name(labels, LABELS) is None:
        _require_no_constant(frame, guesses)
    if not labels:
        raise SourceError(
            "no column can be a label: a flag, a number, or a text of 2 to 50 classes, that is not always the same"
        )
    binary = [guess for guess in labels if _task(frame, guess)[0] == "binary"]
    label = _asked(labels, asked.get("label"), "label") or _by_name(labels, LABELS) or [labels[-1], *binary][-1]
    others = {
        "time": [guess.given for guess in times if guess != time],
        "entity": [guess.given for guess in named if guess not in (entity, label)],
        "label": [guess.given for guess in labels if guess != label],
    }
    return Roles(time, label, entity, *_task(frame, label), others)


def _require_no_constant(frame: "pl.DataFrame", guesses: Sequence[ColumnGuess]) -> None:
    """Refuse a column that is called like a label and always the same, rather than predict another that nobody meant."""
    if always := _by_name([guess for guess in guesses if guess.distinct == 1], LABELS):
        value = frame[always.given].drop_nulls()[0]
        raise SourceError(
            f"{always.given!r} is called like a label, and is {value!r} in every row: nothing can be learnt of it; add rows in "
            "which it is not, or name another by --label"
        )


def _apart(frame: "pl.DataFrame", time: ColumnGuess, keys: Sequence[ColumnGuess]) -> ColumnGuess | None:
    """What tells apart the rows of one time, where most times are those of several rows."""
    if frame[time.given].n_unique() > SHARED * frame.height:
        return None
    names = [guess for guess in keys if guess.kind == "Category" and not _words_of(guess) & {*LABELS}]
    return next((guess for guess in names if not frame.select(time.given, guess.given).is_duplicated().any()), None)


def _may_be_label(guess: ColumnGuess) -> bool:
    if guess.kind == "Category":
        return 1 < guess.distinct <= MOST_CLASSES and not guess.is_distinct
    return guess.kind in ("Flag", "Integer", "Number") and guess.distinct > 1 and not guess.is_distinct


def _asked(guesses: Sequence[ColumnGuess], name: str | None, role: str) -> ColumnGuess | None:
    if name is None:
        return None
    if found := next((guess for guess in guesses if name in (guess.given, guess.name)), None):
        return found
    choices = ", ".join(guess.given for guess in guesses) or "none"
    raise SourceError(f"--{role} {name}: no column of that name can be the {role}; those that can: {choices}")


def _by_name(guesses: Sequence[ColumnGuess], names: Sequence[str]) -> ColumnGuess | None:
    """The first whose name is, or else has, one of these words."""
    for name in names:
        if found := next((guess for guess in guesses if guess.name == name), None):
            return found
    return next((guess for name in names for guess in guesses if name in _words_of(guess)), None)


def _words_of(guess: ColumnGuess) -> set[str]:
    return set(re.split("_", guess.name))


def _task(frame: "pl.DataFrame", label: ColumnGuess) -> tuple[Task, str, list[str], bool]:
    """The task of a label, the word that means 1, the classes, and whether one of them is rare."""
    if label.kind == "Flag":
        return "binary", "", [], False
    values = frame[label.given].drop_nulls()
    if label.kind != "Category":
        return ("binary" if values.unique().sort().to_list() in ([0, 1], [0.0, 1.0]) else "regression"), "", [], False
    classes = sorted(map(str, values.unique()))
    words = {value.lower(): value for value in classes}
    pairs = [words[yes] for yes in YES for no in NO if set(words) == {yes, no}]
    if pairs:
        return "binary", pairs[0], [], False
    return "multiclass", "", classes, any(count < RARE_ROWS for count in values.value_counts()["count"].to_list())
