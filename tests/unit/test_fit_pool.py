"""A fit that hangs, eats memory or ends its process ends alone; what it raises comes back as it is."""

import errno
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit import BinaryClassification, FitContext, GradientBoosting, Recipe, TrainingWindow
from everfit.declaration import Name
from everfit.errors import DeclarationError, FeatureError, RecipeError
from everfit.training.fit_pool import FitPool
from everfit.training.recipe_fit import fit_recipe

ROWS = pl.DataFrame({"x": np.arange(200.0) % 7, "y": np.arange(200) % 2})
GIVEN: dict[str, Any] = {"task": BinaryClassification(label="y"), "features": [("x", "number")], "label": "y"}


class Faulty(Recipe):
    """Does what no fit should."""

    name: Name = "faulty"
    how: str

    def fit(self, rows: pl.DataFrame, context: FitContext) -> Any:
        held = []
        match self.how:
            case "hang":
                time.sleep(600)
            case "eat":
                while True:
                    held.append(np.ones(10**6))
            case "ask for":
                held.append(np.ones(10**15))
            case "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "exit":
                os._exit(3)
            case "leave":
                raise SystemExit(4)
            case "feature":
                raise FeatureError("nothing to learn")
            case "disk":
                raise OSError(errno.ENOSPC, "no space left")
            case "own":
                raise OwnError(1, two="lines\nof it")
        assert context.deadline is not None
        assert time.monotonic() < context.deadline < time.monotonic() + 100
        return GradientBoosting(trees=3).fit(rows, context)


class OwnError(Exception):
    """Takes other arguments than its message."""

    def __init__(self, one: int, *, two: str) -> None:
        super().__init__(f"{one} {two}")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    ROWS.write_ipc(tmp_path / "rows.arrow")
    return tmp_path / "rows.arrow"


def pool(**limits: Any) -> FitPool:
    return FitPool([], TrainingWindow(**{"max_fit": "90s"} | limits))


def answers(rows: Path, recipe: Recipe, fits: FitPool) -> tuple[Any, bytes]:
    with fits.fitted(recipe, rows, **GIVEN) as fitted:
        return fitted.predict(ROWS), fitted.export()


def test_a_fit_in_its_process_is_the_fit_bit_for_bit(rows: Path) -> None:
    with pool() as fits:
        given, onnx = answers(rows, Faulty(how="well"), fits)
    here = fit_recipe(GradientBoosting(trees=3), ROWS, **GIVEN)
    assert np.array_equal(given, here.predict(ROWS))
    assert onnx == here.to_onnx()
    given[0] = 0.0  # they can be written to


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("crash", "fit ended its process by SIGSEGV; look for the fault in what it calls"),
        ("exit", "fit ended its process with exit code 3; a recipe returns or raises"),
        ("ask for", r"fit asks for more memory than there is: .*; let it take less, or train on a shorter history"),
    ],
)
def test_a_fit_that_ends_its_process_ends_alone(rows: Path, how: str, message: str) -> None:
    with pool() as fits:
        with pytest.raises(RecipeError, match=f"^recipe faulty: {message}"):
            answers(rows, Faulty(how=how), fits)
        answers(rows, Faulty(how="well"), fits)


def test_a_fit_that_hangs_is_ended(rows: Path) -> None:
    with pool(max_fit="1s") as fits, pytest.raises(RecipeError, match=r"fit is not done after 1 s and was ended; .*max_fit="):
        answers(rows, Faulty(how="hang"), fits)


def test_a_fit_that_eats_memory_is_ended(rows: Path) -> None:
    small = FitPool([], TrainingWindow(max_fit_memory=0.5), memory_bytes=2**30)
    message = r"fit takes [\d,]+ MiB of memory, where all fits may take 512 MiB, and was ended; .*max_fit_memory="
    with small as fits, pytest.raises(RecipeError, match=message):
        answers(rows, Faulty(how="eat"), fits)


def test_what_a_fit_raises_is_raised_with_its_name(rows: Path) -> None:
    with pool() as fits:
        with pytest.raises(FeatureError, match="nothing to learn") as known:
            answers(rows, Faulty(how="feature"), fits)
        assert "in fit\n" in "".join(known.value.__notes__)
        with pytest.raises(OSError, match="no space left") as full:
            answers(rows, Faulty(how="disk"), fits)
        assert full.value.errno == errno.ENOSPC
        with pytest.raises(Exception, match="1 lines\nof it") as own:
            answers(rows, Faulty(how="own"), fits)
        assert type(own.value).__name__ == "OwnError"
        with pytest.raises(Exception, match="4") as left:
            answers(rows, Faulty(how="leave"), fits)
        assert type(left.value).__name__ == "SystemExit"
        assert isinstance(left.value, Exception)


def test_what_another_process_cannot_import_is_fitted_here_and_that_is_logged(
    rows: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Local(Recipe):
        def fit(self, rows: pl.DataFrame, context: FitContext) -> Any:
            return GradientBoosting(trees=3).fit(rows, context)

    with pool() as fits:
        given, _ = answers(rows, Local(name="local"), fits)
    assert np.isfinite(given).all()
    assert "recipe local is fitted where nothing ends a fit that hangs" in caplog.text
    assert "at the top level of a module" in caplog.text


def test_fits_that_run_are_ended_with_their_training(rows: Path) -> None:
    raised = []

    def fit(fits: FitPool) -> None:
        try:
            answers(rows, Faulty(how="hang"), fits)
        except RecipeError as error:
            raised.append(str(error))

    with pool() as fits:
        fitting = threading.Thread(target=fit, args=(fits,))
        fitting.start()
        while not fits._running:
            time.sleep(0.01)
    fitting.join(30)
    assert len(raised) == 1
    with pytest.raises(RecipeError, match="its training was ended before it was fitted; train again"):
        answers(rows, Faulty(how="well"), fits)


def test_memory_bounds_how_many_fits_run_at_once() -> None:
    assert FitPool([], TrainingWindow(), row_bytes=2**30, memory_bytes=2**30).at_once == 1
    assert FitPool([], TrainingWindow(), row_bytes=1, memory_bytes=2**30).at_once == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("values", [{"max_fit": "0s"}, {"max_fit_memory": 0.0}, {"max_fit_memory": 1.5}])
def test_bounds_of_a_fit_are_checked(values: Any) -> None:
    with pytest.raises(DeclarationError, match=next(iter(values))):
        TrainingWindow(**values)


def test_the_bounds_of_a_fit_are_no_part_of_what_rows_are_made_by() -> None:
    assert TrainingWindow(max_fit="1h").model_dump() == TrainingWindow().model_dump()
