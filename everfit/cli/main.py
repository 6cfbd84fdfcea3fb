"""``everfit``: its commands, and the message of one that fails."""

import errno
import sys
from pathlib import Path

import typer

from everfit.cli import (
    backfill,
    check,
    comparators,
    compare,
    dead_letters,
    demo,
    doctor,
    down,
    drill,
    features,
    history,
    ingest,
    init,
    judge,
    prepare,
    promote,
    prune,
    publish,
    quarantine,
    replay,
    reproduce,
    rollback,
    rollout,
    score,
    simulate,
    status,
    train,
    tune,
    up,
)
from everfit.environment.project_folder import put_behind
from everfit.errors import EverfitError

UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}

app = typer.Typer(
    name="everfit",
    help="Keeps declared models fit: notices in its own prediction log that a model is stale, and retrains it safely.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(epilog="Example: everfit init orders --from orders.csv --label cancelled")(init.init)
app.command(epilog="Example: everfit check electricity_price --json")(check.check)
app.command(epilog="Examples: everfit features electricity_price; everfit features price_7d --json")(features.features)
app.command(epilog="Example: everfit up --broker kafka")(up.up)
app.command(epilog="Example: everfit down")(down.down)
app.command(epilog="Example: everfit status --json")(status.status)
app.command(epilog="Example: everfit doctor")(doctor.doctor)
app.command(epilog="Example: everfit prepare --partitions 6")(prepare.prepare)
app.command(epilog="Example: everfit demo --json")(demo.demo)
app.command(epilog="Example: everfit publish half_hours rows.parquet")(publish.publish)
app.command(epilog="Example: everfit replay electricity_price --from 1996-09-04 --to 1996-10-02")(replay.replay)
app.command(epilog="Example: everfit ingest --group everfit.ingest")(ingest.ingest)
app.command(epilog="Example: everfit comparators")(comparators.comparators)
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(quarantine.app, name="quarantine")
app.command(epilog="Example: everfit prune --older-than 400d --dry-run")(prune.prune)
app.command(epilog="Example: everfit train electricity_price")(train.train)
app.command(epilog="Example: everfit score electricity_price requests.parquet --to scores.parquet")(score.score)
app.command(
    epilog="Examples: everfit promote electricity_price 3 --reason 'holidays'; everfit promote electricity_price --restore"
)(promote.promote)
app.command(epilog="Example: everfit rollback electricity_price --reason 'worse at night'")(rollback.rollback)
app.command(epilog="Example: everfit approve electricity_price --reason 'looks right' --by ada")(rollout.approve)
app.command(epilog="Example: everfit reject electricity_price --reason 'too cautious'")(rollout.reject)
app.command(epilog="Example: everfit pause electricity_price --reason 'stocktaking until Monday'")(rollout.pause)
app.command(epilog="Example: everfit resume electricity_price")(rollout.resume)
app.command(epilog="Examples: everfit history electricity_price --csv; everfit history electricity_price --at 2026-05-01")(
    history.history
)
app.command(epilog="Example: everfit versions electricity_price --json")(history.versions)
app.command(epilog="Example: everfit compare electricity_price 1 2")(compare.compare)
app.command(epilog="Example: everfit reproduce electricity_price 1")(reproduce.reproduce)
app.command(epilog="Example: everfit judge flight_delay --window 2013-04-01")(judge.judge)
app.command(
    epilog="Examples: everfit simulate electricity_price --picture simulated.svg; "
    "everfit simulate electricity_price --recorded --policy policies.py:CAUTIOUS --to 1998-01-01"
)(simulate.simulate)
app.command(epilog="Example: everfit tune electricity_price --recorded --per-year 9")(tune.tune)
app.command(epilog="Example: everfit backfill electricity_price --from 1996-09-04")(backfill.backfill)
app.command(epilog="Example: everfit drill consumer-kill --kills 5")(drill.drill)


def main() -> None:
    """Run a command; an :class:`EverfitError` becomes one message on stderr and exit code 1.

    So does a folder that cannot be written to, because its owner and its free space are the user's concern.
    """
    put_behind(Path.cwd())  # the models package lies where one works
    try:
        app()
    except EverfitError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        todo = "make room, let this user write there, or set another EVERFIT_HOME; `everfit doctor` looks at it"
        typer.echo(f"error: {error.filename or 'the disk'} cannot be written: {error.strerror}; {todo}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
