"""What run monitoring is told of a run in containers, by a code server that speaks Dagster's protocol."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import dagster as dg
import grpc
import pytest
from dagster._core.launcher.base import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.__generated__ import dagster_api_pb2
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value, serialize_value

from everfit.stack.ports import LOCAL, any_free
from orchestration.server_launcher import WatchedRunLauncher

EXECUTING = "0fd5b7a2-0000-4000-8000-000000000001"
LOST = "0fd5b7a2-0000-4000-8000-000000000002"


def answer(request: Any, _: Any) -> Any:
    """The server has one run."""
    asked = deserialize_value(request.serialized_can_cancel_execution_request, CanCancelExecutionRequest)
    told = serialize_value(CanCancelExecutionResult(can_cancel=asked.run_id == EXECUTING))
    return dagster_api_pb2.CanCancelExecutionReply(serialized_can_cancel_execution_result=told)


@contextmanager
def code_server() -> Iterator[int]:
    """Its port."""
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        handler = grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=dagster_api_pb2.CanCancelExecutionRequest.FromString,
            response_serializer=dagster_api_pb2.CanCancelExecutionReply.SerializeToString,
        )
        methods = {"CanCancelExecution": handler}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("api.DagsterApi", methods),))
        port = server.add_insecure_port(f"{LOCAL}:0")
        server.start()
        try:
            yield int(port)
        finally:
            server.stop(None).wait()


def run(run_id: str, port: int) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="retraining", run_id=run_id, tags={GRPC_INFO_TAG: json.dumps({"host": LOCAL, "port": port})})


@pytest.mark.parametrize(("run_id", "status"), [(EXECUTING, WorkerStatus.RUNNING), (LOST, WorkerStatus.FAILED)])
def test_a_run_lives_while_its_code_server_has_it(run_id: str, status: WorkerStatus) -> None:
    with code_server() as port:
        assert WatchedRunLauncher().check_run_worker_health(run(run_id, port)).status == status


def test_a_code_server_that_is_away_fails_no_run() -> None:
    told = WatchedRunLauncher().check_run_worker_health(run(LOST, any_free()))
    assert (told.status, told.msg) == (WorkerStatus.RUNNING, "its code server does not answer")
