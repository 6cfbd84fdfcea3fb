"""What every registry must do, tried on MLflow's, on the one in memory and on one from outside."""

import asyncio
import uuid
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from everfit import GradientBoosting, Recipe, TorchMLP
from everfit.environment.settings import Settings
from everfit.errors import LostVersionError
from everfit.pipeline import manual_promotion
from everfit.pipeline.promotion import register
from everfit.registry import Artifact, InMemoryRegistry, MlflowRegistry, Registry
from everfit.runtime import Runtime
from everfit.serving.model_cache import ModelCache
from everfit.serving.version_source import LedgerVersions
from everfit.training.artifact import Scorer, Signature
from models.electricity_price import electricity_price
from tests.folder_registry import FolderRegistry
from tests.native import faulty_artifact
from tests.recipes import fit
from tests.versions import described

SIGNATURE = Signature("toy", [("price", "number"), ("region", "category")], "0123abcd")
ROWS = pl.DataFrame(
    {"price": [n / 60 for n in range(60)], "region": ["NSW", "VIC", None] * 20, "up": [float(n % 4 > 1) for n in range(60)]}
)


@pytest.fixture(params=["mlflow", "in memory", "from outside"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Registry:
    if request.param == "mlflow":
        return MlflowRegistry(request.getfixturevalue("tracking"))
    return InMemoryRegistry() if request.param == "in memory" else FolderRegistry(tmp_path / "registry")


@pytest.fixture
def name() -> str:
    """A registered model's name of this test's own."""
    return f"toy_{uuid.uuid4().hex}"


def artifact(recipe: Recipe | None = None) -> Artifact:
    recipe = recipe or GradientBoosting(trees=1, min_leaf_rows=5)
    onnx = fit(recipe, ROWS, features=SIGNATURE.features, label="up").to_onnx()
    return Artifact(onnx, SIGNATURE, {"everfit.cause": "person"})


@pytest.mark.parametrize("candidate", [GradientBoosting(trees=3, min_leaf_rows=5), TorchMLP(epochs=1)], ids=lambda c: c.name)
def test_a_registered_version_comes_back_and_answers_the_same(registry: Registry, name: str, candidate: Recipe) -> None:
    given = artifact(candidate)
    returned = registry.fetch(name, registry.register(name, given, above=0))
    assert returned.signature == SIGNATURE
    assert dict(returned.tags) == given.tags
    before, after = (Scorer(one.content, one.signature).score(ROWS).tolist() for one in (given, returned))
    assert after == before


def test_what_is_no_graph_comes_back_as_it_was(registry: Registry, name: str) -> None:
    given = faulty_artifact(electricity_price, "half_hour")
    returned = registry.fetch(name, registry.register(name, given, above=0))
    assert (returned.content, returned.signature) == (given.content, given.signature)


def test_nothing_registered_has_no_roles(registry: Registry) -> None:
    assert registry.roles("never_registered") == {}


def test_a_number_is_new_and_above_those_that_were_used(registry: Registry, name: str) -> None:
    first = registry.register(name, artifact(), above=0)
    assert (first, registry.register(name, artifact(), above=0)) == (1, 2)
    assert registry.register(name, artifact(), above=6) == 7
    assert registry.register(name, artifact(), above=6) == 8
    assert registry.fetch(name, 7).tags == {"everfit.cause": "person"}


def test_a_role_points_to_one_version(registry: Registry, name: str) -> None:
    for _ in range(2):
        registry.register(name, artifact(), above=0)
    registry.point(name, "champion", 1)
    registry.point(name, "shadow", 1)
    registry.point(name, "champion", 2)
    assert registry.roles(name) == {"champion": 2, "shadow": 1}
    assert registry.roles(f"{name}_2") == {}


def test_a_version_that_is_not_there_is_lost(registry: Registry, name: str) -> None:
    registry.register(name, artifact(), above=0)
    with pytest.raises(LostVersionError):
        registry.fetch(name, 2)
    with pytest.raises(LostVersionError):
        registry.point(name, "champion", 2)
    assert registry.roles(name) == {}


def test_a_runtime_works_with_a_registry_from_outside(engine: sa.Engine, tmp_path: Path) -> None:
    model, url = electricity_price, engine.url.render_as_string(hide_password=False)
    settings = Settings(tmp_path, url, "127.0.0.1:1", "", "", "", tmp_path / "lake")
    with Runtime(settings, {model.name: model}, FolderRegistry(tmp_path / "registry")) as runtime:
        version = described(runtime.lake, model, 1.0)
        number = register(runtime, version, runtime.lake.put_json(version))
        assert manual_promotion.adopt(runtime, model, number, actor="person ada").done == "adopted"
        versions = LedgerVersions(runtime.engine, runtime.registry, runtime.lake)
        assert asyncio.run(ModelCache(runtime.models, versions).refresh(model.name)).roles == {"champion": 1}
