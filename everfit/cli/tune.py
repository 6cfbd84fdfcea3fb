"""``everfit tune``: the cost of a retraining to declare, from the time before the go-live alone."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from everfit.cli.output import print_json

if TYPE_CHECKING:
    from everfit.cli.past_rows import Past

SHOWN = (4.0, 6.0, 9.0, 12.0, 26.0)  # retrainings a year
LEARNT = timedelta(days=14)  # of labels, at least, before the first model
LEAST_WINDOWS = 4


def tune(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    per_year: Annotated[float | None, typer.Option(min=0.1, help="About how many retrainings a year are wanted.")] = None,
    recipe: Annotated[str | None, typer.Option(help="The candidate that is fitted; by default the first.")] = None,
    recorded: Annotated[
        bool, typer.Option("--recorded", help="Take the recorded rows of the declaration, in place of a stack's.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON document.")] = False,
) -> None:
    """Propose the cost for Regret and the length of windows from how fast models aged before the go-live.

    Without --per-year it is the largest cost that keeps nine tenths of what any cost keeps. Nothing known later is looked at.
    """
    from everfit.cli.past_losses import PastSpan, candidate
    from everfit.cli.past_rows import past_rows
    from everfit.policy.tuning import proposed, rates

    past = past_rows(model, recorded=recorded)
    losses = PastSpan(past, candidate(past.model, recipe), _start(past), past.model.go_live).losses()
    found = rates(losses)
    chosen, window = proposed(found, per_year), _window(past)
    table = [proposed(found, number) for number in SHOWN]
    if as_json:
        print_json({"model": model, "windows": losses.windows, "cost": chosen, "window_days": window, "table": table})
        return
    typer.echo(f"{model}: {losses.windows} windows before the go-live")
    for rate in table:
        typer.echo(f"  about {rate.per_year:>4.1f} a year, keeps {rate.kept:>4.0%} of the gain: {rate.cost}")
    typer.echo(f'proposed: retraining=Regret(cost="{chosen.cost}"), about {chosen.per_year:.0f} retrainings a year')
    typer.echo(f'proposed: drift=DriftPolicy(window="{window}d"), the shortest whole weeks that nearly all hold enough labels')


def _start(past: "Past") -> datetime:
    """The first window before the go-live that enough is known before."""
    from everfit.declaration.reserved_columns import EVENT_TIME
    from everfit.errors import SimulationError
    from everfit.pipeline.loss_matrix import windows_length

    model, length = past.model, windows_length(past.model)
    oldest = past.rows[EVENT_TIME].min()
    assert isinstance(oldest, datetime), "the record has rows"
    windows = (model.go_live - oldest - LEARNT - model.training.label_delay) // length
    if windows < LEAST_WINDOWS:
        needed = LEARNT + model.training.label_delay + LEAST_WINDOWS * length
        raise SimulationError(
            f"{model.name}: {(model.go_live - oldest).days} days are known before the go-live, and a cost is read off from "
            f"{needed.days} at least; declare a later go_live, or a cost by hand"
        )
    return model.go_live - windows * length


def _window(past: "Past") -> int:
    """The shortest of 7, 14, 21 and 28 days of which nine in ten before the go-live hold ``drift.min_rows`` labels."""
    import numpy as np

    from everfit.declaration.reserved_columns import EVENT_TIME

    before = past.rows.filter(past.rows[EVENT_TIME] < past.model.go_live)
    days = ((past.model.go_live - before[EVENT_TIME]).dt.total_days()).to_numpy()
    for length in (7, 14, 21):
        rows = np.bincount(days // length)[:-1]  # the oldest is cut
        if len(rows) and np.mean(rows >= past.model.drift.min_rows) >= 0.9:
            return length
    return 28
