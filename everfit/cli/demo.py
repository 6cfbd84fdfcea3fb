"""``everfit demo``: the whole loop on the electricity market, from an empty folder to a report."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from everfit.cli.output import print_json

if TYPE_CHECKING:
    from everfit.demo.result import DemoResult


def demo(
    broker: Annotated[
        Literal["embedded", "kafka"] | None,
        typer.Option(help="The broker from the wheel, or Apache Kafka from KAFKA_HOME; the choice is kept for later runs."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove what other models stored in the demo's home, without asking.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")] = False,
) -> None:
    """Train, serve, replay sixteen months, retrain by drift, and write a report. An earlier demo is removed.

    The demo has its own home, the folder `demo` under EVERFIT_HOME, and changes nothing else.
    """
    from rich.console import Console

    from everfit.cli.replay import progress_bar
    from everfit.demo.run import END, MODEL, Demo
    from everfit.environment.settings import home_folder

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    home = home_folder() / "demo"

    def agree(others: str) -> bool:
        return yes or (sys.stdin.isatty() and typer.confirm(f"{others}. Remove it?", err=True))

    with progress_bar(MODEL, END) as playing:
        result = Demo(home, Path.cwd(), console.print, playing, broker=broker, agree=agree).run()
    if as_json:
        print_json(result.summary())
    else:
        print_result(result)
        relative_home = home.relative_to(Path.cwd()) if home.is_relative_to(Path.cwd()) else home
        typer.echo(f"report   {relative_home / 'report.html'}\nsummary  {relative_home / 'summary.json'}")
        typer.echo(f"`EVERFIT_HOME={relative_home} everfit up` brings the same state up again, to look around in")


def print_result(result: "DemoResult") -> None:
    """Print the summary and the seconds of each stage, as two tables."""
    from rich.console import Console
    from rich.table import Table

    from everfit.demo.result import written

    counts, loss = result.counts, result.losses
    console = Console(highlight=False)
    table = Table(result.loss_name, "", "what", "", title=f"{result.model}, {result.start:%Y-%m-%d} to {result.end:%Y-%m-%d}")
    left = [
        ("everfit", loss.continuous),
        ("version 1, left alone", loss.static),
        ("mean timer, as many retrainings", loss.timer),
    ]
    rows = {
        "predictions": counts.predictions,
        "predictions lost": counts.predictions_lost,
        "outcomes": counts.outcomes,
        "windows judged": counts.windows,
        "alarms": counts.alarms,
        "retrainings": counts.retrains,
        "promoted with an alarm open": counts.drift_retrains,
        "rejected": counts.rejections,
        **({"inconclusive at first": counts.inconclusive} if counts.inconclusive else {}),
        "promotions, the first included": counts.promotions,
    }
    for i, (what, number) in enumerate(rows.items()):
        name, value = left[i] if i < len(left) else ("", None)
        table.add_row(name, "" if value is None else written(value), what, f"{number:,}")
    console.print(table)
    spent = Table("where the time went", "seconds")
    for stage, seconds in result.seconds.items():
        spent.add_row(stage, f"{seconds:.1f}")
    spent.add_row("in all", f"{sum(result.seconds.values()):.1f}")
    console.print(spent)
