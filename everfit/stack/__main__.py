"""``python -m everfit.stack HOME``: the Postgres of one home alone, for backups; the rest of the stack stays as it is.

It is started where it does not run, with its databases where they are not there yet; the folder of its programs (``pg_dump``,
``pg_restore``, ``psql``) is printed.
"""

import sys
from pathlib import Path

from everfit.stack.postgres import Postgres


def main(home: Path) -> None:
    """Start it; say where its programs are."""
    postgres = Postgres(home.resolve() / "postgres")
    postgres.start()
    postgres.create_databases()
    sys.stdout.write(f"{postgres.programs}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
