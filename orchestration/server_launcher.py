"""The run launcher for containers: Dagster's default launcher, which also notices runs whose process is gone.

It starts a run in the code location's container. The code server there fails a run whose process dies, but not a run that died
with the server: that would count as started for ever, and keep its pool. So run monitoring asks the server for its runs.
"""

import json

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value


class WatchedRunLauncher(DefaultRunLauncher):
    """Launches runs as processes of the code server; a run that the server does not have any more has failed."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """True: run monitoring checks the run."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether its code server has it; a server that does not answer is checked again the next time."""
        server = DagsterGrpcClient(**json.loads(run.tags[GRPC_INFO_TAG]))
        try:
            answer = server.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        except DagsterUserCodeUnreachableError:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "its code server does not answer")
        if deserialize_value(answer, CanCancelExecutionResult).can_cancel:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "its process ended with the code server that started it")
