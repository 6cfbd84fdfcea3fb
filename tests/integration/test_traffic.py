"""Under 30 requests a second none fails, whatever is promoted, taken back, broken or away; and nothing answered is lost."""

import gc
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from everfit.declaration.rollouts import Stage
from everfit.errors import StaleChampionError
from everfit.serving import lookup
from everfit.serving.app import create_app
from everfit.serving.counters import Metrics
from everfit.serving.lookup import Lookup
from everfit.serving.model_cache import ModelCache
from everfit.serving.prediction_log import PredictionLog
from everfit.serving.producer import KafkaLogProducer
from everfit.serving.served_views import Views
from everfit.serving.service import Service
from everfit.serving.spool import Spool
from everfit.serving.version_source import LedgerVersions
from everfit.stack.ports import LOCAL, any_free
from everfit.store import ledger, rollouts
from everfit.store.lake import Lake
from everfit.topics.events import PREDICTIONS
from everfit.training.native_process import START_SECONDS
from models.electricity_price import electricity_price
from tests.brokers import running_broker
from tests.integration.test_serving_outages import admit  # noqa: F401
from tests.native import faulty_artifact
from tests.serving import WatchedRegistry, served
from tests.serving_over_http import INPUTS, MODELS, NAME
from tests.traffic import Traffic, traffic

AT = electricity_price.go_live


@dataclass
class Deployment:
    """Serving by the ledger of a test's database, under traffic; ``half_hour`` is what the requests say."""

    engine: sa.Engine
    cache: ModelCache
    url: str
    half_hour: int = 0

    def promote(self, action: ledger.Action, before: int | None, version: int) -> None:
        """Enter a promotion or a rollback in the ledger, if the version before is champion."""
        detail = {"manifest": "none", "trained_until": AT.isoformat(), "version": version}
        entry = ledger.Entry(NAME, action, before, version, "test", "drift", "as the test wants it", None, AT, detail)
        with self.engine.begin() as connection:
            ledger.replace_champion(connection, entry)

    def challenge(self, version: int, *shares: float) -> rollouts.Rollout:
        """Begin the rollout of a version by a canary on weekdays."""
        stages = [Stage(kind="canary", seconds=86_400, share=share, unit="weekday") for share in shares]
        rollout = rollouts.Rollout(rollouts.rollout_id(NAME, version, AT), NAME, version, 1, stages, 0, AT)
        self.end_rollouts()
        with self.engine.begin() as connection:
            rollouts.add(connection, rollout)
        return rollout

    def end_rollouts(self) -> None:
        """Leave the champion alone."""
        with self.engine.begin() as connection:
            for rollout in rollouts.of_model(connection, NAME):
                rollouts.update(connection, rollout, "superseded")

    def figure(self, name: str) -> str:
        """The lines of a metric."""
        shown = httpx.get(f"{self.url}/metrics", trust_env=False).text
        return "\n".join(line for line in shown.splitlines() if line.startswith(name))

    def await_figure(self, line: str) -> None:
        """Return when /metrics shows what begins so."""
        deadline = time.monotonic() + 10
        while not self.figure(line):
            assert time.monotonic() < deadline, f"no {line} in:\n{self.figure('everfit_')}"
            time.sleep(0.05)


@pytest.fixture
def broker() -> Iterator[tuple[int, ExitStack]]:
    """The port of a broker that is away, and where one that is started ends after serving."""
    with ExitStack() as stack:
        yield any_free(), stack


@pytest.fixture
def deployed(
    engine: sa.Engine, registry: WatchedRegistry, broker: tuple[int, ExitStack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    """Version 1 is champion; no broker answers."""
    monkeypatch.setattr(lookup, "RETRY_SECONDS", 0.0)
    registry.assign({})
    registry.artifacts[NAME, 6] = faulty_artifact(electricity_price, "half_hour")
    producer = KafkaLogProducer(f"{LOCAL}:{broker[0]}", PREDICTIONS, timeout_seconds=2)
    log = PredictionLog(producer, Spool(tmp_path / "spool.jsonl"))
    views = Views(MODELS, engine)
    versions = LedgerVersions(engine, registry, Lake(tmp_path / "lake"))
    versions.fetch = registry.fetch  # type: ignore[method-assign] # without manifests in the lake
    cache = ModelCache(MODELS, versions, views.remember)
    service = Service(MODELS, cache, views, Lookup(engine), log, Metrics())
    with served(create_app(service, Lake(tmp_path / "lake"))) as url:
        deployment = Deployment(engine, cache, url)
        deployment.promote("promoted", None, 1)
        httpx.post(f"{url}/refresh/{NAME}", trust_env=False).raise_for_status()
        yield deployment


def test_no_request_fails(
    deployed: Deployment,
    registry: WatchedRegistry,
    broker: tuple[int, ExitStack],
    admit: Callable[[bool], None],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def body(number: int) -> dict[str, Any]:
        inputs = INPUTS | {"weekday": number % 7, "half_hour": deployed.half_hour}
        return {"request_id": f"r{number}", "inputs": inputs}

    with traffic(deployed.url, body) as asked:
        _promote_and_roll_back(deployed, registry, asked)
        _two_at_once(deployed, asked)
        _change_shares(deployed, asked)
        _break_challengers(deployed, registry, asked, monkeypatch)
        registry.away = True
        deployed.engine.dispose()
        admit(False)
        time.sleep(2)
        admit(True)
        registry.away = False
        deployed.promote("promoted", 2, 3)
        asked.await_version(3)
    assert asked.failed == []
    assert max(one.seconds for one in asked.asked) < 5
    port, stack = broker
    stack.enter_context(running_broker(port))
    told = httpx.post(f"{deployed.url}/flush", trust_env=False, timeout=30).json()
    shown = httpx.get(f"{deployed.url}/metrics", trust_env=False).text
    compared = sum(int(count) for count in re.findall(r'everfit_answers_total{.*role="challenger".*} (\d+)', shown))
    assert compared > 0
    logged = len(asked.asked) + compared  # the champion answers a challenger's requests along, too
    assert told["acknowledged"] == logged, "Kafka was away all the time; each answer is logged once"
    gc.collect()  # kafka-python leaves to it the sockets that were refused


def _promote_and_roll_back(deployed: Deployment, registry: WatchedRegistry, asked: Traffic) -> None:
    deployed.promote("promoted", 1, 2)
    asked.await_version(2)
    fetched = list(registry.fetched)
    registry.away = True
    deployed.promote("rolled_back", 2, 1)
    assert asked.await_version(1) < 5
    assert registry.fetched == fetched, "the version before is still loaded, MLflow or not"
    registry.away = False


def _two_at_once(deployed: Deployment, asked: Traffic) -> None:
    """Two promotions over the same champion: one wins, the other is told."""

    def promote(version: int) -> int:
        try:
            deployed.promote("promoted", 1, version)
        except StaleChampionError:
            return 0
        return version

    with ThreadPoolExecutor(2) as pool:
        won = sorted(pool.map(promote, (2, 3)))
    assert won[0] == 0
    asked.await_version(won[1])
    if won[1] != 2:
        deployed.promote("promoted", won[1], 2)
        asked.await_version(2)


def _change_shares(deployed: Deployment, asked: Traffic) -> None:
    rollout = deployed.challenge(4, 0.3, 1.0)
    asked.await_version(4)
    asked.await_version(2)
    with deployed.engine.begin() as connection:
        rollouts.update(connection, rollout, "running", step=1)
    deployed.await_figure(f'everfit_challenger_share{{model="{NAME}"}} 1.0')
    seen = len(asked.asked) + 30
    while len(asked.asked) < seen + 10:
        time.sleep(0.05)
    assert {one.version for one in asked.asked[seen:]} == {4}


def _break_challengers(
    deployed: Deployment, registry: WatchedRegistry, asked: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No graph; too large; one whose process dies, and hangs: the champion answers."""
    deployed.challenge(9, 1.0)
    asked.await_version(2)
    with monkeypatch.context() as small:
        small.setattr("everfit.serving.model_cache.psutil.virtual_memory", lambda: SimpleNamespace(available=1))
        deployed.challenge(5, 1.0)
        while 5 not in registry.fetched:
            time.sleep(0.05)
        asked.await_version(2)
    deployed.challenge(6, 1.0)
    asked.await_version(6, START_SECONDS)  # a process of its own has to start
    deployed.half_hour = 1
    asked.await_version(2)
    deployed.await_figure(f'everfit_stand_ins_total{{model="{NAME}",role="challenger",version="6",cause="failed"}}')
    deployed.half_hour = 2
    deployed.await_figure(f'everfit_stand_ins_total{{model="{NAME}",role="challenger",version="6",cause="slow"}}')
    deployed.half_hour = 0
    deployed.end_rollouts()
