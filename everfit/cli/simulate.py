"""``everfit simulate``: what retraining policies would have led to, over the stored log or the record."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from everfit.cli.output import print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from everfit.declaration.model import RetrainingPolicy
    from everfit.policy.simulation import Outcome, Simulation

GATES = {"declared": [True], "none": [False], "both": [False, True]}


def simulate(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    policy: Annotated[
        list[str] | None,
        typer.Option("--policy", help="FILE.py:NAME of a policy, may be given again; by default the declared one."),
    ] = None,
    since: Annotated[str | None, typer.Option("--from", help="First day, UTC; by default the go-live.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="The day after the last; by default the end of the labels.")] = None,
    gate: Annotated[Literal["declared", "none", "both"], typer.Option(help="Through the declared gate, or none.")] = "both",
    recipe: Annotated[str | None, typer.Option(help="The candidate that is fitted; by default the first.")] = None,
    recorded: Annotated[
        bool, typer.Option("--recorded", help="Take the recorded rows of the declaration, in place of a stack's log.")
    ] = False,
    picture: Annotated[Path | None, typer.Option(help="A file for the picture, SVG.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON document.")] = False,
) -> None:
    """Play retraining policies over what models fitted at the start of every window would have lost.

    Each is held against timers of equal count and the best moments in hindsight. Nothing is changed: what fits were worth is
    kept in the lake, so that another cost answers in seconds. Drift and performance alarms are not played.
    """
    from everfit.cli.past_losses import PastSpan
    from everfit.policy.on_drift import OnDrift
    from everfit.policy.simulation import simulate as played
    from everfit.policy.simulation_chart import draw

    span = PastSpan.of(model, recorded=recorded, recipe=recipe, since=since, until=until)
    policies = {_shown(text, policy or []): loaded(text) for text in policy or []}
    policies = policies or {"declared": span.model.retraining or OnDrift()}
    comparators = {name: losses for name, each in policies.items() if (losses := span.comparators(each))}
    found = played(span.model, span.losses(), policies, GATES[gate], comparators)
    if picture:
        picture.write_text(draw(found))
    if as_json:
        print_json(found)
    else:
        _print(found)


def loaded(text: str) -> "RetrainingPolicy":
    """The policy that ``FILE.py:NAME`` names.

    Raises:
        SimulationError: when there is none.
    """
    import importlib.util

    from everfit.declaration.retraining import policy_fault
    from everfit.errors import SimulationError

    file, colon, name = text.rpartition(":")
    spec = importlib.util.spec_from_file_location(Path(file).stem, file) if colon and Path(file).is_file() else None
    if spec is None or spec.loader is None:
        raise SimulationError(f"--policy {text}: there is no such file; write FILE.py:NAME, such as policies.py:CAUTIOUS")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SimulationError(f"--policy {text}: the file cannot be imported ({type(error).__name__}: {error})") from error
    if not hasattr(module, name):
        raise SimulationError(f"--policy {text}: {file} defines no {name!r}")
    policy: RetrainingPolicy = getattr(module, name)
    if fault := policy_fault(policy):
        raise SimulationError(f"--policy {text}: {fault}")
    return policy


def _shown(text: str, of: "Sequence[str]") -> str:
    """The policy's name, with its file where others have the same."""
    name = text.rpartition(":")[2]
    return text if sum(each.rpartition(":")[2] == name for each in of) > 1 else name


def _print(found: "Simulation") -> None:
    span = f"{len(found.starts)} windows of {found.window_days} days from {found.start:%Y-%m-%d}"
    bounds = f"never {found.never_loss:.4f}, every window {found.weekly_loss:.4f}"
    typer.echo(f"{found.model}: {found.metric} over {span}; {bounds}")
    typer.echo(f"{'retrainings':<14}" + "".join(f"{count:>8}" for count in range(1, len(found.timers))))
    typer.echo(f"{'timers':<14}" + "".join(f"{loss:>8.4f}" for loss in found.timers[1:]))
    typer.echo(f"{'hindsight':<14}" + "".join(f"{loss:>8.4f}" for loss in found.hindsight[1:]))
    for outcome in found.outcomes:
        typer.echo(f"{outcome.policy}, {'through the gate' if outcome.gated else 'without a gate'}:")
        for line in _told(outcome):
            typer.echo(f"  {line}")


def _told(outcome: "Outcome") -> list[str]:
    """What a policy led to, in words."""
    as_many = f"timers of as many {outcome.timer:.4f}, hindsight {outcome.hindsight:.4f}"
    delay = "none" if outcome.delay is None else f"{outcome.delay:.1f} windows"
    moments = ", ".join(f"{moment:%Y-%m-%d}" for moment in outcome.promoted) or "no time"
    kept = f"{outcome.refused} refused, {outcome.undecided} not decided, {outcome.held_back} times held back by limits"
    return [
        f"{len(outcome.promoted)} promoted, {kept}: loss {outcome.loss:.4f}; {as_many}",
        f"false alarms {outcome.false_alarms}; after a moment of hindsight it waited {delay}",
        f"{outcome.fits} candidates took {outcome.fit_seconds:.0f} s, {outcome.comparators} comparators "
        f"{outcome.comparator_seconds:.0f} s",
        f"promoted at {moments}; at the end: {outcome.last}",
    ]
