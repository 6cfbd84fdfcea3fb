"""The supervisor behind ``everfit up``, ``down`` and ``status``.

It keeps no process of its own and no list of what it started: a process belongs to the stack by its mark. So ``up`` can be
killed at any moment; the next ``up`` or ``down`` finds what runs.
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
from everfit.stack.starter import GRACE_SECONDS, Starter, StepListener, leader

BrokerKind = Literal["embedded", "kafka"]


@dataclass
class Stack:
    """The embedded stack of one home folder.

    ``project`` is the folder that models are imported from; ``announce`` receives lines for the user, such as a port that was
    taken; ``on_step`` each step of each service. ``broker`` is 'embedded' (the wheel's) or 'kafka' (Apache Kafka from
    ``KAFKA_HOME``); None keeps this home's choice.
    """

    home: Path
    project: Path = field(default_factory=Path.cwd)
    names: Sequence[str] = SERVICES
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    announce: Callable[[str], None] = lambda _: None
    on_step: StepListener = lambda _name, _step: None
    broker: BrokerKind | None = None

    def __post_init__(self) -> None:
        self.home = self.home.resolve()
        self.postgres = Postgres(self.home / "postgres")
        self._starter = Starter(self.home, self.project, self.on_step)

    def up(self) -> dict[str, str]:
        """Start what is not up, and return the addresses, by the names of ``endpoints.json``.

        A part whose address the environment sets is used, and not started.

        Raises:
            SettingsError: when the environment sets another address than the running stack uses.
            StackError: when a requested port is taken, a service does not start, an external part does not answer, or another
                ``up`` is at work.
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
            addresses_by_name = endpoints(self.home, self.postgres, chosen, given)
            self._write_endpoints(addresses_by_name, given)
            real_kafka = self._real_kafka()
            services = build(self.home, self.project, self.postgres, chosen, real_kafka=real_kafka, given=given)
            self._starter.start_all(services)
            return addresses_by_name

    def _given(self) -> dict[str, str]:
        """The external addresses, checked and prepared before anything is started or ended."""
        given = given_parts(self.home, self.environ)
        if self.broker and "kafka" in given:
            raise StackError(
                f"{VARIABLES['kafka']} is set to {given['kafka']}, so no broker is started; leave out --broker {self.broker}, "
                "or unset the variable"
            )
        make_ready(given, self.names)
        return given

    def down(self) -> list[str]:
        """End every process of this stack, orphans included; returns the names of the services that were running.

        Services that write to the broker and to Postgres are ended first, then these two.
        """
        with self._alone():
            self._endpoints.unlink(missing_ok=True)
            members = processes.stack_processes(self.home)
            processes.end((member.process for member in members if member.service != BROKER), GRACE_SECONDS)
            processes.end((member.process for member in members if member.service == BROKER), GRACE_SECONDS)
            for child in self._starter.children:
                child.wait()
            names = {member.service for member in members}
            if self.postgres.stop():
                names.add(POSTGRES)
            return [name for name in SERVICES if name in names]

    @property
    def _endpoints(self) -> Path:
        return self.home / "run" / "endpoints.json"

    def _write_endpoints(self, addresses_by_name: Mapping[str, str], given: Mapping[str, str]) -> None:
        """Write ``endpoints.json`` for the other commands; passwords of external addresses are not written."""
        addresses = {name: without_password(value) for name, value in addresses_by_name.items()}
        written = self._endpoints.with_suffix(".new")
        document = {"format": ENDPOINTS_FORMAT, **addresses} | ({GIVEN: ",".join(given)} if given else {})
        written.write_text(json.dumps(document, indent=2) + "\n")
        written.replace(self._endpoints)

    def _start_postgres(self, *, own: bool) -> None:
        """Start it and create its databases; with ``own`` everfit's database is migrated."""
        from everfit.store.database import create_engine, migrate

        running = self.postgres.process() is not None
        self.on_step(POSTGRES, "kept" if running else "starting")
        self.postgres.start()
        self.postgres.create_databases()
        if own:
            engine = create_engine(self.postgres.url("everfit"))
            migrate(engine)
            engine.dispose()
        if not running:
            self.on_step(POSTGRES, "started")

    def _real_kafka(self) -> bool:
        """Whether Apache Kafka is this home's broker; the choice is remembered."""
        remembered = self.home / "run" / "broker"
        if self.broker:
            remembered.write_text(self.broker)
        return remembered.exists() and remembered.read_text() == "kafka"

    def _port(self, name: str) -> int:
        running = leader(self.home, name)
        requested = ports.wanted(name, self.environ)
        if running and requested in (None, running.port):
            return running.port
        return ports.choose(name, self.environ, self.announce)

    def _end_orphans(self) -> None:
        """End the descendants of services that no longer run, so that they keep no port and do no work."""
        members = processes.stack_processes(self.home)
        led = {member.service for member in members if member.leads}
        processes.end((member.process for member in members if member.service not in led), GRACE_SECONDS)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A lock on the home; the system releases it when the process ends."""
        folder = self.home / "run"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackError(
                    f"another everfit is starting or stopping the stack in {self.home}; wait for it to finish"
                ) from None
            yield
