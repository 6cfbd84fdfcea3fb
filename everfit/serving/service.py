"""One request from its fields to its answer: look up, score, log; then let shadows answer along."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from everfit.declaration import Model
from everfit.declaration.discovery import find_model
from everfit.declaration.rollouts import ANSWERING, Role
from everfit.declaration.values import Value
from everfit.errors import EventError, EverfitError, ProcessEndedError, RequestError, ServiceError
from everfit.features.running_sums import key_of
from everfit.serving.answer_check import answer_fields
from everfit.serving.counters import Metrics
from everfit.serving.input_sources import Inputs
from everfit.serving.lookup import Lookup, ViewFeatures
from everfit.serving.model_cache import ActiveVersions, ModelCache, Version
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.producer import Record
from everfit.serving.request_schema import CheckedRequest
from everfit.serving.served_views import Views
from everfit.serving.version_answers import answers_of
from everfit.timing import wall_clock
from everfit.topics.contract import Contract, require_size
from everfit.topics.events import Prediction, encode

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """The answers that a client gets to one request: an answer and a degraded flag a row."""

    version: int
    answers: Sequence[float | list[float]]
    degraded: Sequence[bool]


@dataclass(frozen=True, slots=True)
class _Scored:
    """One row as a version scores and logs it: its id, its entity, and all inputs of the version."""

    request_id: str
    entity: str
    features: Mapping[str, Value]
    degraded: bool


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
        self._shadows: set[asyncio.Task[None]] = set()
        self._contract = Contract(models)

    def model(self, name: str) -> Model:
        """The declared model of that name.

        Raises:
            UnknownModelError: when there is none.
        """
        return find_model(self.models, name)

    async def answer(self, model: Model, request: CheckedRequest) -> Answered:
        """Score every row by the version that the model's rollout names, most often the champion, and log it.

        Raises:
            ServiceError: when the model has no champion yet.
            NotServableError: when that version answers what is no answer of the model's task, or the task fails at it.
            ProcessEndedError: when the champion has a process of its own, and that crashes or hangs.
            RequestError: when the log would not take what is to be logged; nothing is logged then.
        """
        active = self.cache.active[model.name]
        if active.champion is None:
            raise ServiceError(_nobody(model.name, self.cache.wanted[model.name]))
        answering = _answering(model, request, active)
        try:
            return await self._answered_by(answering, model, request, active)
        except ProcessEndedError:
            if answering == "champion":
                raise
            logger.exception("%s: the %s did not answer; the champion does", model.name, answering)
            return await self._answered_by("champion", model, request, active)

    async def _answered_by(self, answering: Role, model: Model, request: CheckedRequest, active: ActiveVersions) -> Answered:
        roles = [answering, *(role for role in active.by_role if role not in ANSWERING)]
        versions = [active.by_role[role] for role in roles]
        inputs = [self.views.inputs(model, version.scorer.signature) for version in versions]
        views = await self._lookup.features_of([source.readings for source in inputs], request.rows, request.at)
        rows, *along = (_rows(model, request, source, read) for source, read in zip(inputs, views, strict=True))
        answers = await self._score(model, roles[0], versions[0], request, rows)
        for role, version, its_rows in zip(roles[1:], versions[1:], along, strict=True):
            # run by the loop once this answer is written
            shadow = asyncio.create_task(self._answer_along(model, role, version, request, its_rows))
            self._shadows.add(shadow)
            shadow.add_done_callback(self._shadows.discard)
        degraded = [row.degraded for row in rows]
        self.metrics.degraded.add(sum(degraded), model=model.name)
        return Answered(versions[0].number, answers, degraded)

    async def settled(self) -> None:
        """Wait until the shadows of all that was answered so far have answered, too."""
        if self._shadows:
            await asyncio.wait(set(self._shadows))

    async def close(self) -> None:
        """Send or spool what is still in memory, and give the connections back."""
        await self.settled()
        await asyncio.to_thread(self.log.close)
        await self._lookup.close()

    async def _answer_along(
        self, model: Model, role: Role, version: Version, request: CheckedRequest, rows: Sequence[_Scored]
    ) -> None:
        """A shadow answers the very same requests; its failure is counted and logged, for no client waits for it."""
        try:
            await self._score(model, role, version, request, rows)
        except (EverfitError, OSError):
            self.metrics.shadow_failures.add(1, model=model.name)
            logger.exception("%s: %s version %d did not answer", model.name, role, version.number)

    async def _score(
        self, model: Model, role: Role, version: Version, request: CheckedRequest, rows: Sequence[_Scored]
    ) -> list[float | list[float]]:
        answers = await answers_of(version.scorer, [row.features for row in rows])
        records = []
        for row, answer in zip(rows, answers, strict=True):
            prediction = Prediction(
                request_id=row.request_id,
                model=model.name,
                version=version.number,
                role=role,
                entity=row.entity,
                event_time=request.at,
                features=dict(row.features),
                degraded=row.degraded,
                schema=version.scorer.signature.schema,
                **answer_fields(model, version.number, answer),
            )
            records.append(Record(row.entity.encode(), encode(prediction)))
        self._contract.learn({model.name: {version.scorer.signature.schema: version.scorer.signature.features}})
        self._require_loggable(records)
        for record in records:
            self.log.add(record)
        return answers

    def _require_loggable(self, records: Sequence[Record]) -> None:
        """Refuse what Kafka or the log's reader would set aside: what is answered can be read later."""
        now = wall_clock()
        try:
            for record in records:
                require_size(*record)
                self._contract.prediction(record.value, now)
        except EventError as error:
            raise RequestError(f"the answer cannot be logged, and is not given: {error}") from error


def _answering(model: Model, request: CheckedRequest, active: ActiveVersions) -> Role:
    """The role that answers by the model's rollout; the champion's where no version of that role is loaded, or it fails."""
    try:
        role = model.rollout.answering(request.ids[0], active.roles)
        named = role in ANSWERING and role in active.by_role
    except Exception:
        logger.exception("%s: its rollout failed; the champion answers", model.name)
        return "champion"
    return role if named else "champion"


def _rows(model: Model, request: CheckedRequest, inputs: Inputs, views: Sequence[ViewFeatures]) -> list[_Scored]:
    """The rows of a request as a version scores them, with the features of its views for each row."""
    return [
        _Scored(request_id, key_of(row[model.entity]), inputs.values(row, read.features), read.degraded or inputs.degraded)
        for request_id, row, read in zip(request.ids, request.rows, views, strict=True)
    ]


def _nobody(name: str, wanted: int | None) -> str:
    """Why nobody answers."""
    if wanted is None:
        return f"{name} has no champion yet; train and promote one: `everfit train {name}`"
    return f"version {wanted} of {name} is champion and cannot be loaded: serving's log says why, `everfit doctor` what to do"
