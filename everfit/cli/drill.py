"""``everfit drill``: break parts on purpose and show that no event is lost or stored twice."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from everfit.cli.output import print_json

if TYPE_CHECKING:
    from everfit.drills.catalogue import Drill
    from everfit.drills.guarantee_report import Report


def drill(
    name: Annotated[str | None, typer.Argument(help="The drill to run. Without it, the drills are listed.")] = None,
    broker: Annotated[
        Literal["embedded", "kafka"], typer.Option(help="The broker from the wheel, or Apache Kafka from KAFKA_HOME.")
    ] = "embedded",
    events: Annotated[int | None, typer.Option(min=100, help="Number of events to send.")] = None,
    kills: Annotated[int | None, typer.Option(min=1, help="Number of processes to kill.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the events and of the moments of the kills.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Run a crash drill on its own stack, in a temporary folder; exit code 1 if the guarantee did not hold."""
    from everfit.drills.catalogue import DRILLS, Order, find_drill

    if name is None:
        _list(list(DRILLS.values()), as_json=as_json)
        return
    chosen = find_drill(name)
    order = Order(events or chosen.events, chosen.kills if kills is None else kills, broker, seed)
    report = chosen.run(order, lambda line: typer.echo(line, err=True))
    if as_json:
        print_json(asdict(report) | {"held": report.passed})
    else:
        _print(report)
    if not report.passed:
        raise typer.Exit(1)


def _list(drills: "list[Drill]", *, as_json: bool) -> None:
    if as_json:
        print_json({"drills": [asdict(drill) for drill in drills]})
        return
    for drill in drills:
        typer.echo(f"{drill.name:<17} {drill.what}{' (needs --broker kafka)' if drill.kafka_only else ''}")


def _print(report: "Report") -> None:
    for line in report.did:
        typer.echo(line)
    for count, number in report.counts.items():
        typer.echo(f"  {count:<13} {number:>9,}")
    for line in report.wrong:
        typer.echo(f"  WRONG: {line}")
    typer.echo(f"{report.drill}: {'the guarantee held' if report.passed else 'the guarantee did NOT hold'}")
