"""``everfit drill``: break the parts on purpose, and show that nothing is lost or doubled."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from everfit.cli.output import print_json

if TYPE_CHECKING:
    from everfit.drills.catalogue import Drill
    from everfit.drills.guarantee_report import Report


def drill(
    name: Annotated[str | None, typer.Argument(help="A drill; none lists them.")] = None,
    broker: Annotated[
        Literal["embedded", "kafka"], typer.Option(help="The broker from the wheel, or Apache Kafka from KAFKA_HOME.")
    ] = "embedded",
    events: Annotated[int | None, typer.Option(min=100, help="How many events flow.")] = None,
    kills: Annotated[int | None, typer.Option(min=1, help="How often something is killed.")] = None,
    seed: Annotated[int, typer.Option(help="What events and moments are drawn from.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Run a crash drill on parts of its own, in a folder that is gone afterwards; exits 1 where the guarantee did not hold."""
    from everfit.drills.catalogue import DRILLS, Order, find_drill

    if name is None:
        _list(list(DRILLS.values()), as_json=as_json)
        return
    found = find_drill(name)
    order = Order(events or found.events, found.kills if kills is None else kills, broker, seed)
    report = found.run(order, lambda line: typer.echo(line, err=True))
    if as_json:
        print_json(asdict(report) | {"held": report.held})
    else:
        _tell(report)
    if not report.held:
        raise typer.Exit(1)


def _list(drills: "list[Drill]", *, as_json: bool) -> None:
    if as_json:
        print_json({"drills": [asdict(one) for one in drills]})
        return
    for one in drills:
        print(f"{one.name:<17} {one.what}{' (needs --broker kafka)' if one.kafka_only else ''}")


def _tell(report: "Report") -> None:
    for line in report.did:
        print(line)
    for count, number in report.counts.items():
        print(f"  {count:<13} {number:>9,}")
    for line in report.wrong:
        print(f"  WRONG: {line}")
    print(f"{report.drill}: {'the guarantee held' if report.held else 'the guarantee did NOT hold'}")
