"""What a fault in the data spoils of a training is set aside with its reason; the rest goes on, to a verdict."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from everfit import GradientBoosting, Model, Recipe, TorchMLP
from everfit.environment.settings import Settings
from everfit.errors import RecipeError
from everfit.pipeline import evaluation, manifests
from everfit.pipeline import training as pipeline_training
from everfit.pipeline.manifests import Evaluation, TrainedModel, TrainingSet
from everfit.pipeline.promotion import conclude
from everfit.registry import InMemoryRegistry
from everfit.runtime import Runtime
from everfit.store import ledger, requests
from everfit.store.requests import RetrainRequest
from models.electricity_price import electricity_price
from tests.faulty_recipes import ERRORS, Failing, Spoilt
from tests.unit.test_data_faults import CUTOFF, alternate, labelled
from tests.versions import described, training_set

BOTH: list[Recipe] = [GradientBoosting(trees=3), TorchMLP(hidden=(4,), epochs=1)]


@dataclass
class Training:
    """Trains and judges rows that a test made."""

    runtime: Runtime
    model: Model

    def set_of(self, rows: pl.DataFrame, request: str | None = None) -> TrainingSet:
        kept = {"rows_hash": self.runtime.lake.put_frame(rows), "rows": rows.height}
        return training_set(self.model, cutoff=CUTOFF, cause="drift", reason="price moved", request=request, **kept)

    def trained(self, rows: pl.DataFrame, request: str | None = None) -> TrainedModel:
        given = self.set_of(rows, request)
        digest = manifests.put(self.runtime, self.model, "training_set", given, rows.height)
        return pipeline_training.train(self.runtime, self.model, given, digest)

    def judged(self, trained: TrainedModel) -> Evaluation:
        digest = manifests.put(self.runtime, self.model, "trained_model", trained, 0)
        judged = evaluation.evaluate(self.runtime, self.model, trained, digest)
        manifests.put(self.runtime, self.model, "evaluation", judged, 0)
        return judged


@pytest.fixture
def training(engine: sa.Engine, tmp_path: Path) -> Training:
    url = engine.url.render_as_string(hide_password=False)
    settings = Settings(tmp_path, url, "127.0.0.1:1", "http://127.0.0.1:1", "", "", tmp_path / "lake")
    runtime = Runtime(settings, registry=InMemoryRegistry())
    runtime.__dict__["engine"] = engine
    return Training(runtime, electricity_price.model_copy(update={"candidates": BOTH}))


def test_one_candidate_that_fails_is_set_aside_and_the_other_goes_on(training: Training) -> None:
    training.model = training.model.model_copy(update={"candidates": [BOTH[0], Failing(name="mlp", how="recipe")]})
    trained = training.trained(labelled(alternate))
    assert [one.name for one in trained.candidates] == ["gradient_boosting"]
    assert trained.set_aside == {"mlp": "RuntimeError: the recipe cannot"}
    told = {one.name: one.reason for one in training.judged(trained).compared}
    assert told["mlp"] == "set aside: RuntimeError: the recipe cannot"
    assert "log loss" in told["gradient_boosting"]


@pytest.mark.parametrize(
    ("how", "set_aside"),
    [
        ("rows", None),
        ("nan graph", None),
        ("column graph", "RecipeError: electricity_price: the exported graph answers float64[821, 1] to 821 rows"),
        ("nan", "RecipeError: recipe spoilt: predict answers nan in row 0 of 821, no finite number"),
        ("file", "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere/weights.bin'"),
    ],
)
def test_a_candidate_that_spoils_something_spoils_no_other(training: Training, how: str, set_aside: str | None) -> None:
    good = BOTH[0]
    rows = labelled(alternate, price=alternate)
    training.model = training.model.model_copy(update={"candidates": [good]})
    (alone,) = training.trained(rows).candidates
    training.model = training.model.model_copy(update={"candidates": [Spoilt(how=how), good]})
    trained = training.trained(rows)
    beside = trained.candidates[-1]
    assert (beside.artifact, beside.backtest, beside.metrics) == (alone.artifact, alone.backtest, alone.metrics)
    assert trained.set_aside.get("spoilt", "").startswith(set_aside) if set_aside else not trained.set_aside
    digest = training.runtime.lake.put_json(trained)
    assert manifests.get(training.runtime.lake, digest, TrainedModel) == trained
    assert training.judged(trained).winner == ("spoilt" if how == "rows" else "gradient_boosting")


def test_what_no_candidate_survives_for_a_reason_of_the_codes_fails_the_run(training: Training) -> None:
    candidates = [Failing(name="one", how="feature"), Failing(name="other", how="mistake")]
    training.model = training.model.model_copy(update={"candidates": candidates})
    message = "electricity_price: no candidate is left; recipe other fails by TypeError: a mistake; repair the recipe"
    with pytest.raises(RecipeError, match=message):
        training.trained(labelled(alternate))


@pytest.mark.parametrize("how", ["lake", "disk"])
def test_what_may_pass_is_tried_again_and_not_set_aside(training: Training, how: str) -> None:
    training.model = training.model.model_copy(update={"candidates": [Failing(name="failing", how=how), BOTH[0]]})
    with pytest.raises(type(ERRORS[how]), match="no space left"):
        training.trained(labelled(alternate))


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (labelled(alternate).clear(), "no label was known by 1997-05-21"),
        (labelled(lambda day: 1.0), "must hold both 0 and 1"),
    ],
    ids=["no label", "one class"],
)
def test_where_nothing_is_left_the_request_is_rejected_with_the_reason(
    training: Training, rows: pl.DataFrame, why: str
) -> None:
    request = RetrainRequest("r", training.model.name, "drift", "price moved", None, CUTOFF, CUTOFF)
    with training.runtime.engine.begin() as connection:
        requests.add(connection, request)
    evaluation = training.judged(training.trained(rows, "r"))
    assert evaluation.winner is None
    assert conclude(training.runtime, training.model, actor="test").version is None
    with training.runtime.engine.connect() as connection:
        ended = requests.find(connection, "r")
    assert ended.status == "rejected"
    assert why in str(ended.result)


def test_features_and_folds_that_are_left_out_stand_in_the_manifest(training: Training) -> None:
    name = next(name for name, kind in training.model.features if kind == "number")
    labels = labelled(lambda day: 0.0 if day < 20 else alternate(day), **{name: lambda day: None})
    for candidate in training.trained(labels).candidates:
        assert candidate.left_out[name] == "holds no value"
        assert list(candidate.folds_left_out) == ["1997-04-23", "1997-04-30"]
        assert candidate.refused is None


def test_a_category_with_nulls_where_slices_are_taken_is_judged(training: Training) -> None:
    gate = training.model.gate.model_copy(update={"slices": ["region", "weekday"], "slice_rows": 1})
    training.model = training.model.model_copy(update={"gate": gate, "candidates": BOTH[:1]})
    described_version(training, 0.0)
    rows = labelled(alternate, region=lambda day: None if day % 3 else "NSW", weekday=lambda day: None if day % 5 else 1.0)
    (compared,) = training.judged(training.trained(rows)).compared
    assert "log loss" in compared.reason
    assert compared.rows == 28 * 3


def described_version(training: Training, bias: float) -> None:
    """A champion whose data end long before."""
    manifest = training.runtime.lake.put_json(described(training.runtime.lake, training.model, bias))
    detail = {"manifest": manifest, "trained_until": datetime(1996, 9, 4, tzinfo=CUTOFF.tzinfo).isoformat()}
    entry = ledger.Entry(training.model.name, "promoted", None, 1, "test", "drift", "", None, CUTOFF, detail)
    with training.runtime.engine.begin() as connection:
        ledger.append(connection, entry)
