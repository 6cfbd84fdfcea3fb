"""The versions of views in serving: declared versions are registered and built, built versions are read.

The state of each is read every second; whether a version reflects all landed rows is read with every lookup, so that an answer
is marked as degraded at once.
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
USED_SECONDS = 3_600.0  # between two records that a version is used

logger = logging.getLogger(__name__)


class _StoppedError(Exception):
    """Serving stops: the next process continues what is being built."""


class Views:
    """The sources of versions' inputs; :meth:`watch` keeps them up to date, and builds declared views."""

    def __init__(self, models: Mapping[str, Model], engine: sa.Engine) -> None:
        self._models = models
        self._engine = engine
        self._declared = DeclaredViews(models.values()).definitions
        self._registered = Registered({}, {})
        self._inputs: dict[tuple[str, str], tuple[Registered, Inputs]] = {}
        self._unwritten: list[Signature] = []
        self._writing = threading.Lock()  # versions are loaded in one thread, the registered views are read in another
        self._used_at = -USED_SECONDS
        self._stopping = threading.Event()
        self._problem = ""

    def inputs(self, model: Model, signature: Signature) -> Inputs:
        """The sources of the inputs of a version with this signature."""
        registered, name = self._registered, (model.name, signature.schema)
        by, inputs = self._inputs.get(name, (None, None))
        if inputs is None or by is not registered or inputs.signature != signature:
            inputs = inputs_of(model, signature, registered)
            self._inputs[name] = registered, inputs
        return inputs

    def remember(self, signature: Signature) -> None:
        """Record the schema of a version before it serves, so that the log's reader accepts its predictions.

        While the database does not answer, it is kept and recorded later.
        """
        self._unwritten.append(signature)
        try:
            self._write_schemas()
        except (SQLAlchemyError, psycopg.Error) as error:
            logger.warning("the schema of %s cannot be recorded yet: %r", signature.model, error)

    async def watch(self) -> None:
        """Build declared views and read the registered ones, until cancelled."""
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
        """Read the registered views; where the database does not answer, the former ones are kept."""
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
        """Whether a declared version is not built, but can be."""
        versions = [self._registered.versions.get(name) for name in self._declared]
        return any(version is None or (version.state != "built" and not version.problem) for version in versions)

    async def _build(self) -> None:
        """Build while requests are answered; a view that cannot be built is logged, and its features are null."""
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
