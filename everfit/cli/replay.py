"""``everfit replay``: send recorded source rows, requests and outcomes again."""

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from everfit.cli.output import print_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from everfit.replay.player import Listener
    from everfit.replay.progress import Progress


def replay(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    start: Annotated[str, typer.Option("--from", help="Start, inclusive, UTC, such as 1996-09-04 or 1996-09-04T12:30:00Z.")],
    end: Annotated[str, typer.Option("--to", help="End, exclusive, UTC.")],
    free_running: Annotated[
        bool, typer.Option("--free-running", help="Do not wait for windows, decisions and retrainings.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Send the recorded source rows, requests and outcomes of a model, each at its event time, in lockstep with the loop.

    If the command is interrupted, run it again to continue.
    """
    from everfit.declaration.discovery import find_model
    from everfit.errors import RequestError
    from everfit.replay.player import replay as play
    from everfit.runtime import Runtime
    from everfit.timing import parse_time

    try:
        span = parse_time(start), parse_time(end)
    except ValueError as error:
        raise RequestError(str(error)) from error
    with Runtime.load() as runtime:
        declared = find_model(runtime.models, model)
        with progress_bar(declared.name, span[1]) as listener:
            progress = play(runtime, declared, *span, free_running=free_running, listener=listener)
    _print(progress, as_json=as_json)
    if progress.failed:
        raise typer.Exit(1)


@contextmanager
def progress_bar(model: str, end: "datetime") -> "Iterator[Listener]":
    """A listener that draws a progress bar on a terminal; elsewhere it writes a line for each window to stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    percent = TextColumn("{task.percentage:>3.0f}%")
    bars = Bars(TextColumn("{task.description}"), BarColumn(None), percent, TimeElapsedColumn(), console=console)
    task = bars.add_task(f"replay {model}")

    def listen(progress: "Progress", doing: str) -> None:
        line = f"replay {model}: {doing}, {progress.windows} windows, {progress.answered} answered"
        if console.is_terminal:
            done, total = (moment - progress.start for moment in (progress.sent_until or progress.start, end))
            bars.update(task, completed=done.total_seconds(), total=total.total_seconds(), description=line)
        else:
            console.print(line, highlight=False, soft_wrap=True)

    with bars if console.is_terminal else nullcontext():
        yield listen


def _print(progress: "Progress", *, as_json: bool) -> None:

    if as_json:
        print_json(progress)
        return
    counts = f"{progress.source_rows} rows published, {progress.outcomes} outcomes sent, {progress.answered} requests answered"
    typer.echo(
        f"{progress.model}: {counts}, {progress.degraded} degraded, {progress.failed} refused, {progress.windows} windows"
    )
    if progress.failed:
        typer.echo(f"{progress.failed} requests were refused: see `everfit status` and the log of serving")
