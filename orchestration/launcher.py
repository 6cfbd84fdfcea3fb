"""The run launcher of the embedded stack: a run is a fork of a process that has loaded the definitions.

Dagster's default launcher starts a new Python for each run, which costs two seconds of imports before the first step. This
launcher is part of the daemon, on the machine of the runs. It notices a worker that died by its process.
"""

import multiprocessing
import signal
from collections.abc import Mapping
from typing import Any, Self

import dagster as dg
import psutil
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass
from dagster._serdes.config_class import ConfigurableClassData

from everfit.dagster_api.names import DEFINITIONS

WORKER_TAG = "everfit/worker"  # pid:start, of the process that executes the run
PRELOADED = [
    "dagster._cli.api",
    "dagster_postgres",
    "sqlalchemy.dialects.postgresql.psycopg2",
    DEFINITIONS,
    "polars",  # imported, not used: its threads start with the first query, in the fork
    "everfit.features.labelled_rows",
    "everfit.features.offline",
    "everfit.pipeline.daily_partitions",
    "everfit.pipeline.data_versions",
]


class PreloadedRunLauncher(RunLauncher[dg.DagsterInstance], ConfigurableClass):
    """Launches runs as forks of a server that imports the definitions at the first launch."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._workers = multiprocessing.get_context("forkserver")
        self._workers.set_forkserver_preload(PRELOADED)
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """Where the instance's configuration names this class."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing to configure."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """As the instance builds it."""
        return cls(inst_data=inst_data, **config_value)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the worker, and record its process on the run."""
        run = context.dagster_run
        assert context.job_code_origin is not None, "a run of a code location always names its code"
        arguments = ExecuteRunArgs(context.job_code_origin, run.run_id, self._instance.get_ref()).get_command_args()
        worker = self._workers.Process(target=execute, args=(arguments[-1],), name=f"run {run.run_id}")
        worker.start()
        assert worker.pid is not None
        self._instance.add_run_tags(run.run_id, {WORKER_TAG: mark(worker.pid)})

    def terminate(self, run_id: str) -> bool:
        """Signal the worker to stop; False where there is none."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        worker = alive(run.tags.get(WORKER_TAG))
        if worker is None:
            return False
        worker.send_signal(signal.SIGTERM)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """True: run monitoring checks the worker."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the run's process is alive."""
        if alive(run.tags.get(WORKER_TAG)):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "its process is gone, killed or lost with the machine")


def execute(serialized_arguments: str) -> None:
    """Run a worker: Dagster's own command."""
    from dagster._cli.api import execute_run_command

    execute_run_command.main(args=[serialized_arguments], standalone_mode=False)


def mark(pid: int) -> str:
    """A process by its pid and start time, as a pid alone may belong to another process later."""
    try:
        return f"{pid}:{psutil.Process(pid).create_time():.2f}"
    except psutil.NoSuchProcess:
        return f"{pid}:0"


def alive(worker: str | None) -> psutil.Process | None:
    """The process of a mark if it still runs."""
    if worker is None:
        return None
    pid = int(worker.partition(":")[0])
    try:
        process = psutil.Process(pid)
        return process if mark(pid) == worker and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None
