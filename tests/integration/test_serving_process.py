"""``python -m everfit.serving`` as a process: it takes up what an earlier one left, and ends when it is told to."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from everfit.stack.ports import LOCAL, any_free
from everfit.topics.events import PREDICTIONS, encode
from everfit.waiting import wait_until
from tests.events import prediction
from tests.serving_over_http import logged

STARTED_SECONDS = 30.0
ENDED_SECONDS = 15.0


@pytest.fixture
def left_behind(home: Path) -> list[bytes]:
    """Predictions that an earlier process could not send, in the spool."""
    lines = [encode(prediction(number)) for number in range(3)]
    spool = home / "spool" / f"{PREDICTIONS}.jsonl"
    spool.parent.mkdir(parents=True)
    spool.write_bytes(b"".join(line + b"\n" for line in lines))
    return lines


@pytest.fixture
def process(database_url: str, kafka: str, left_behind: list[bytes]) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """URL and process of serving, where no MLflow answers."""
    port = any_free()
    addresses = {
        "EVERFIT_DATABASE_URL": database_url,
        "EVERFIT_KAFKA_BOOTSTRAP": kafka,
        "MLFLOW_TRACKING_URI": f"http://{LOCAL}:1",
        "EVERFIT_SERVING_URL": f"http://{LOCAL}:{port}",
        "EVERFIT_DAGSTER_URL": f"http://{LOCAL}:1",
    }
    command = [sys.executable, "-m", "everfit.serving", "--host", LOCAL, "--port", str(port)]
    started = subprocess.Popen(command, env={**os.environ, **addresses})
    yield addresses["EVERFIT_SERVING_URL"], started
    started.kill()
    started.wait()


def await_live(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Return when it answers."""
    deadline = time.monotonic() + STARTED_SECONDS
    while True:
        try:
            assert httpx.get(f"{url}/v2/health/live", trust_env=False).status_code == 200
        except httpx.TransportError:
            assert process.poll() is None, "serving ended"
            assert time.monotonic() < deadline, f"serving does not answer at {url}"
            time.sleep(0.05)
        else:
            return


def test_it_sends_what_was_left_and_ends_when_told(
    process: tuple[str, "subprocess.Popen[bytes]"], kafka: str, left_behind: list[bytes]
) -> None:
    url, serving = process
    await_live(url, serving)
    httpx.post(f"{url}/flush", trust_env=False, timeout=30).raise_for_status()
    assert [encode(row) for row in logged(kafka, 3)] == left_behind
    ready = f"{url}/v2/health/ready"
    wait_until(
        lambda: httpx.get(ready, trust_env=False), lambda answer: answer.is_success, "the ledger, which names no champion"
    )
    serving.send_signal(signal.SIGTERM)
    assert serving.wait(ENDED_SECONDS) in (0, -signal.SIGTERM)


def test_where_nothing_is_up_it_says_so() -> None:
    ended = subprocess.run([sys.executable, "-m", "everfit.serving"], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("everfit.serving: everfit is not up in ")
