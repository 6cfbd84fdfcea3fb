"""Launch config of the stages that have one: what a person may choose in Dagster's launchpad, documented and bounded."""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg
from pydantic import Field

from everfit.declaration import Model, Recipe
from everfit.errors import LaunchError
from everfit.timing import format_time, parse_time

LARGEST_SEED = 2**32 - 1  # the limit of scikit-learn


class Cutoff(dg.Config):
    """Of the training set."""

    cutoff: str | None = Field(
        default=None,
        description="Nothing known after this moment is trained on. A day as 1996-09-04 (midnight UTC), or a time as "
        "1996-09-04T12:00:00Z; by default the model's clock, or the cutoff of the retrain request.",
    )


class Fit(dg.Config):
    """Of the trained model."""

    candidates: list[str] = Field(
        default_factory=list, description="Names of the declared candidates to fit; all of them where none is named."
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        le=LARGEST_SEED,
        description="Seed of every fit, in place of the declared ones: 0 to 4294967295. Another seed is another data version.",
    )


def chosen_cutoff(config: Cutoff, clock: datetime) -> datetime:
    """The chosen cutoff, else ``clock``.

    Raises:
        LaunchError: when it is not a time, or is later than the clock.
    """
    if not config.cutoff:
        return clock
    try:
        chosen = parse_time(config.cutoff)
    except ValueError as error:
        raise LaunchError(f"cutoff: {error}") from error
    if chosen > clock:
        raise LaunchError(
            f"cutoff {format_time(chosen)} is later than the model's clock, {format_time(clock)}: nothing is known of it yet"
        )
    return chosen


def chosen_candidates(config: Fit, model: Model) -> Model:
    """The model with the chosen candidates and seed.

    Raises:
        LaunchError: when a candidate is not declared.
    """
    declared = {candidate.name: candidate for candidate in model.candidates}
    if unknown := [name for name in config.candidates if name not in declared]:
        raise LaunchError(f"no candidate {unknown[0]!r}; {model.name} declares {', '.join(declared)}")
    wanted: Sequence[Recipe] = [
        candidate for name, candidate in declared.items() if not config.candidates or name in config.candidates
    ]
    if config.seed is not None:
        wanted = [candidate.model_copy(update={"seed": config.seed}) for candidate in wanted]
    return model.model_copy(update={"candidates": wanted})
