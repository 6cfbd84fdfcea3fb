"""``everfit``: its commands, and what it says when one cannot do what it was asked."""

import errno
import sys
from pathlib import Path

import typer

from everfit.cli import (
    backfill,
    dead_letters,
    demo,
    doctor,
    down,
    drill,
    history,
    ingest,
    judge,
    prepare,
    promote,
    prune,
    publish,
    quarantine,
    replay,
    status,
    train,
    up,
)
from everfit.environment.project_folder import put_behind
from everfit.errors import EverfitError

UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}

app = typer.Typer(
    name="everfit",
    help="Keeps declared models fit: notices from its own prediction log that one went stale, and repairs it, safely.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(up.up)
app.command()(down.down)
app.command()(status.status)
app.command()(doctor.doctor)
app.command()(prepare.prepare)
app.command()(demo.demo)
app.command()(publish.publish)
app.command()(replay.replay)
app.command()(ingest.ingest)
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(quarantine.app, name="quarantine")
app.command()(prune.prune)
app.command()(train.train)
app.command()(promote.promote)
app.command()(history.history)
app.command()(judge.judge)
app.command()(backfill.backfill)
app.command()(drill.drill)


def main() -> None:
    """Run a command; an :class:`EverfitError` becomes one message on stderr and exit code 1.

    So does a folder that cannot be written to: whose it is, and whether it has room, is up to the user.
    """
    put_behind(Path.cwd())  # the models package lies where one works
    try:
        app()
    except EverfitError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        todo = "make room, let this user write there, or set another EVERFIT_HOME; `everfit doctor` looks at it"
        print(f"error: {error.filename or 'the disk'} cannot be written: {error.strerror}; {todo}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
