"""One request from its fields to its answer: look up, assign rows to versions, score, log; then let shadows answer along."""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from everfit.declaration import Model
from everfit.declaration.discovery import find_model
from everfit.declaration.rollouts import Role
from everfit.errors import RequestError, ServiceError
from everfit.features.running_sums import key_of
from everfit.serving.assignment import explored_share, is_challenged
from everfit.serving.challenger_trial import ChallengerTrial
from everfit.serving.counters import Metrics
from everfit.serving.exposures import Exposure, ExposureLog, Row
from everfit.serving.input_sources import Inputs
from everfit.serving.loaded_versions import ActiveVersions, Version
from everfit.serving.lookup import Lookup, ViewFeatures
from everfit.serving.mirrors import Mirrors
from everfit.serving.model_cache import ModelCache
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.producer import Record
from everfit.serving.request_schema import CheckedRequest
from everfit.serving.served_views import Views
from everfit.serving.version_answers import answers_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """The answers that a client gets to one request: a version, an answer, and whether it is degraded or explored, a row."""

    versions: Sequence[int]
    answers: Sequence[float | list[float]]
    degraded: Sequence[bool]
    explored: Sequence[bool]


@dataclass(frozen=True, slots=True)
class _Given:
    """What a version answered to some rows of a request, by their places in it, and what is logged of it."""

    exposure: Exposure
    places: Sequence[int]
    answers: Sequence[Any]
    records: Sequence[Record]


class Service:
    """Answers for all declared models. Its parts are given; :meth:`close` closes them."""

    def __init__(
        self, models: Mapping[str, Model], cache: ModelCache, views: Views, lookup: Lookup, log: PredictionLog, metrics: Metrics
    ) -> None:
        self.models = models
        self.cache = cache
        self.views = views
        self.log = log
        self.metrics = metrics
        self._lookup = lookup
        self._exposures = ExposureLog(models, log, metrics)
        self._trial = ChallengerTrial(self._exposures, metrics)
        self._mirrors = Mirrors(self._exposures, metrics)

    def model(self, name: str) -> Model:
        """The declared model of that name.

        Raises:
            UnknownModelError: when there is none.
        """
        return find_model(self.models, name)

    async def answer(self, model: Model, request: CheckedRequest) -> Answered:
        """Score every row by the challenger or the champion, as its unit is assigned, and log it.

        What the champion fails at, shadows answer all the same: so the guard sees what a provisional champion left unanswered.

        Raises:
            ServiceError: when the model has no champion yet.
            NotServableError: when the champion answers what is no answer of the model's task, or the task fails at it.
            ProcessEndedError: when the champion has a process of its own, and that crashes or hangs.
            RequestError: when the log would not take what is to be logged; nothing is logged then.
        """
        active = self.cache.active[model.name]
        if active.champion is None:
            raise ServiceError(_nobody(model.name, self.cache.champion_number(model.name)))
        exposures = await self._exposed(model, request, active)
        given = await self._tried(model, request, active, exposures)
        taken = {place for part in given for place in part.places}
        if rest := [place for place in range(len(request.rows)) if place not in taken]:
            try:
                given.append(await self._by_champion(_picked(exposures[0], rest), rest))
            except RequestError:
                raise
            except Exception:
                self._mirror(exposure for exposure in exposures if exposure.role == "shadow")
                raise
        for part in given:
            self._exposures.add(part.exposure, part.records)
        self._mirror(_along(exposures, given))
        return _answered(given)

    def _mirror(self, exposures: Iterable[Exposure]) -> None:
        for exposure in exposures:
            self._mirrors.offer(exposure)

    async def _exposed(self, model: Model, request: CheckedRequest, active: ActiveVersions) -> list[Exposure]:
        """All active versions before all rows, the champion first; their views are read at once."""
        versions: list[tuple[Role, Version]] = [*active]
        inputs = [self.views.inputs(model, version.scorer.signature) for _, version in versions]
        views = await self._lookup.features_of([source.readings for source in inputs], request.rows, request.at)
        return [
            Exposure(model, role, version, request.at, _rows(model, request, source, read))
            for (role, version), source, read in zip(versions, inputs, views, strict=True)
        ]

    async def _tried(
        self, model: Model, request: CheckedRequest, active: ActiveVersions, exposures: Sequence[Exposure]
    ) -> list[_Given]:
        """What the challenger answered to the rows that are assigned to it; nothing where the champion has to."""
        if active.challenger is None or not (places := self._assigned(model, request, active, active.challenger.number)):
            return []
        exposure = _picked(next(exposure for exposure in exposures if exposure.role == "challenger"), places)
        tried = await self._trial.answers(exposure)
        return [_Given(exposure, places, *tried)] if tried else []

    def _assigned(self, model: Model, request: CheckedRequest, active: ActiveVersions, challenger: int) -> list[int]:
        """The rows whose units get the challenger's answers; a unit that is null gets the champion's."""
        unit = active.unit or model.entity
        units = [row.get(unit) for row in request.rows]
        self.metrics.null_units.add(units.count(None), model=model.name)
        return [
            place
            for place, value in enumerate(units)
            if value is not None and is_challenged(model.name, challenger, active.share, key_of(value))
        ]

    async def _by_champion(self, exposure: Exposure, places: Sequence[int]) -> _Given:
        began = time.monotonic()
        try:
            answers = await answers_of(exposure.version.scorer, exposure.inputs)
            return _Given(exposure, places, answers, self._exposures.records(exposure, answers))
        except Exception:
            self.metrics.failures.add(1, **exposure.labels)
            raise
        finally:
            self.metrics.seconds.add(time.monotonic() - began, **exposure.labels)

    async def settled(self) -> None:
        """Wait until the shadows of all that was answered so far have answered, too.

        Raises:
            ServiceError: when one of them lags too far behind.
        """
        await self._mirrors.settled()

    async def close(self) -> None:
        """Send or spool what is still in memory, and give the connections back."""
        try:
            await self.settled()
        except ServiceError as error:
            logger.warning("serving ends all the same: %s", error)
        await asyncio.to_thread(self.log.close)
        await self._lookup.close()


def _picked(exposure: Exposure, places: Sequence[int]) -> Exposure:
    """Some of its rows."""
    return replace(exposure, rows=[exposure.rows[place] for place in places])


def _along(exposures: Sequence[Exposure], given: Sequence[_Given]) -> list[Exposure]:
    """What is answered for the log alone: by the shadows, and by the champion where the challenger answered.

    So both are compared on the same requests, however the challenger's units differ from others.
    """
    challenged = [part.places for part in given if part.exposure.role == "challenger"]
    compared: list[Exposure] = [replace(_picked(exposures[0], places), role="shadow") for places in challenged]
    return [*(exposure for exposure in exposures if exposure.role == "shadow"), *compared]


def _answered(given: Sequence[_Given]) -> Answered:
    """The answers in the order of the request's rows."""
    rows = sorted(
        (place, part.exposure.version.number, answer, row.degraded, row.explored > 0)
        for part in given
        for place, answer, row in zip(part.places, part.answers, part.exposure.rows, strict=True)
    )
    return Answered([row[1] for row in rows], [row[2] for row in rows], [row[3] for row in rows], [row[4] for row in rows])


def _rows(model: Model, request: CheckedRequest, inputs: Inputs, views: Sequence[ViewFeatures]) -> list[Row]:
    """The rows of a request as a version scores them, with the features of its views for each row."""
    return [
        Row(
            request_id,
            key_of(row[model.entity]),
            inputs.values(row, read.features),
            read.degraded or inputs.degraded,
            explored_share(model, row),
        )
        for request_id, row, read in zip(request.ids, request.rows, views, strict=True)
    ]


def _nobody(name: str, wanted: int | None) -> str:
    """Why nobody answers."""
    if wanted is None:
        return f"{name} has no champion yet; train and promote one: `everfit train {name}`"
    return f"version {wanted} of {name} is champion and cannot be loaded: serving's log says why, `everfit doctor` what to do"
