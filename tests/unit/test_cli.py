"""The command line: light, and an error is one message."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ["torch", "mlflow", "dagster", "evidently", "sklearn", "polars", "sqlalchemy", "kafka", "pandas", "numpy"]


def everfit(*arguments: str, folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run the command as a person would."""
    command = [sys.executable, "-m", "everfit.cli.main", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_help_names_the_commands() -> None:
    answer = everfit("--help")
    assert answer.returncode == 0
    for command in ("up", "down", "status", "doctor", "drill"):
        assert command in answer.stdout


def test_nothing_heavy_is_imported_before_a_command_runs() -> None:
    code = f"import sys, everfit.cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_an_error_is_one_message_and_no_traceback(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERFIT_DAGSTER_PORT", "x")
    answer = everfit("up")
    assert answer.returncode == 1
    assert answer.stderr.strip() == "error: EVERFIT_DAGSTER_PORT='x' is no port; set a number from 1 to 65535, or unset it"
    assert not (home / "postgres").exists()


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EVERFIT_HOME", str(tmp_path / "file"))
    for command in ("up", "down"):
        answer = everfit(command)
        assert answer.returncode == 1
        assert answer.stderr.startswith(
            f"error: {tmp_path}/file/run cannot be written: Not a directory; make room, let this user"
        )


def test_promote_says_what_it_wants(home: Path) -> None:
    for arguments in ([], ["3", "--restore"]):
        answer = everfit("promote", "electricity_price", *arguments)
        assert (answer.returncode, answer.stdout) == (1, "")
        assert answer.stderr.strip() == (
            "error: give either a version or --restore: `everfit promote electricity_price 3`, "
            "`everfit promote electricity_price --restore`"
        )
    assert "everfit promote electricity_price --restore" in " ".join(everfit("promote", "--help").stdout.split())


def test_down_where_nothing_was_ever_up(home: Path) -> None:
    answer = everfit("down")
    assert (answer.returncode, answer.stdout) == (0, f"nothing was ever up in {home}\n")
    assert not home.exists()


def test_status_of_nothing(home: Path) -> None:
    told = json.loads(everfit("status", "--json").stdout)
    assert told["up"] is False
    assert {service["state"] for service in told["services"]} == {"down"}
    assert "dagster" in everfit("status").stdout


def test_drills_are_listed_and_one_that_is_unknown_is_refused() -> None:
    assert "consumer-kill" in everfit("drill").stdout
    assert "consumer-kill" in [one["name"] for one in json.loads(everfit("drill", "--json").stdout)["drills"]]
    refused = everfit("drill", "unheard-of")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: no drill 'unheard-of'; there are consumer-kill")


def test_doctor_finds_nothing_wrong_with_a_stack_that_is_down() -> None:
    answer = everfit("doctor", "--json")
    assert answer.returncode == 0, answer.stdout
    document = json.loads(answer.stdout)
    assert document["ok"] is True
    assert {tuple(check) for check in document["checks"]} == {("name", "found", "todo", "ok")}


def test_doctor_tells_a_malformed_declaration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERFIT_MODELS", "mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text("")
    (tmp_path / "mine" / "broken.py").write_text("from everfit import Gate\nGate(folds=0)\n")
    answer = everfit("doctor", folder=tmp_path)
    assert answer.returncode == 1
    assert "gate: folds" in answer.stdout.lower()
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("variable", "todo"),
    [("EVERFIT_DATABASE_URL", "write postgresql+psycopg://"), ("EVERFIT_SERVING_PORT", "set a number from 1 to 65535")],
)
def test_doctor_says_what_to_do_about_a_variable(variable: str, todo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "elsewhere")
    answer = everfit("doctor")
    assert answer.returncode == 1
    assert f"WRONG environment: {variable}='elsewhere' is no" in answer.stdout
    assert todo in answer.stdout


@pytest.mark.parametrize("place", ["everfit.outcomes", ":0", "everfit.outcomes:-1"])
def test_what_is_no_partition_is_not_skipped(place: str) -> None:
    answer = everfit("ingest", "--skip", place)
    assert answer.returncode == 2
    assert "TOPIC:PARTITION" in answer.stderr


PUMPS = """
from tests.unit.test_review import made, readings

pump_stop = made(readings(), go_live="{go_live}")
"""


def test_check_fails_on_errors_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERFIT_MODELS", "pumps")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "pumps").mkdir()
    (tmp_path / "pumps" / "__init__.py").touch()
    for go_live, exit_code in (("2026-01-01", 0), ("2025-01-01", 1)):
        (tmp_path / "pumps" / "pump.py").write_text(PUMPS.format(go_live=go_live))
        answer = everfit("check", "pump_stop", "--json", folder=tmp_path)
        (seen,) = json.loads(answer.stdout)["models"]
        assert (answer.returncode, seen["model"]) == (exit_code, "pump_stop")
        assert "go_live" in [remark[1] for remark in seen["remarks"]]
