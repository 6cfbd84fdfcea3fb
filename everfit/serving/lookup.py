"""Features for serving: all views of a request in one statement, with a fallback while the database does not answer."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import psycopg
import sqlalchemy as sa

from everfit.declaration.values import Value
from everfit.declaration.views import FeatureView, Latest
from everfit.environment.variables import setting
from everfit.errors import ServiceError
from everfit.features.masked_features import MaskedColumns, concerned
from everfit.features.running_sums import RunningRow, answer, expired, key_of
from everfit.features.spans import INSTANT
from everfit.store.online import AS_SERVED, StateKey, bind, row_of
from everfit.waiting import Patience

CONNECTIONS = 4
TIMEOUT = "EVERFIT_LOOKUP_TIMEOUT"
LEAST_SECONDS, MOST_SECONDS = 2.0, 5.0  # bounds of the limit, which is ten times the slowest lookup so far
RETRY_SECONDS = 1.0
REMEMBERED_KEYS = 10_000

_MASKS = msgspec.json.Decoder(list[MaskedColumns])

logger = logging.getLogger(__name__)


class ViewFeatures(NamedTuple):
    """A row's view features; ``degraded`` where a view is missing, older than its time to live, or was not read."""

    features: dict[str, Value]
    degraded: bool


class Reading(NamedTuple):
    """A view, the version to read, and its requested features; all features where none is named."""

    view: FeatureView
    version: str
    features: tuple[str, ...] = ()

    @property
    def name(self) -> tuple[str, str]:
        """View and version: the identity of its online state."""
        return self.view.name, self.version


class _State(NamedTuple):
    """The running row known at a moment, whether its version reflects all landed rows, and what of these is masked."""

    row: RunningRow | None
    whole: bool
    masks: Sequence[MaskedColumns]


class _Gap(NamedTuple):
    """A feature that is missing because its source is masked; ``features`` is where its value from before the mask belongs."""

    features: dict[str, Value]
    name: str
    position: int  # of its column among those that the view takes
    before: StateKey


class Lookup:
    """Reads the online state for serving. One event loop owns it; close it when done."""

    def __init__(self, engine: sa.Engine) -> None:
        _, self._arguments = engine.dialect.create_connect_args(engine.url)
        self._idle: list[psycopg.AsyncConnection[Any]] = []
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._retry_at = 0.0
        self._patience = Patience.declared(setting(TIMEOUT), LEAST_SECONDS, MOST_SECONDS)
        self._remembered: OrderedDict[tuple[str, str, str], dict[str, Value]] = OrderedDict()

    async def features(
        self, readings: Sequence[Reading], rows: Sequence[Mapping[str, Value]], at: datetime
    ) -> list[ViewFeatures]:
        """The features of one set of readings for each row, as :meth:`features_of`."""
        return (await self.features_of([readings], rows, at))[0]

    async def features_of(
        self, wanted: Sequence[Sequence[Reading]], rows: Sequence[Mapping[str, Value]], at: datetime
    ) -> list[list[ViewFeatures]]:
        """The features of several sets of readings for each row of request fields, as known at a moment.

        It is one statement, and reads a version once even where several sets name it. It does not fail with the database: what
        cannot be read is the last known values of the same key, or nulls, and degraded. Values of a version that does not
        reflect all landed rows are degraded, too.

        Returns:
            For each set, the features of each row.
        """
        readings = list({reading.name: reading for readings in wanted for reading in readings}.values())
        state_keys = [key for row in rows for reading in readings for key in _state_keys(reading, row, at)]
        states = await self._read_states(state_keys) if state_keys else []
        if states is None:
            rows_features = [self._last_known(readings, row) for row in rows]
        else:
            answers, gaps = iter(states), list[_Gap]()
            rows_features = [self._answered(readings, row, at, answers, gaps) for row in rows]
            await self._fill(gaps)
        return [[_merged(reading_set, of_row) for of_row in rows_features] for reading_set in wanted]

    async def features_at(
        self, readings: Sequence[Reading], rows: Sequence[tuple[Mapping[str, Value], datetime]]
    ) -> list[ViewFeatures]:
        """The features of one set of readings for each row of request fields, as known at its own moment.

        Raises:
            ServiceError: when the database does not answer in time; no last known values stand in.
        """
        state_keys = [key for row, at in rows for reading in readings for key in _state_keys(reading, row, at)]
        states = await self._read_states(state_keys) if state_keys else []
        if states is None:
            raise ServiceError(f"the online features do not answer; try again, or allow more time by {TIMEOUT}")
        answers, gaps = iter(states), list[_Gap]()
        answered = [self._answered(readings, row, at, answers, gaps) for row, at in rows]
        await self._fill(gaps)
        return [_merged(readings, of_row) for of_row in answered]

    def _answered(
        self,
        readings: Sequence[Reading],
        row: Mapping[str, Value],
        at: datetime,
        answers: Iterator[_State],
        gaps: list[_Gap],
    ) -> dict[tuple[str, str], ViewFeatures]:
        features_by_view = {}
        for reading in readings:
            now, *ago = (next(answers) for _ in range(1 + len(reading.view.windows)))
            features = _answer(reading.view, at, now, [state.row for state in ago])
            self._remember((*reading.name, key_of(row[reading.view.key])), features)
            masked = concerned(reading.view, now.masks, at, now.row, features) if now.masks else {}
            degraded = bool(masked) or not now.whole or now.row is None or expired(reading.view, at, now.row)
            gaps += _gaps(reading, key_of(row[reading.view.key]), masked, features)
            features_by_view[reading.name] = ViewFeatures(features, degraded)
        return features_by_view

    async def _fill(self, gaps: Sequence[_Gap]) -> None:
        """Give what is masked its last value from before the mask; it stays null where that cannot be read, or is none."""
        states = await self._read_states([gap.before for gap in gaps]) if gaps else None
        for gap, state in zip(gaps, states or [], strict=False):
            if state.row is not None:
                gap.features[gap.name] = state.row.values[gap.position]

    async def close(self) -> None:
        """Close the connections."""
        while self._idle:
            await self._idle.pop().close()

    async def _read_states(self, state_keys: Sequence[StateKey]) -> list[_State] | None:
        """The requested running rows; None where the database does not answer in time, or did not a moment ago."""
        if time.monotonic() < self._retry_at:
            return None
        try:
            began = time.monotonic()
            async with asyncio.timeout(self._patience.limit_seconds), self._slots:
                rows = await self._fetch(bind(state_keys))
            self._patience.learn(time.monotonic() - began)
        except (psycopg.Error, TimeoutError) as error:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            logger.warning("the online store does not answer, last known values are used: %r", error)
            return None
        return [
            _State(row_of(key, row), row[4], _MASKS.decode(row[5]) if row[5] else ())
            for key, row in zip(state_keys, rows, strict=True)
        ]

    async def _fetch(self, bound: tuple[list[Any], ...]) -> list[Any]:
        if self._idle:
            try:
                return await self._fetch_by(self._idle.pop(), bound)
            except psycopg.OperationalError:  # the database was restarted: all idle connections are dead
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
            else:  # broken, or cancelled while an answer was read
                await connection.close()
        return rows

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(**self._arguments, autocommit=True)

    def _last_known(self, readings: Sequence[Reading], row: Mapping[str, Value]) -> dict[tuple[str, str], ViewFeatures]:
        nothing: Mapping[str, Value] = {}
        known = {}
        for reading in readings:
            remembered = self._remembered.get((*reading.name, key_of(row[reading.view.key])), nothing)
            known[reading.name] = ViewFeatures({**remembered, **reading.view.default}, True)
        return known

    def _remember(self, identity: tuple[str, str, str], features: dict[str, Value]) -> None:
        self._remembered[identity] = features
        self._remembered.move_to_end(identity)
        if len(self._remembered) > REMEMBERED_KEYS:
            self._remembered.popitem(last=False)


def _state_keys(reading: Reading, row: Mapping[str, Value], at: datetime) -> list[StateKey]:
    """The state keys of the view's key now, and at the beginning of each of its windows."""
    view, key = reading.view, key_of(row[reading.view.key])
    return [StateKey(view.name, reading.version, key, moment) for moment in (at, *(at - over for over in view.windows))]


def _gaps(reading: Reading, key: str, masked: Mapping[str, datetime], features: dict[str, Value]) -> list[_Gap]:
    """Give what is masked the declared default; the other newest values that are missing are left to be filled."""
    view, gaps = reading.view, []
    for name, since in masked.items():
        feature = view.features[name]
        if features[name] is not None:
            continue
        if name in view.default:
            features[name] = view.default[name]
        elif isinstance(feature, Latest):
            before = StateKey(view.name, reading.version, key, since - INSTANT)
            gaps.append(_Gap(features, name, view.columns.index(feature.column), before))
    return gaps


def _merged(readings: Sequence[Reading], features_by_view: Mapping[tuple[str, str], ViewFeatures]) -> ViewFeatures:
    """The features of a set of readings."""
    features: dict[str, Value] = {}
    for reading in readings:
        values = features_by_view[reading.name].features
        features |= {name: values.get(name) for name in reading.features or reading.view.features}
    return ViewFeatures(features, any(features_by_view[reading.name].degraded for reading in readings))


def _answer(view: FeatureView, at: datetime, now: _State, ago: Sequence[RunningRow | None]) -> dict[str, Value]:
    """The features; nulls where the key is not built yet, as a sum over no rows would be a number."""
    if now.row is None and not now.whole:
        return dict.fromkeys(view.features)
    return answer(view, at, now.row, dict(zip(view.windows, ago, strict=True)))
