"""The versions of views as serving knows them: what is declared is registered and built, and what is built is read.

The state of each is read again every second; whether a version that is read knows all that has landed is asked with every
lookup, so that an answer says so at once.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Mapping, Sequence

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from everfit.declaration import Model
from everfit.errors import EverfitError
from everfit.serving.input_sources import Inputs, Registered, inputs_of
from everfit.store import schemas, view_versions
from everfit.store.view_builds import build
from everfit.store.view_versions import DeclaredViews, ViewVersion
from everfit.training.artifact import Signature

POLL_SECONDS = 1.0
USED_SECONDS = 3_600.0  # how often it is written down that a version is used

logger = logging.getLogger(__name__)


class _StoppedError(Exception):
    """Serving ends: what is being built is built on by the next process."""


class Views:
    """Says where a version's inputs are taken from; :meth:`watch` keeps it up to date, and builds what is declared."""

    def __init__(self, models: Mapping[str, Model], engine: sa.Engine) -> None:
        self._models = models
        self._engine = engine
        self._declared = DeclaredViews(models.values()).definitions
        self._registered = Registered({}, {})
        self._inputs: dict[tuple[str, str], tuple[Registered, Inputs]] = {}
        self._unwritten: list[Signature] = []
        self._writing = threading.Lock()  # what serves is loaded in one thread, what is registered is read in another
        self._used_at = -USED_SECONDS
        self._stopping = threading.Event()
        self._problem = ""

    def inputs(self, model: Model, signature: Signature) -> Inputs:
        """Where the inputs of a version with this signature are taken from."""
        registered, name = self._registered, (model.name, signature.schema)
        by, inputs = self._inputs.get(name, (None, None))
        if inputs is None or by is not registered or inputs.signature != signature:
            inputs = inputs_of(model, signature, registered)
            self._inputs[name] = registered, inputs
        return inputs

    def remember(self, signature: Signature) -> None:
        """Write down the schema of a version that is about to serve, so that the log takes what it answers.

        Where the database is away it is written as soon as it is back.
        """
        self._unwritten.append(signature)
        try:
            self._write_schemas()
        except (SQLAlchemyError, psycopg.Error) as error:
            logger.warning("the schema of %s cannot be written down yet: %r", signature.model, error)

    async def watch(self) -> None:
        """Build what is declared, and follow what is registered, until cancelled."""
        building = asyncio.create_task(self._build())
        try:
            while True:
                await asyncio.to_thread(self.refresh)
                if building.done() and self.is_any_behind():
                    building = asyncio.create_task(self._build())
                await asyncio.sleep(POLL_SECONDS)
        finally:
            self._stopping.set()
            await building

    def refresh(self) -> None:
        """Read what is registered; a database that is away leaves what was read before."""
        try:
            with self._engine.begin() as connection:
                cursor = view_versions.cursor_of(connection)
                registered = Registered(view_versions.registered(cursor), schemas.uses(connection))
                if time.monotonic() - self._used_at > USED_SECONDS:
                    view_versions.mark_used(cursor, self._in_use())
                    self._used_at = time.monotonic()
            self._write_schemas()
        except (SQLAlchemyError, psycopg.Error) as error:
            self._warn(f"the versions of the views cannot be read: {error!r}")
            return
        self._problem = ""
        if registered != self._registered:
            self._registered = registered

    def _in_use(self) -> Sequence[tuple[str, str]]:
        read = {reading.name for _, inputs in [*self._inputs.values()] for reading in inputs.readings}
        return sorted(read | self._declared.keys())

    def _write_schemas(self) -> None:
        with self._writing:
            while self._unwritten:
                signature = self._unwritten[0]
                with self._engine.begin() as connection:
                    schemas.record(connection, signature.model, signature.schema, signature.features)
                del self._unwritten[0]

    def is_any_behind(self) -> bool:
        """Whether a declared version is not built, as far as is known, and may be."""
        versions = [self._registered.versions.get(name) for name in self._declared]
        return any(one is None or (one.state != "built" and not one.problem) for one in versions)

    async def _build(self) -> None:
        """Build beside the answers; what cannot be built is logged, and its views answer nulls."""
        try:
            await asyncio.to_thread(build, self._engine, self._models, report=self._go_on)
        except _StoppedError:
            return
        except (SQLAlchemyError, psycopg.Error, EverfitError) as error:
            self._warn(f"the views cannot be built now: {error!r}")

    def _go_on(self, _: ViewVersion) -> None:
        if self._stopping.is_set():
            raise _StoppedError

    def _warn(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            logger.warning("%s", problem)
