"""Weights & Biases, offline: what a run left in its files, read back by wandb's own reader."""

import builtins
import logging
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from everfit.environment.settings import Settings
from everfit.errors import SettingsError
from everfit.pipeline.chosen_trackers import chosen_trackers, own_trackers, tracker_faults
from everfit.pipeline.trackers import Dataset, TrackedRun, Trackers
from everfit.waiting import wait_until

SECRET = "hunter2-very-secret"
BLOCK, FULL, LAST = 32_768, 1, 4
LOGGER = logging.getLogger("trackers")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path, f"postgresql+psycopg://me:{SECRET}@h/d", "", "http://127.0.0.1:1", "", "", tmp_path, token=SECRET)


def records(folder: Path) -> Iterator[Any]:
    """All records of all runs, in order; wandb itself has no reader of its files in Python any more."""
    from wandb.proto import wandb_internal_pb2

    parse = vars(wandb_internal_pb2)["Record"].FromString
    for file in sorted(folder.rglob("*.wandb")):
        yield from map(parse, chunks(file.read_bytes()))


def finished(folder: Path, *, runs: int) -> list[Any]:
    """All records once so many runs have ended: the process of wandb that writes them may lag behind ours."""

    def ended(found: list[Any]) -> bool:
        return len([one for one in found if one.HasField("exit")]) >= runs

    return wait_until(lambda: list(records(folder)), ended, f"{runs} runs of wandb to end;", stall_seconds=60)


def chunks(content: bytes) -> Iterator[bytes]:
    """Records of a log of LevelDB's format (https://github.com/google/leveldb/blob/main/doc/log_format.md), after 7 bytes."""
    at, parts = 7, b""
    while at + 7 <= len(content):
        left = BLOCK - at % BLOCK
        if left < 7:
            at += left
            continue
        length, kind = struct.unpack("<HB", content[at + 4 : at + 7])
        parts += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (FULL, LAST):
            yield parts
            parts = b""


def test_runs_parameters_curves_and_artifacts_are_read_back_and_no_secret_is_there(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("EVERFIT_SERVING_TOKEN", SECRET)
    monkeypatch.setattr("sys.argv", ["everfit", SECRET])
    makers = chosen_trackers(own_trackers(settings), LOGGER, {"EVERFIT_TRACKERS": "wandb"})
    trackers = Trackers(makers, TrackedRun("r1", "price"), LOGGER)
    trackers.log_params({"mlp.epochs": 3})
    trackers.log_tags({"everfit.data_version": "abc"})
    trackers.log_dataset(Dataset("price", "abc", "file:///rows", 10, {"x": "Float64"}))
    for step, loss in enumerate([0.7, 0.5]):
        trackers.log_metrics({"mlp.loss": loss}, step)
    trackers.log_metrics({"mlp.log_loss": 0.4})
    trackers.log_document({"cores": 2}, "environment.json")
    trackers.log_plot("<svg/>", "calibration.svg")
    trackers.log_file(b"\0onnx", "candidates/mlp.onnx")
    trackers.log_trial("search 0", {"epochs": 2}, {"loss": 0.6})
    assert trackers.pages()["wandb"].startswith("file:///")
    trackers.end(failed=True)
    found = finished(tmp_path, runs=2)
    config = {key.key or ".".join(key.nested_key): key.value_json for one in found for key in one.run.config.update}
    config |= {key.key or ".".join(key.nested_key): key.value_json for one in found for key in one.config.update}
    assert (config["mlp.epochs"], config["everfit.data_version"], config["epochs"]) == ("3", '"abc"', "2")
    assert '"digest"' in config["dataset"]
    curve = [(i.nested_key[0] if i.nested_key else i.key, i.value_json) for one in found for i in one.history.item]
    assert [value for name, value in curve if name == "mlp.loss"] == ["0.7", "0.5"]
    summary = {i.key or i.nested_key[0]: i.value_json for one in found for i in one.summary.update}
    assert (summary["mlp.log_loss"], summary["loss"]) == ("0.4", "0.6")
    artifacts = {one.request.log_artifact.artifact.name or one.artifact.name for one in found}
    assert {"r1-environment", "r1-calibration"} <= artifacts
    assert sorted({one.exit.exit_code for one in found if one.HasField("exit")}) == [0, 1]
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert SECRET.encode() not in written


def test_an_unknown_tracker_is_told_with_those_that_there_are(settings: Settings) -> None:
    named = {"EVERFIT_TRACKERS": "mlflow,wanbd"}
    told = "EVERFIT_TRACKERS names 'wanbd', which is no tracker; there are mlflow, wandb: install its package, or name others"
    with pytest.raises(SettingsError, match=told):
        chosen_trackers(own_trackers(settings), LOGGER, named)
    assert tracker_faults(named) == [told]
    assert list(chosen_trackers(own_trackers(settings), LOGGER, {})) == ["mlflow"]


def test_without_the_package_it_is_told_what_to_install_and_the_run_goes_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name == "wandb":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    makers = chosen_trackers(own_trackers(settings), LOGGER, {"EVERFIT_TRACKERS": "wandb"})
    Trackers(makers, TrackedRun("r1", "m"), LOGGER).log_params({"depth": 3})
    assert caplog.messages == [
        "tracker wandb fails at begin: wandb is not installed: pip install 'everfit[wandb]', or change EVERFIT_TRACKERS; "
        "the run goes on"
    ]
