"""``everfit replay``: play the outside world again."""

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
    start: Annotated[str, typer.Option("--from", help="First moment, inclusive, UTC: 1996-09-04 or 1996-09-04T12:30:00Z.")],
    end: Annotated[str, typer.Option("--to", help="Last moment, exclusive, UTC.")],
    free_running: Annotated[bool, typer.Option("--free-running", help="Do not wait for the loop.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
) -> None:
    """Play source rows, outcomes and requests of a model, each at its own moment, in lockstep with the loop.

    Stopped on the way, the same command takes it up again.
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
        with shown(declared.name, span[1]) as listener:
            progress = play(runtime, declared, *span, free_running=free_running, listener=listener)
    _tell(progress, as_json=as_json)
    if progress.failed:
        raise typer.Exit(1)


@contextmanager
def shown(model: str, end: "datetime") -> "Iterator[Listener]":
    """A listener that draws a progress bar on a terminal, and writes a line a window on stderr elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    percent = TextColumn("{task.percentage:>3.0f}%")
    bars = Bars(TextColumn("{task.description}"), BarColumn(None), percent, TimeElapsedColumn(), console=console)
    task = bars.add_task(f"replay {model}")

    def show(progress: "Progress", doing: str) -> None:
        told = f"replay {model}: {doing}, {progress.windows} windows, {progress.answered} answered"
        if console.is_terminal:
            done, total = (moment - progress.start for moment in (progress.sent_until or progress.start, end))
            bars.update(task, completed=done.total_seconds(), total=total.total_seconds(), description=told)
        else:
            console.print(told, highlight=False, soft_wrap=True)

    with bars if console.is_terminal else nullcontext():
        yield show


def _tell(progress: "Progress", *, as_json: bool) -> None:

    if as_json:
        print_json(progress)
        return
    counts = f"{progress.source_rows} rows published, {progress.outcomes} outcomes sent, {progress.answered} requests answered"
    print(f"{progress.model}: {counts}, {progress.degraded} degraded, {progress.failed} refused, {progress.windows} windows")
    if progress.failed:
        print(f"{progress.failed} requests were refused: see `everfit status` and the log of serving")
