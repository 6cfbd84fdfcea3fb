"""``everfit judge``: judge the part of a closed window that could not be judged."""

from typing import Annotated

import typer

from everfit.cli.output import print_json


def judge(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    window: Annotated[
        str, typer.Option("--window", help="Start of the window, UTC, such as 2013-04-01 or 2013-04-01T12:00:00Z.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the evidence as one JSON document.")] = False,
) -> None:
    """Judge the evidence of a closed window that could not be judged, once the cause is repaired.

    Existing evidence and the window's decision stay; later decisions use the new evidence.
    """
    from everfit.declaration.discovery import find_model
    from everfit.errors import UnknownWindowError
    from everfit.runtime import Runtime
    from everfit.store.database import reachable
    from everfit.timing import parse_time
    from monitors.judgement import judge_again

    try:
        start = parse_time(window)
    except ValueError as error:
        raise UnknownWindowError(f"--window: {error}") from error
    with Runtime.load() as runtime:
        declared = find_model(runtime.models, model)
        with reachable(runtime.engine), runtime.engine.begin() as connection:
            judged = judge_again(connection, runtime.lake, declared, start)
    if as_json:
        print_json(judged)
        return
    for judgement in judged:
        typer.echo(f"version {judgement.version}  {judgement.kind:<11} {judgement.verdict:<12} {judgement.reason}")
    if not judged:
        typer.echo("all evidence of this window was judged before")
