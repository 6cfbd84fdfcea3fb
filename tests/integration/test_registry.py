"""The registry on a real MLflow server: what is registered comes back and answers the same; the alias follows the ledger."""

import uuid
from datetime import UTC, datetime

import polars as pl
import pytest
import sqlalchemy as sa

from everfit import GradientBoosting, Recipe, TorchMLP
from everfit.errors import StaleChampionError
from everfit.registry import Registry
from everfit.store import ledger
from everfit.store.ledger import Entry
from everfit.training.artifact import Scorer, Signature
from tests.recipes import fit

SIGNATURE = Signature("toy", [("price", "number"), ("region", "category")], "0123abcd")
ROWS = pl.DataFrame(
    {"price": [n / 60 for n in range(60)], "region": ["NSW", "VIC", None] * 20, "up": [float(n % 4 > 1) for n in range(60)]}
)


@pytest.fixture
def registry(engine: sa.Engine, tracking: str) -> Registry:
    return Registry(tracking, engine)


@pytest.fixture
def name() -> str:
    """A registered model's name of this test's own."""
    return f"toy_{uuid.uuid4().hex}"


def entry(name: str, version: int, replaces: int | None) -> Entry:
    at = datetime(1996, 9, 4, tzinfo=UTC)
    detail = {"manifest": "hash", "trained_until": at.isoformat()}
    return Entry(name, "promoted", replaces, version, "test", "person", "why", None, at, detail)


@pytest.mark.parametrize("candidate", [GradientBoosting(trees=3, min_leaf_rows=5), TorchMLP(epochs=1)], ids=lambda c: c.name)
def test_a_registered_version_comes_back_and_answers_the_same(registry: Registry, name: str, candidate: Recipe) -> None:
    onnx = fit(candidate, ROWS, features=SIGNATURE.features, label="up").to_onnx()
    version = registry.register(name, onnx, SIGNATURE, {"everfit.cause": "person"})
    returned, signature = registry.fetch(name, version)
    assert signature == SIGNATURE
    assert Scorer(returned, signature).score(ROWS).tolist() == Scorer(onnx, SIGNATURE).score(ROWS).tolist()


def test_nothing_registered_has_no_roles(registry: Registry) -> None:
    assert registry.roles("unheard_of") == {}


def test_promotion_is_compare_and_set(registry: Registry, name: str, engine: sa.Engine) -> None:
    onnx = fit(GradientBoosting(trees=1, min_leaf_rows=5), ROWS, features=SIGNATURE.features, label="up").to_onnx()
    for _ in range(3):
        registry.register(name, onnx, SIGNATURE, {})
    for version, replaces in ((1, None), (2, 1)):
        with engine.begin() as connection:
            registry.promote(connection, entry(name, version, replaces))
    with engine.begin() as connection, pytest.raises(StaleChampionError, match="version 2 is champion now"):
        registry.promote(connection, entry(name, 3, 1))
    registry.pin(name, "shadow", 1)
    assert registry.roles(name) == {"champion": 2, "shadow": 1}
    with engine.connect() as connection:
        champion = ledger.champion(connection, name)
    assert champion is not None
    assert champion.version == 2
