"""``python -m everfit.stack HOME``: starts only the Postgres of a home, for backups; the rest of the stack is left alone.

Missing databases are created. Prints the folder of the server's programs (``pg_dump``, ``pg_restore``, ``psql``).
"""

import sys
from pathlib import Path

from everfit.stack.postgres import Postgres


def main(home: Path) -> None:
    """Start Postgres and print the folder of its programs."""
    postgres = Postgres(home.resolve() / "postgres")
    postgres.start()
    postgres.create_databases()
    sys.stdout.write(f"{postgres.programs}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
