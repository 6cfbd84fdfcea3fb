"""Features for serving: every view of a request in one statement, and a fallback for when the database is away."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
import sqlalchemy as sa

from everfit.declaration.views import FeatureView
from everfit.environment.variables import setting
from everfit.features.running_sums import RunningRow, Value, answer, expired, key_of
from everfit.store.online import AS_SERVED, StateKey, bind, row_of
from everfit.waiting import Patience

CONNECTIONS = 4
TIMEOUT = "EVERFIT_LOOKUP_TIMEOUT"
LEAST_SECONDS, MOST_SECONDS = 2.0, 5.0  # between which the limit is ten times the slowest lookup so far
RETRY_SECONDS = 1.0
REMEMBERED_KEYS = 10_000

logger = logging.getLogger(__name__)


class Found(NamedTuple):
    """A row's view features; ``degraded`` when a view was missing, or older than its time to live, or not read."""

    features: dict[str, Value]
    degraded: bool


class Reading(NamedTuple):
    """A view, the version of it that is read, and which of its features are wanted; all of them where none is named."""

    view: FeatureView
    version: str
    features: tuple[str, ...] = ()

    @property
    def name(self) -> tuple[str, str]:
        """View and version: the identity of its online state."""
        return self.view.name, self.version


class _Held(NamedTuple):
    """The running row that was known at a moment, and whether its version knows all that has landed."""

    row: RunningRow | None
    whole: bool


class Lookup:
    """The online store as serving reads it. One event loop owns it; close it when done."""

    def __init__(self, engine: sa.Engine) -> None:
        _, self._arguments = engine.dialect.create_connect_args(engine.url)
        self._idle: list[psycopg.AsyncConnection[Any]] = []
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._retry_at = 0.0
        self._patience = Patience.declared(setting(TIMEOUT), LEAST_SECONDS, MOST_SECONDS)
        self._remembered: OrderedDict[tuple[str, str, str], dict[str, Value]] = OrderedDict()

    async def features(self, readings: Sequence[Reading], rows: Sequence[Mapping[str, Value]], at: datetime) -> list[Found]:
        """What one set of readings brings for each row; as :meth:`features_of`."""
        return (await self.features_of([readings], rows, at))[0]

    async def features_of(
        self, wanted: Sequence[Sequence[Reading]], rows: Sequence[Mapping[str, Value]], at: datetime
    ) -> list[list[Found]]:
        """The features that several sets of readings bring for each row of request fields, as known at a moment.

        It is one statement, and reads a version that several sets name once. Never fails for the database's sake: what cannot
        be read is answered by the last known values of the same key, or nulls, and is degraded. So is what is read of a version
        that does not know all that has landed.

        Returns:
            For each set what it finds for each row.
        """
        readings = list({reading.name: reading for readings in wanted for reading in readings}.values())
        asked = [one for row in rows for reading in readings for one in _asked(reading, row, at)]
        held = await self._held(asked) if asked else []
        if held is None:
            found = [self._last_known(readings, row) for row in rows]
        else:
            answers = iter(held)
            found = [self._taken(readings, row, at, answers) for row in rows]
        return [[_merged(one, by_name) for by_name in found] for one in wanted]

    def _taken(
        self, readings: Sequence[Reading], row: Mapping[str, Value], at: datetime, answers: Iterator[_Held]
    ) -> dict[tuple[str, str], Found]:
        found = {}
        for reading in readings:
            now, *ago = (next(answers) for _ in range(1 + len(reading.view.windows)))
            features = _answer(reading.view, at, now, [one.row for one in ago])
            self._remember((*reading.name, key_of(row[reading.view.key])), features)
            degraded = not now.whole or now.row is None or expired(reading.view, at, now.row)
            found[reading.name] = Found(features, degraded)
        return found

    async def close(self) -> None:
        """Give the connections back."""
        while self._idle:
            await self._idle.pop().close()

    async def _held(self, asked: Sequence[StateKey]) -> list[_Held] | None:
        """The running rows asked for; None where the database does not answer in time, or just did not."""
        if time.monotonic() < self._retry_at:
            return None
        try:
            began = time.monotonic()
            async with asyncio.timeout(self._patience.limit_seconds), self._slots:
                rows = await self._fetch(bind(asked))
            self._patience.learn(time.monotonic() - began)
        except (psycopg.Error, TimeoutError) as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            logger.warning("the online store does not answer, last known values are used: %r", error)
            return None
        return [_Held(row_of(one, row), row[4]) for one, row in zip(asked, rows, strict=True)]

    async def _fetch(self, bound: tuple[list[Any], ...]) -> list[Any]:
        if self._idle:
            try:
                return await self._fetch_by(self._idle.pop(), bound)
            except psycopg.OperationalError:  # the database was started anew since: whatever is kept is of before
                await self.close()
        return await self._fetch_by(await self._connect(), bound)

    async def _fetch_by(self, connection: psycopg.AsyncConnection[Any], bound: tuple[list[Any], ...]) -> list[Any]:
        whole = False
        try:
            cursor = await connection.execute(AS_SERVED, bound, prepare=True)
            rows = await cursor.fetchall()
            whole = True
        finally:
            if whole:
                self._idle.append(connection)
            else:  # broken, or given up in the middle of an answer
                await connection.close()
        return rows

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(**self._arguments, autocommit=True)

    def _last_known(self, readings: Sequence[Reading], row: Mapping[str, Value]) -> dict[tuple[str, str], Found]:
        nothing: Mapping[str, Value] = {}
        keys = ((*reading.name, key_of(row[reading.view.key])) for reading in readings)
        return {key[:2]: Found(dict(self._remembered.get(key, nothing)), True) for key in keys}

    def _remember(self, identity: tuple[str, str, str], features: dict[str, Value]) -> None:
        self._remembered[identity] = features
        self._remembered.move_to_end(identity)
        if len(self._remembered) > REMEMBERED_KEYS:
            self._remembered.popitem(last=False)


def _asked(reading: Reading, row: Mapping[str, Value], at: datetime) -> list[StateKey]:
    """The view's key now, and at the beginning of each of its windows."""
    view, key = reading.view, key_of(row[reading.view.key])
    return [StateKey(view.name, reading.version, key, moment) for moment in (at, *(at - over for over in view.windows))]


def _merged(readings: Sequence[Reading], found: Mapping[tuple[str, str], Found]) -> Found:
    """What a set of readings wants of all that was found."""
    features: dict[str, Value] = {}
    for reading in readings:
        held = found[reading.name].features
        features |= {name: held.get(name) for name in reading.features or reading.view.features}
    return Found(features, any(found[reading.name].degraded for reading in readings))


def _answer(view: FeatureView, at: datetime, now: _Held, ago: Sequence[RunningRow | None]) -> dict[str, Value]:
    """The features; nulls where the version has not come to the key yet: a sum over nothing would be a number."""
    if now.row is None and not now.whole:
        return dict.fromkeys(view.features)
    return answer(view, at, now.row, dict(zip(view.windows, ago, strict=True)))
