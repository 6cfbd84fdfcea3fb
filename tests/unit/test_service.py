"""What a champion fails at: the client is told, and shadows answer along, so that the guard sees it."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from everfit.errors import NotServableError, RequestError
from everfit.serving.counters import Metrics
from everfit.serving.loaded_versions import ActiveVersions, Version
from everfit.serving.lookup import ViewFeatures
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.request_schema import CheckedRequest
from everfit.serving.service import Service
from everfit.serving.spool import Spool
from everfit.topics.events import PREDICTIONS, decode
from everfit.training.artifact import Signature
from models.electricity_price import electricity_price as model
from tests.serving import MemoryProducer

FEATURES = {name: "NSW" if kind == "category" else 0.25 for name, kind in model.features}
REQUEST = CheckedRequest("r", model.go_live, ["r"], [{"region": "NSW"}])


class Scorer:
    """Answers the same to everything."""

    def __init__(self, answer: float) -> None:
        self.signature = Signature.of(model)
        self._answer = answer

    def score_one(self, _: Mapping[str, Any]) -> float:
        return self._answer

    def score(self, frame: Any) -> Any:
        raise NotImplementedError


def answered(folder: Path, champion: float, request: CheckedRequest, expected: type[Exception] | None) -> list[tuple[int, str]]:
    """The versions and roles that are logged of a request, where version 2 is champion and version 1 its shadow."""
    active = ActiveVersions(Version(2, Scorer(champion)), shadows=(Version(1, Scorer(0.5)),))
    inputs = SimpleNamespace(readings=[], degraded=False, values=lambda *_: FEATURES)
    cache: Any = SimpleNamespace(active={model.name: active})
    views: Any = SimpleNamespace(inputs=lambda *_: inputs)
    producer = MemoryProducer()

    class Lookup:
        async def features_of(self, readings: list[object], rows: list[object], _: object) -> list[list[ViewFeatures]]:
            return [[ViewFeatures({}, degraded=False) for _ in rows] for _ in readings]

        async def close(self) -> None:
            """Nothing is held."""

    async def run() -> None:
        lookup: Any = Lookup()
        log = PredictionLog(producer, Spool(folder / "spool.jsonl"))
        service = Service({model.name: model}, cache, views, lookup, log, Metrics())
        if expected is None:
            await service.answer(model, request)
        else:
            with pytest.raises(expected):
                await service.answer(model, request)
        await service.close()

    asyncio.run(run())
    logged = [decode(PREDICTIONS, record.value) for record in producer.taken]
    return sorted((each.version, each.role) for each in logged)  # type: ignore[union-attr]


def test_shadows_answer_what_the_champion_fails_at(tmp_path: Path) -> None:
    assert answered(tmp_path, 0.7, REQUEST, None) == [(1, "shadow"), (2, "champion")]
    assert answered(tmp_path, 7.0, REQUEST, NotServableError) == [(1, "shadow")], "7 is no probability"


def test_nobody_answers_what_the_log_does_not_take(tmp_path: Path) -> None:
    ahead = CheckedRequest("r", model.go_live + timedelta(days=36_500), ["r"], REQUEST.rows)
    assert answered(tmp_path, 0.7, ahead, RequestError) == []
