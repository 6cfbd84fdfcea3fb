"""What ONNX cannot hold: kept by skops, loaded by named types in a process of its own, which may crash or hang alone."""

import gc
import io
import os
import pickle
import subprocess
import time
import zipfile
from typing import Any

import numpy as np
import polars as pl
import psutil
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline

from everfit import BinaryClassification, Recipe, Regression, Sklearn, Task
from everfit.errors import DeclarationError, FeatureError, NotServableError, ProcessEndedError, RecipeError, ServiceError
from everfit.testing import check_recipe
from everfit.training import native_scorer
from everfit.training.artifact import Signature
from everfit.training.native_file import dumped, loaded
from everfit.training.native_scorer import NativeScorer
from everfit.training.recipe_fit import fit_recipe
from tests import estimators
from tests.estimators import FEATURES, made_rows
from tests.native import FAULTY, Faulty

LATE, MINUTES = BinaryClassification(label="late"), Regression("minutes")
ROWS = made_rows(100)
NEAR = ["sklearn.metrics._dist_metrics.EuclideanDistance64", "sklearn.neighbors._kd_tree.KDTree"]
TREE = "sklearn.tree._tree.Tree"


def neighbours() -> Any:
    return make_pipeline(estimators.columns(scaled=True), KNeighborsClassifier(3))


def near_numbers() -> Any:
    return make_pipeline(estimators.columns(scaled=True), KNeighborsRegressor(3))


def forest() -> Any:
    return make_pipeline(estimators.columns(), RandomForestClassifier(n_estimators=2))


def exported(make: Any, native: list[str], task: Task = LATE) -> bytes:
    return fit_recipe(Sklearn("own", make, native=native), ROWS, task=task, features=FEATURES, label=task.label).export()


def faulty(*, loads: bool = True) -> NativeScorer:
    content = dumped(Faulty("number", loads=loads), [FAULTY], "faulty")
    return NativeScorer(content, Signature("faulty", [("number", "number")], "", native=[FAULTY]))


def test_what_cannot_be_exported_keeps_the_contract_from_a_process_of_its_own() -> None:
    parity = check_recipe(Sklearn("near", neighbours, native=NEAR), ROWS, task=LATE, features=FEATURES)
    assert parity.difference <= 1e-9
    assert 0 < parity.latency.ms < 1_000


@pytest.mark.parametrize(("make", "task"), [(neighbours, LATE), (near_numbers, MINUTES)])
def test_what_is_kept_answers_the_same_and_the_same_rows_give_the_same_bytes(make: Any, task: Task) -> None:
    recipe = Sklearn("near", make, native=NEAR)
    first, again = (fit_recipe(recipe, ROWS, task=task, features=FEATURES, label=task.label) for _ in range(2))
    content = first.export()
    assert again.export() == content
    assert loaded(content, NEAR).predict(ROWS).tolist() == first.predict(ROWS).tolist()


def test_types_that_are_not_trusted_are_refused_with_what_to_write() -> None:
    with pytest.raises(RecipeError, match=rf'recipe own: .*: {TREE}; .* native=\["{TREE}"\]'):
        exported(forest, [])
    with pytest.raises(NotServableError, match=rf'it is not loaded: it holds types .*{TREE}.* native=\["{TREE}"\]'):
        loaded(exported(forest, [TREE]), [])


@pytest.mark.parametrize(
    "content", [pickle.dumps({"a": 1}), b"", b"PK\x03\x04 and no more"], ids=["pickle", "nothing", "no zip"]
)
def test_a_pickle_is_no_file_of_skops_and_is_not_loaded(content: bytes) -> None:
    with pytest.raises(NotServableError, match=r"no file of skops .*; nothing else is loaded, and no pickle"):
        loaded(content, [])


def test_a_function_within_a_file_is_not_trusted_by_itself() -> None:
    content = skops.io.dumps({"run": os.system})
    with pytest.raises(NotServableError, match=r"posix\.system"):
        loaded(content, [])


def test_a_file_without_its_schema_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("model.pkl", pickle.dumps(1))
    with pytest.raises(NotServableError, match=r"no file of skops .*schema\.json"):
        loaded(buffer.getvalue(), [])


@pytest.mark.parametrize("native", ["sklearn.tree._tree.Tree", ["Tree"], [TREE, 1], [""]])
def test_what_names_no_type_is_refused_at_the_declaration(native: Any) -> None:
    with pytest.raises(DeclarationError, match=r'native: .*names no types; write native=\["module\.Type", …\]'):
        Sklearn("own", forest, native=native)


def test_a_crash_is_told_and_the_next_answer_comes_from_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERFIT_SERVING_TOKEN", "secret")
    scorer, began = faulty(), time.time()
    assert scorer.score_one({"number": 0.0}) == 0.5
    with pytest.raises(ProcessEndedError, match=r"faulty: its process ended \(SIGABRT\) at 1 rows"):
        scorer.score_one({"number": 1.0})
    assert scorer.score(pl.DataFrame({"number": [0.0, None]})).tolist() == [0.5, 0.5]
    with pytest.raises(NotServableError, match="faulty: its process raises ValueError: an odd row"):
        scorer.score_one({"number": 3.0})
    with pytest.raises(FeatureError, match="no feature 'number'"):
        scorer.score_one({})
    with pytest.raises(FeatureError, match=r"faulty takes .*number"):
        scorer.score_one({"number": "many"})
    (child,) = [each for each in psutil.Process().children() if each.create_time() >= began]
    assert "secret" not in child.environ().values()
    del scorer
    gc.collect()
    assert not psutil.pid_exists(child.pid), "it ends with its scorer"


def test_a_hang_is_ended_after_its_time_and_what_waited_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = faulty()
    scorer.score_one({"number": 0.0})
    monkeypatch.setattr(native_scorer, "ANSWER_SECONDS", 0.1)
    hanging, waiting = scorer.later([{"number": 2.0}]), scorer.later([{"number": 0.0}])
    with pytest.raises(ProcessEndedError, match=r"gave no answer to 1 rows in 0\.1 s, and was ended"):
        hanging.result()
    with pytest.raises(ServiceError, match="its process is busy"):
        waiting.result()
    monkeypatch.undo()
    assert scorer.later([{"number": 0.0}, {"number": None}]).result() == [0.5, 0.5]


def test_what_crashes_at_its_start_is_told_and_not_started_at_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = faulty(loads=False)
    with pytest.raises(ProcessEndedError, match=r"SIGABRT. at loading it") as first:
        scorer.score_one({"number": 0.0})
    monkeypatch.setattr(subprocess, "Popen", None)
    with pytest.raises(ProcessEndedError) as second:
        scorer.score_one({"number": 0.0})
    assert second.value is first.value


class Own(Recipe):
    """A recipe whose fit is an object of its own."""

    name: str = "own"
    trusted: tuple[str, ...] = (FAULTY,)

    def trusted_types(self) -> tuple[str, ...]:
        return self.trusted

    def fit(self, rows: Any, context: Any) -> Any:
        return Fitted("number")


class Fitted(Faulty):
    def to_native(self) -> Any:
        return Faulty(self.column)


def test_a_recipe_of_ones_own_gives_the_object_that_answers() -> None:
    rows = pl.DataFrame({"number": [0.0, 5.0], "late": [0.0, 1.0]})
    made = fit_recipe(Own(), rows, task=LATE, features=[("number", "number")], label="late")
    assert np.array_equal(loaded(made.export(), [FAULTY]).predict(rows), [0.5, 0.5])
