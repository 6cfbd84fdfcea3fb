"""``everfit judge``: judge a closed window once more, where it could not be."""

from typing import Annotated

import typer

from everfit.cli.output import print_json


def judge(
    model: Annotated[str, typer.Argument(help="A declared model.")],
    window: Annotated[str, typer.Option("--window", help="Its start, UTC, as 2013-04-01 or 2013-04-01T12:00:00Z.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the evidence as one JSON document.")] = False,
) -> None:
    """Judge what of a closed window could not be judged, once its reason is mended.

    What was judged stays as it is, and so does the decision; later decisions go by the new evidence. For example:
    everfit judge flight_delay --window 2013-04-01
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
    for one in judged:
        typer.echo(f"version {one.version}  {one.kind:<11} {one.verdict:<12} {one.reason}")
    if not judged:
        typer.echo("nothing of it was left unjudged")
