"""The recipe of docs/extending.md, under thirty lines, goes through declaration, fit, parity check, gate and promotion."""

import importlib
from pathlib import Path

import pytest
import sqlalchemy as sa

from everfit import Model
from everfit.pipeline import evaluation, manifests, promotion
from everfit.pipeline.training import train
from models.electricity_price import electricity_price
from tests.extensions import documented
from tests.loop import Loop
from tests.unit.test_data_faults import CUTOFF, alternate, labelled
from tests.versions import training_set


def test_a_recipe_from_outside_becomes_champion(engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = documented("Recipes")
    assert source.count("\n") - source.count("\n\n") <= 30
    (tmp_path / "own_recipe.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    logistic = importlib.import_module("own_recipe").Logistic
    declared = {name: getattr(electricity_price, name) for name in Model.model_fields}
    model = Model(**declared | {"candidates": [logistic(strength=0.5, seed=3)]})
    loop = Loop(engine, tmp_path, model)
    number = next(name for name, kind in model.features if kind == "number")
    rows = labelled(alternate, **{number: alternate})
    kept = {"rows_hash": loop.runtime.lake.put_frame(rows), "rows": rows.height}
    given = training_set(model, cutoff=CUTOFF, cause="bootstrap", reason="the first version", **kept)
    trained = train(loop.runtime, model, given, manifests.put(loop.runtime, model, "training_set", given, rows.height))
    (candidate,) = trained.candidates
    assert candidate.refused is None, "the exported graph answers as the recipe does"
    assert candidate.config == {"name": "logistic", "seed": 3, "strength": 0.5}
    digest = manifests.put(loop.runtime, model, "trained_model", trained, rows.height)
    judged = evaluation.evaluate(loop.runtime, model, trained, digest)
    assert judged.winner == "logistic", judged.reason
    manifests.put(loop.runtime, model, "evaluation", judged, 1)
    assert promotion.conclude(loop.runtime, model, actor="test").version == 1
    registered = loop.registry.fetch(model.name, 1)
    assert registered.signature.features == model.features
    assert registered.content == loop.runtime.lake.get(candidate.artifact, "onnx")
