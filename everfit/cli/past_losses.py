"""The losses of a model's recipe over a past span, with progress on stderr."""

from datetime import datetime
from typing import TYPE_CHECKING

import typer

from everfit.cli.past_rows import Past, past_rows

if TYPE_CHECKING:
    from everfit.declaration import Model
    from everfit.policy.losses import Losses

STEP = 10  # models between two lines of progress


def past_losses(
    name: str, *, recorded: bool, recipe: str | None, since: str | None, until: str | None
) -> "tuple[Model, Losses]":
    """The model and the losses from the go-live, or the day given, to the end of the labels, or before the day given."""
    past = past_rows(name, recorded=recorded)
    start = _moment("--from", since) or past.model.go_live
    return past.model, losses_between(past, recipe, start, _moment("--to", until) or _end_of(past))


def losses_between(past: Past, recipe: str | None, start: datetime, end: datetime) -> "Losses":
    """The losses of a candidate over a span; the first where none is named. Of a search it is the recipe as it is declared.

    Raises:
        SimulationError: when no candidate has that name, or the span has no rows.
    """
    from everfit.errors import SimulationError
    from everfit.pipeline.loss_matrix import loss_matrix
    from everfit.training.searching import Search

    model = past.model
    candidates = {each.name: each for each in model.candidates}
    chosen = recipe or model.candidates[0].name
    if chosen not in candidates:
        raise SimulationError(f"--recipe {chosen}: {model.name} declares {', '.join(candidates)}")

    fitted = candidates[chosen]
    if isinstance(fitted, Search):
        fitted = fitted.recipe

    def told(done: int, of: int) -> None:
        if done % STEP == 0 or done == of:
            typer.echo(f"{done} of {of} models", err=True)

    return loss_matrix(model, fitted, past.rows, (start, end), cache=past.cache, told=told)


def _end_of(past: Past) -> datetime:
    """The end of the last whole day with labels."""
    from everfit.declaration.reserved_columns import EVENT_TIME
    from everfit.errors import SimulationError

    newest = past.rows[EVENT_TIME].max()
    if not isinstance(newest, datetime):
        raise SimulationError(f"{past.model.name}: there is no labelled row yet; --recorded takes the declaration's own record")
    return newest.replace(hour=0, minute=0, second=0, microsecond=0)


def _moment(option: str, text: str | None) -> datetime | None:
    from everfit.errors import SimulationError
    from everfit.timing import parse_time

    try:
        return parse_time(text) if text else None
    except ValueError as error:
        raise SimulationError(f"{option}: {error}") from error
