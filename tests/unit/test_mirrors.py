"""Shadows answer along in order; one that lags loses requests, which are counted, and one that fails stops nobody."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from everfit.errors import ServiceError
from everfit.serving import mirrors
from everfit.serving.challenger_trial import ChallengerTrial
from everfit.serving.counters import Counter, Metrics
from everfit.serving.exposures import Exposure, ExposureLog, Row
from everfit.serving.loaded_versions import Version
from everfit.serving.mirrors import Mirrors
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.spool import Spool
from everfit.training.artifact import Signature
from models.electricity_price import electricity_price
from tests.serving import MemoryProducer

MODEL = electricity_price
FEATURES: dict[str, Any] = {name: "NSW" if kind == "category" else 0.25 for name, kind in MODEL.features}


class Held:
    """Answers 0.5 once ``go_on`` is set; 2.0, which is no probability, where the half-hour is 1."""

    def __init__(self) -> None:
        self.signature = Signature.of(MODEL)
        self.go_on = threading.Event()

    def score_one(self, features: Any) -> float:
        assert self.go_on.wait(10)
        return 2.0 if features["half_hour"] == 1 else 0.5

    def score(self, frame: Any) -> Any:
        raise NotImplementedError


class Side:
    """A log in memory, its figures, and a version that is held."""

    def __init__(self, folder: Path) -> None:
        self.producer, self.metrics, self.scorer = MemoryProducer(), Metrics(), Held()
        self.log = PredictionLog(self.producer, Spool(folder / "spool.jsonl"))
        self.exposures = ExposureLog({MODEL.name: MODEL}, self.log, self.metrics)
        self.version = Version(2, self.scorer)

    def exposure(self, number: int, role: Any = "shadow", half_hour: float = 0.0) -> Exposure:
        """One row."""
        row = Row(f"r{number}", "NSW", FEATURES | {"half_hour": half_hour}, False)
        return Exposure(MODEL, role, self.version, MODEL.go_live, [row])

    def count(self, counter: Counter) -> float:
        """What was counted in all."""
        return sum(value for _, _, value in counter.samples())


@pytest.fixture
def side(tmp_path: Path) -> Side:
    return Side(tmp_path)


def test_a_shadow_that_lags_gets_no_more_than_may_wait_and_the_others_are_logged(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirrors, "WAITING_ROWS", 5)

    async def run() -> None:
        shadows = Mirrors(side.exposures, side.metrics)
        for number in range(8):
            shadows.offer(side.exposure(number, half_hour=float(number == 3)))
        side.scorer.go_on.set()
        await shadows.settled()

    asyncio.run(run())
    side.log.close()
    assert side.count(side.metrics.dropped) == 3
    assert (side.count(side.metrics.failures), side.count(side.metrics.out_of_range)) == (1, 1)
    assert [number for number in range(8) if f'"r{number}"'.encode() in b"".join(r.value for r in side.producer.taken)] == [
        0,
        1,
        2,
        4,
    ]


def test_what_waits_too_long_is_dropped_and_a_shadow_that_hangs_is_told(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirrors, "WAITING_SECONDS", -1.0)
    monkeypatch.setattr(mirrors, "SETTLE_SECONDS", 0.05)

    async def run() -> None:
        shadows = Mirrors(side.exposures, side.metrics)
        shadows.offer(side.exposure(0))
        await shadows.settled()
        assert side.count(side.metrics.dropped) == 1
        monkeypatch.setattr(mirrors, "WAITING_SECONDS", 30.0)
        shadows.offer(side.exposure(1))
        with pytest.raises(ServiceError, match=r"shadows have not answered all that they were given in 0\.05 s"):
            await shadows.settled()
        side.scorer.go_on.set()
        monkeypatch.setattr(mirrors, "SETTLE_SECONDS", 10.0)
        await shadows.settled()

    asyncio.run(run())
    side.log.close()
    assert len(side.producer.taken) == 1


def test_a_slow_challenger_is_answered_for_and_then_rests(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("everfit.serving.challenger_trial.ANSWER_SECONDS", 0.05)

    async def run() -> list[bool]:
        trial = ChallengerTrial(side.exposures, side.metrics)
        slow = await trial.answers(side.exposure(0, "challenger"))
        side.scorer.go_on.set()
        rested = await trial.answers(side.exposure(1, "challenger"))
        monkeypatch.setattr("everfit.serving.challenger_trial.ANSWER_SECONDS", 10.0)
        again = ChallengerTrial(side.exposures, side.metrics)
        wrong = await again.answers(side.exposure(2, "challenger", half_hour=1.0))
        return [given is None for given in (slow, rested, wrong, await again.answers(side.exposure(3, "challenger")))]

    assert asyncio.run(run()) == [True, True, True, False]
    side.log.close()
    causes = {dict(labels)["cause"]: value for _, labels, value in side.metrics.stand_ins.samples()}
    assert causes == {"slow": 1, "rest": 1, "failed": 1}
