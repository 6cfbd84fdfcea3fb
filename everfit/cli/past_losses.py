"""The losses of a model's recipe over a past span, and of what a policy compares with, with progress on stderr."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Self

import typer

from everfit.cli.past_rows import Past, past_rows

if TYPE_CHECKING:
    from everfit.declaration import Model, Recipe
    from everfit.declaration.model import RetrainingPolicy
    from everfit.policy.losses import Losses

STEP = 10  # models between two lines of progress


@dataclass(frozen=True, slots=True)
class PastSpan:
    """A span of labelled rows, and the recipe that is fitted at the start of each of its windows."""

    past: Past
    recipe: "Recipe"
    start: datetime
    end: datetime

    @classmethod
    def of(cls, name: str, *, recorded: bool, recipe: str | None, since: str | None, until: str | None) -> Self:
        """From the go-live, or the day given, to the end of the labels, or before the day given.

        Raises:
            SimulationError: when no candidate has that name, a day is none, or there are no rows.
        """
        past = past_rows(name, recorded=recorded)
        start, end = _moment("--from", since) or past.model.go_live, _moment("--to", until) or _end_of(past)
        return cls(past, candidate(past.model, recipe), start, end)

    @property
    def model(self) -> "Model":
        """The declaration."""
        return self.past.model

    def losses(self) -> "Losses":
        """Of the recipe."""
        return self._of(self.recipe)

    def comparators(self, policy: "RetrainingPolicy") -> "Losses | None":
        """Of what a policy compares with; None where that is the recipe, or nothing."""
        from everfit.declaration import Recipe
        from everfit.pipeline.comparator_fit import LIGHT, LIGHT_ROWS

        wanted = getattr(policy, "comparator", None)
        if wanted == LIGHT:
            return self._of(self.recipe, LIGHT_ROWS)
        return self._of(wanted) if isinstance(wanted, Recipe) else None

    def _of(self, recipe: "Recipe", one_in: int = 1) -> "Losses":
        from everfit.pipeline.loss_matrix import loss_matrix

        def told(done: int, of: int) -> None:
            if done % STEP == 0 or done == of:
                typer.echo(f"{recipe.name}: {done} of {of} models", err=True)

        span = self.start, self.end
        return loss_matrix(self.model, recipe, self.past.rows, span, one_in=one_in, cache=self.past.cache, told=told)


def candidate(model: "Model", name: str | None) -> "Recipe":
    """The candidate of that name, or the first; of a search the recipe as it is declared.

    Raises:
        SimulationError: when there is none.
    """
    from everfit.errors import SimulationError
    from everfit.training.searching import Search

    candidates = {each.name: each for each in model.candidates}
    found = candidates.get(name or model.candidates[0].name)
    if found is None:
        raise SimulationError(f"--recipe {name}: {model.name} declares {', '.join(candidates)}")
    return found.recipe if isinstance(found, Search) else found


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
