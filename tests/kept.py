"""The state that an earlier version left after eight weeks of the demo's market, put into a home of its own."""

import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from everfit.stack.postgres import Postgres

FOLDER = Path(__file__).parent / "fixtures" / "eight_weeks"
STATE: dict[str, Any] = json.loads((FOLDER / "state.json").read_text())
DATABASES = ("everfit", "mlflow")


def unpack(home: Path) -> None:
    """Lake, spool, artifacts and progress as they lay there; the databases are in a Postgres that runs then."""
    with tarfile.open(FOLDER / "state.tar.xz") as archive:
        archive.extractall(home, filter="data")
    (home / "endpoints.json").unlink()  # of ports that were free then
    postgres = Postgres(home / "postgres")
    postgres.start()
    postgres.create_databases()
    for database in DATABASES:
        dump = home / f"{database}.sql"
        where = ["--host", str(postgres.data), "--username", "postgres", "--dbname", database]
        quiet = ["--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--output", "/dev/null"]
        subprocess.run([str(postgres.programs / "psql"), *quiet, *where, "--file", str(dump)], check=True)
        dump.unlink()
