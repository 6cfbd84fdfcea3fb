"""The latency of an answer: what the machine adds is no fault of the model's, and a slow model is slow on any machine."""

import multiprocessing
import random
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl
import pytest

from everfit import GradientBoosting
from everfit.training.artifact import Signature
from everfit.training.latency import REFERENCE_MS, ROWS, measure
from everfit.training.parity import check_parity
from tests.recipes import fit

QUIET_MS = REFERENCE_MS / 3


class Machine:
    """A clock that work moves: what a row's answer costs, times what else the machine does at that moment."""

    def __init__(self, model_ms: list[float], *, busy: float = 0.0, slower: float = 1.0) -> None:
        self._model_ms = model_ms
        self._busy = busy
        self._slower = slower
        self._random = random.Random(3)
        self.now = 0.0

    def _work(self, ms: float) -> None:
        preempted = 20.0 if self._random.random() < self._busy else 0.0
        self.now += (ms * self._slower + preempted) / 1_000

    def latency_ms(self) -> float:
        """As it is measured."""
        return measure(
            lambda row: self._work(self._model_ms[row]),
            lambda: self._work(QUIET_MS),
            rows=len(self._model_ms),
            clock=lambda: self.now,
        ).ms


@pytest.mark.parametrize("busy", [0.0, 0.3, 0.6])
def test_what_other_work_adds_now_and_then_is_not_the_models(busy: float) -> None:
    assert Machine([0.13] * ROWS, busy=busy).latency_ms() < 1.0


def test_a_machine_that_is_slow_all_the_time_is_told_by_the_reference() -> None:
    assert Machine([0.13] * ROWS, slower=228).latency_ms() == pytest.approx(0.13 * 3)


@pytest.mark.parametrize("slower", [1.0, 2.0, 50.0])
def test_a_slow_model_is_slow_on_any_machine(slower: float) -> None:
    assert Machine([30.0] * ROWS, busy=0.3, slower=slower).latency_ms() > 20


def test_a_model_that_is_slow_on_some_rows_is_slow() -> None:
    assert Machine([0.13] * (ROWS - 5) + [30.0] * 5).latency_ms() > 20


@contextmanager
def hogs(number: int) -> Iterator[None]:
    """So many processes that take all the processor they are given."""
    context = multiprocessing.get_context("spawn")
    running = [context.Process(target=_spin, daemon=True) for _ in range(number)]
    for one in running:
        one.start()
    try:
        yield
    finally:
        for one in running:
            one.kill()
            one.join()


def _spin() -> None:
    while True:
        pass


def test_a_small_model_is_fast_beside_hogs() -> None:
    rows = pl.DataFrame({"price": [n / 400 for n in range(400)], "up": [float(n % 4 > 1) for n in range(400)]})
    model = fit(GradientBoosting(trees=100), rows, features=[("price", "number")], label="up")
    with hogs(4):
        parity = check_parity(model.to_onnx(), Signature("toy", [("price", "number")], ""), rows, model.predict)
    assert parity.latency.ms < 5
