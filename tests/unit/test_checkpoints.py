"""A fit that is killed goes on at its last checkpoint, and ends as one that was not; what does not fit is set aside."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

from everfit import BinaryClassification, FitContext, TorchMLP
from everfit.training.checkpoint import Checkpoint
from everfit.training.early_stopping import EarlyStopping
from everfit.training.epochs import Epochs

N = 200
RANDOM = np.random.default_rng(5)
ROWS = pl.DataFrame({"number": RANDOM.normal(size=N), "letter": RANDOM.choice(["a", "b"], N)})
LABELS = (ROWS["number"].to_numpy() > RANDOM.normal(size=N)).astype(float)
RECIPE = TorchMLP(hidden=(4,), epochs=3, batch_rows=32)  # 21 steps
STEPS = 21
DRAWN = sorted(RANDOM.choice(np.arange(1, STEPS + 1), 10, replace=False).tolist())


class Killed(BaseException):
    """Stands for a signal that ends the process."""


def context(folder: Path | None = None, **fields: Any) -> FitContext:
    given: dict[str, Any] = {"labels": LABELS, "seed": 3} | fields
    features: Any = [("number", "number"), ("letter", "category")]
    return FitContext(task=BinaryClassification(label="late"), features=features, checkpoints=folder, **given)


def killed_at(step: int, steps: list[int] | None = None) -> Callable[..., None]:
    def report(done: int, of: int, loss: float | None = None) -> None:
        assert (of, loss is not None) == (STEPS, True)
        if steps is not None:
            steps.append(done)
        if done == step:
            raise Killed

    return report


def weights(fitted: Any) -> list[bytes]:
    return [value.numpy().tobytes() for value in fitted.network.state_dict().values()]


UNBROKEN = weights(RECIPE.fit(ROWS, context()))


@pytest.mark.parametrize("seconds", [None, 0.0], ids=["each epoch", "each step"])
def test_killed_at_drawn_moments_a_fit_ends_with_the_same_bits(seconds: float | None, tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"checkpoint_seconds": seconds})
    first = []
    for step in DRAWN:
        steps: list[int] = []
        with pytest.raises(Killed):
            recipe.fit(ROWS, context(tmp_path, report=killed_at(step, steps)))
        first.append(steps[0])
    assert weights(recipe.fit(ROWS, context(tmp_path))) == UNBROKEN
    every = 7 if seconds is None else 1
    assert first == [1, *(1 + step // every * every for step in DRAWN[:-1])]  # nothing is done again that was saved


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.unit.test_checkpoints import RECIPE, ROWS, context

def report(done, of, loss=None):
    if done == 12:
        os.kill(os.getpid(), signal.SIGKILL)

RECIPE.fit(ROWS, context(Path(sys.argv[1]), report=report))
"""


def test_a_process_that_is_killed_leaves_what_the_next_goes_on_from(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", KILLED, tmp_path], capture_output=True, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr.decode()
    steps: list[int] = []
    made = RECIPE.fit(ROWS, context(tmp_path, report=lambda done, *_: steps.append(done)))
    assert steps[0] == 8
    assert weights(made) == UNBROKEN
    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".json", ".safetensors"]


class Everything:
    """A training with all that a checkpoint holds: dropout, statistics of batches, momentum, schedule, early stopping."""

    def __init__(self, folder: Path | None, step: int | None = None) -> None:
        torch.manual_seed(1)
        inputs, labels = torch.randn(60, 3), torch.randn(60, 1)
        self.module = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 1))
        self.tails: list[float] = []
        torch.manual_seed(2)
        Epochs(
            module=self.module,
            optimizer=torch.optim.SGD(self.module.parameters(), lr=0.02, momentum=0.9),
            loss_of=lambda rows: ((self.module(inputs[rows]) - labels[rows]) ** 2).mean(),
            rows=50,
            epochs=20,
            batch_rows=20,
            generator=torch.Generator().manual_seed(0),
            schedule=lambda done: 1 - done,
            stopping=EarlyStopping(lambda: self.tail(inputs[50:], labels[50:]), patience=3),
            checkpoint=Checkpoint(folder, {}) if folder else None,
            checkpoint_seconds=0.0,
            report=killed_by(step),
        ).run()

    def tail(self, inputs: Any, labels: Any) -> float:
        self.module.eval()
        with torch.no_grad():
            self.tails.append(float(((self.module(inputs) - labels) ** 2).mean()))
        self.module.train()
        return self.tails[-1]


def killed_by(step: int | None) -> Callable[..., None]:
    def report(done: int, of: int, loss: float | None = None) -> None:
        if done == step:
            raise Killed(of, loss)

    return report


def test_dropout_schedule_moments_and_early_stopping_go_on_where_they_were(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    whole = Everything(None)
    for step in (2, 3, 7, 11):
        with pytest.raises(Killed):
            Everything(tmp_path, step)
    resumed = Everything(tmp_path)
    assert len(whole.tails) < 20, "it is stopped early"
    assert resumed.tails == whole.tails[3:]
    for name, value in whole.module.state_dict().items():
        assert torch.equal(value, resumed.module.state_dict()[name]), name
    torch.set_rng_state(before)


def altered(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def alter(folder: Path) -> None:
        file = next(folder.glob(name))
        file.write_bytes(change(file.read_bytes()))

    return alter


@pytest.mark.parametrize(
    ("alter", "fields", "why"),
    [
        (altered("*.safetensors", lambda content: content[:-4]), {}, "is not whole: weights-.* has the SHA-256"),
        (altered("*.json", lambda content: content[:9]), {}, r"is not whole: checkpoint\.json"),
        (lambda folder: next(folder.glob("*.safetensors")).unlink(), {}, "is not whole: .*No such file"),
        (lambda _: None, {"labels": 1 - LABELS}, "is of another fit: arrays was"),
        (lambda _: None, {"weights": LABELS + 1}, "is of another fit: arrays was"),
        (lambda _: None, {"seed": 4}, "is of another fit: seed was 3, and is 4"),
        (
            altered("*.json", lambda content: content.replace(torch.__version__.encode(), b"1.0")),
            {},
            "is of another fit: torch was 1.0",
        ),
    ],
    ids=["cut", "no JSON", "missing", "labels", "weights", "seed", "torch"],
)
def test_what_does_not_fit_is_set_aside_and_the_fit_starts_anew(
    alter: Callable[[Path], None], fields: dict[str, Any], why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Killed):
        RECIPE.fit(ROWS, context(tmp_path, report=killed_at(15)))
    alter(tmp_path)
    made = RECIPE.fit(ROWS, context(tmp_path, **fields))
    assert weights(made) == weights(RECIPE.fit(ROWS, context(**fields)))
    assert (tmp_path / "set_aside" / "checkpoint.json").exists()
    assert [record.message for record in caplog.records if "set aside, and its fit starts anew" in record.message]
    assert re.search(why, caplog.text)


def test_other_settings_are_another_fit_but_how_often_it_is_saved_is_none(tmp_path: Path) -> None:
    RECIPE.fit(ROWS, context(tmp_path))
    RECIPE.model_copy(update={"checkpoint_seconds": 5.0}).fit(ROWS, context(tmp_path))
    assert not (tmp_path / "set_aside").exists()
    RECIPE.model_copy(update={"learning_rate": 0.1}).fit(ROWS, context(tmp_path))
    assert (tmp_path / "set_aside").exists()


def test_a_finished_fit_is_not_repeated(tmp_path: Path) -> None:
    RECIPE.fit(ROWS, context(tmp_path))
    steps: list[int] = []
    made = RECIPE.fit(ROWS, context(tmp_path, report=lambda done, *_: steps.append(done)))
    assert (weights(made), steps) == (UNBROKEN, [])
    assert json.loads((tmp_path / "checkpoint.json").read_bytes())["state"]["epoch"] == 3
