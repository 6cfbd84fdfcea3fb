"""Dagster's home folder: where its instance keeps its state, and the address of the code server.

These settings are of the embedded stack. JSON is valid YAML; the keys are explained at
https://docs.dagster.io/deployment/oss/oss-instance-configuration
"""

import json
from pathlib import Path
from typing import Any

from everfit.dagster_api.names import LAUNCHER, LAUNCHER_CLASS, LOCATION


def write_dagster_home(home: Path, database_url: str, code_port: int) -> Path:
    """Write ``dagster.yaml`` and ``workspace.yaml`` under ``home``; returns the folder, for ``DAGSTER_HOME``."""
    folder = home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dagster.yaml").write_text(json.dumps(_instance(folder, database_url), indent=2))
    (folder / "workspace.yaml").write_text(json.dumps(_workspace(code_port), indent=2))
    return folder


def _instance(folder: Path, database_url: str) -> dict[str, Any]:
    return {
        "storage": {"postgres": {"postgres_url": database_url}},
        "local_artifact_storage": {
            "module": "dagster._core.storage.root",
            "class": "LocalArtifactStorage",
            "config": {"base_dir": str(folder / "storage")},
        },
        "compute_logs": {
            "module": "dagster._core.storage.local_compute_log_manager",
            "class": "LocalComputeLogManager",
            "config": {"base_dir": str(folder / "compute_logs")},
        },
        "run_coordinator": {
            "module": "dagster._core.run_coordinator",
            "class": "QueuedRunCoordinator",
            "config": {"dequeue_interval_seconds": 1},
        },
        "run_launcher": {"module": LAUNCHER, "class": LAUNCHER_CLASS},
        "concurrency": {"runs": {"max_concurrent_runs": 3}, "pools": {"granularity": "run"}},
        "run_monitoring": {"enabled": True, "start_timeout_seconds": 180, "poll_interval_seconds": 10},
        "sensors": {"use_threads": True, "num_workers": 2},
        "retention": {
            "sensor": {"purge_after_days": {"skipped": 2, "success": 30, "failure": 30, "started": 30}},
            "schedule": {"purge_after_days": 30},
        },
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
    }


def _workspace(code_port: int) -> dict[str, Any]:
    server = {"host": "127.0.0.1", "port": code_port, "location_name": LOCATION}
    return {"load_from": [{"grpc_server": server}]}
