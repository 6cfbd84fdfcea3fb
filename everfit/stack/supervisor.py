"""The supervisor behind ``everfit up``, ``down`` and ``status``.

It keeps no process of its own and no list of what it started: what is up is what carries the stack's mark. So ``up`` can be
killed at any moment; the next one, or ``down``, finds what stands.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from everfit.environment.addresses import without_password
from everfit.environment.settings import ENDPOINTS_FORMAT, GIVEN, VARIABLES
from everfit.errors import StackError
from everfit.stack import ports, processes
from everfit.stack.dagster_home import write_dagster_home
from everfit.stack.external_parts import given_parts, make_ready, run_here
from everfit.stack.postgres import Postgres
from everfit.stack.services import BROKER, POSTGRES, SERVICES, build, endpoints
from everfit.stack.starter import GRACE_SECONDS, Heard, Starter, leader

BrokerKind = Literal["embedded", "kafka"]


@dataclass
class Stack:
    """The embedded stack of one home folder.

    ``project`` is the folder that the models are imported from; ``say`` gets what a person should know, such as a port that
    was taken; ``heard`` each step of each service. ``broker`` is 'embedded' (the wheel's) or 'kafka' (Apache Kafka from
    ``KAFKA_HOME``); None keeps what this home has.
    """

    home: Path
    project: Path = field(default_factory=Path.cwd)
    names: Sequence[str] = SERVICES
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    say: Callable[[str], None] = lambda _: None
    heard: Heard = lambda _name, _step: None
    broker: BrokerKind | None = None

    def __post_init__(self) -> None:
        self.home = self.home.resolve()
        self.postgres = Postgres(self.home / "postgres")
        self._starter = Starter(self.home, self.project, self.heard)

    def up(self) -> dict[str, str]:
        """Bring up what is not up, and return the addresses, by the names of ``endpoints.json``.

        A part whose address the environment gives is used, and not started.

        Raises:
            SettingsError: when the environment gives another address than what runs already uses.
            StackError: when a port that was asked for is taken, a service does not start, what is given does not answer, or
                another ``up`` is at work.
        """
        with self._alone():
            given = self._given()
            self._end_orphans()
            here = run_here(self.names, given)
            chosen = {name: self._port(name) for name in here if name in ports.DEFAULTS}
            if POSTGRES in here:
                self._start_postgres(own="database_url" not in given)
            (self.home / "mlflow").mkdir(exist_ok=True)
            if "code" in chosen:
                write_dagster_home(self.home, self.postgres.url("dagster", "psycopg2"), chosen["code"])
            told = endpoints(self.home, self.postgres, chosen, given)
            self._tell(told, given)
            real_kafka = self._real_kafka()
            services = build(self.home, self.project, self.postgres, chosen, real_kafka=real_kafka, given=given)
            self._starter.start_all(services)
            return told

    def _given(self) -> dict[str, str]:
        """What is given, found to answer and made ready; before anything is started or ended."""
        given = given_parts(self.home, self.environ)
        if self.broker and "kafka" in given:
            raise StackError(
                f"{VARIABLES['kafka']} gives {given['kafka']}, so that no broker is started; leave --broker {self.broker} out, "
                "or unset the variable"
            )
        make_ready(given, self.names)
        return given

    def down(self) -> list[str]:
        """End everything of this stack, orphans included; returns the names of what was running.

        What writes to the broker and to Postgres is ended first, then these two.
        """
        with self._alone():
            self._endpoints.unlink(missing_ok=True)
            found = processes.marked(self.home)
            processes.end((one.process for one in found if one.service != BROKER), GRACE_SECONDS)
            processes.end((one.process for one in found if one.service == BROKER), GRACE_SECONDS)
            for child in self._starter.children:
                child.wait()
            names = {one.service for one in found}
            if self.postgres.stop():
                names.add(POSTGRES)
            return [name for name in SERVICES if name in names]

    @property
    def _endpoints(self) -> Path:
        return self.home / "run" / "endpoints.json"

    def _tell(self, told: Mapping[str, str], given: Mapping[str, str]) -> None:
        """Write the addresses down, for every command; a password that was given is not written."""
        addresses = {name: without_password(value) for name, value in told.items()}
        written = self._endpoints.with_suffix(".new")
        document = {"format": ENDPOINTS_FORMAT, **addresses} | ({GIVEN: ",".join(given)} if given else {})
        written.write_text(json.dumps(document, indent=2) + "\n")
        written.replace(self._endpoints)

    def _start_postgres(self, *, own: bool) -> None:
        """Start it with its databases; ``own`` where everfit's own is one of them."""
        from everfit.store.database import create_engine, migrate

        running = self.postgres.process() is not None
        self.heard(POSTGRES, "kept" if running else "starting")
        self.postgres.start()
        self.postgres.create_databases()
        if own:
            engine = create_engine(self.postgres.url("everfit"))
            migrate(engine)
            engine.dispose()
        if not running:
            self.heard(POSTGRES, "started")

    def _real_kafka(self) -> bool:
        """Whether Apache Kafka is this home's broker; what was asked for once is remembered."""
        remembered = self.home / "run" / "broker"
        if self.broker:
            remembered.write_text(self.broker)
        return remembered.exists() and remembered.read_text() == "kafka"

    def _port(self, name: str) -> int:
        running = leader(self.home, name)
        asked = ports.wanted(name, self.environ)
        if running and asked in (None, running.port):
            return running.port
        return ports.choose(name, self.environ, self.say)

    def _end_orphans(self) -> None:
        """End what a service left behind that is itself no more, so that it holds no port and works on nothing."""
        found = processes.marked(self.home)
        led = {one.service for one in found if one.leads}
        processes.end((one.process for one in found if one.service not in led), GRACE_SECONDS)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One at a time; the lock goes with its process, however that ends."""
        folder = self.home / "run"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackError(f"another everfit starts or stops the stack in {self.home} right now; wait for it") from None
            yield
