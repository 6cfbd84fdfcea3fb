"""An idle tick of the one sensor over N models that share a topic: everything read before, nothing new, on real services."""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef
from kafka import KafkaProducer

from benchmarks import _models
from everfit.environment.settings import Settings
from everfit.runtime import Runtime
from everfit.sources.publication import publish
from everfit.stack import ports
from everfit.stack.supervisor import Stack
from everfit.timing import parse_time
from everfit.topics.events import PREDICTIONS, Prediction, encode

TICKS = 7


def measure() -> dict[str, float]:
    """``idle_tick_ms_1`` and ``idle_tick_ms_100``: medians of what the daemon would wait for, milliseconds."""
    return {f"idle_tick_ms_{count}": _idle_ms(count) for count in (1, 100)}


def _idle_ms(count: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        _models.write(Path(folder) / "project", count)
        sys.path.insert(0, str(Path(folder) / "project"))
        stack = Stack(Path(folder) / "home", names=("postgres", "broker"), environ=_free_ports())
        try:
            return _measured(stack, stack.up())
        finally:
            stack.down()
            sys.path.pop(0)
            for name in [name for name in sys.modules if name.partition(".")[0] == _models.PACKAGE]:
                del sys.modules[name]


def _measured(stack: Stack, told: dict[str, str]) -> float:
    from orchestration.definitions import build
    from orchestration.sensors import prediction_log

    os.environ["EVERFIT_MODELS"] = _models.PACKAGE
    repository = build().get_repository_def()
    nobody = "http://127.0.0.1:1"
    settings = Settings(
        stack.home, told["database_url"], told["kafka"], nobody, nobody, nobody, Path(told["lake"]), _models.PACKAGE
    )
    with Runtime(settings) as runtime:
        _fill(runtime)
        instance = dg.DagsterInstance.from_ref(_instance(stack))

        def tick() -> float:
            began = time.perf_counter()
            context = dg.build_sensor_context(instance, repository_def=repository, resources={"everfit": runtime})
            result = prediction_log.evaluate_tick(context)
            seconds = time.perf_counter() - began
            for added in result.dynamic_partitions_requests or ():
                instance.add_dynamic_partitions(added.partitions_def_name, list(added.partition_keys))
            return seconds

        tick(), tick()  # reads what was sent, and adds the days that have landed
        measured = statistics.median(tick() for _ in range(TICKS))
        instance.dispose()
    return 1_000 * measured


def _fill(runtime: Runtime) -> None:
    """Land two days of the source, and log one prediction of each model, so that each has a clock."""
    hours = [{"at": parse_time(f"2024-01-0{1 + hour // 24}T{hour % 24:02}:00:00Z"), "place": "here"} for hour in range(48)]
    rows = [hour | {"wind": float(number), "late": number % 2} for number, hour in enumerate(hours)]
    publish(runtime.engine, runtime.models, "ticks", rows)
    producer = KafkaProducer(bootstrap_servers=runtime.settings.kafka, acks="all")
    for name, model in runtime.models.items():
        event = Prediction(
            request_id=f"r-{name}",
            model=name,
            version=1,
            role="champion",
            entity="here",
            event_time=parse_time("2024-01-03T12:00:00Z"),
            features={"place": "here", "wind": 1.0},
            score=0.5,
            schema=model.schema_id,
        )
        producer.send(PREDICTIONS, key=b"here", value=encode(event))
    producer.close()


def _instance(stack: Stack) -> InstanceRef:
    from everfit.stack.dagster_home import write_dagster_home

    home = write_dagster_home(stack.home, stack.postgres.url("dagster", "psycopg2"), ports.any_free())
    return InstanceRef.from_dir(str(home))


def _free_ports() -> dict[str, str]:
    return {**os.environ, **{variable: str(ports.any_free()) for variable in ports.VARIABLES.values()}}
