"""One contract over every trainer, on made rows with everything unpleasant and on the real electricity rows."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everfit import Fitted, GradientBoosting, Recipe, TorchMLP
from everfit.declaration.views import Kind
from everfit.errors import FeatureError, NotServableError
from everfit.features.labelled_rows import labelled
from everfit.training.artifact import Scorer, Signature
from everfit.training.encoding import MOST_CATEGORIES, Encoding
from everfit.training.parity import check_parity, hostile, read_inputs, write_inputs
from models.electricity_price import electricity_price
from tests.recipes import fit

CANDIDATES: list[Recipe] = [GradientBoosting(trees=20), TorchMLP(hidden=(16,), epochs=10)]
FEATURES: list[tuple[str, Kind]] = [
    ("carrier", "category"),
    ("distance", "number"),
    ("still", "number"),
    ("origin", "category"),
]
SIGNATURE = Signature("made", FEATURES, "0" * 8)

every_trainer = pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda candidate: candidate.name)


def made_rows(rows: int = 2_000) -> pl.DataFrame:
    """Rows with nulls in a number and a category, and a number that never moves."""
    random = np.random.default_rng(7)
    carrier = random.choice(["AA", "DL", "UA"], rows)
    distance = random.normal(500, 200, rows)
    return pl.DataFrame(
        {
            "carrier": pl.Series(carrier).set(pl.Series(random.random(rows) < 0.1), None),
            "distance": pl.Series(distance).set(pl.Series(random.random(rows) < 0.1), None),
            "still": np.full(rows, 0.1 + 0.2),
            "origin": random.choice(["EWR", "JFK"], rows),
            "late": ((carrier == "DL") ^ (distance > 600)).astype(int),
        }
    )


@pytest.fixture(scope="module")
def electricity() -> pl.DataFrame:
    """The labelled rows of the first 300 days with their features as they were known."""
    from everfit.features.offline import compute

    recorded = electricity_price.sources[0].recorded
    assert recorded is not None
    half_hours = recorded()[: 300 * 48]
    rows = labelled(electricity_price, {"half_hours": half_hours})
    return compute(electricity_price.views, {"half_hours": half_hours}, rows)


def fitted(candidate: Recipe, frame: pl.DataFrame | None = None) -> Fitted:
    return fit(candidate, made_rows() if frame is None else frame, features=FEATURES, label="late")


@every_trainer
def test_learns_leaves_the_rows_alone_and_answers_probabilities(candidate: Recipe) -> None:
    rows = made_rows()
    before = rows.clone()
    scores = fitted(candidate, rows).predict(rows)
    assert rows.equals(before)
    assert scores.dtype == np.float64
    assert scores.shape == (rows.height,)
    assert scores[rows["late"].to_numpy() == 1].mean() > scores[rows["late"].to_numpy() == 0].mean() + 0.1
    assert scores.min() >= 0
    assert scores.max() <= 1


@every_trainer
def test_the_same_seed_gives_the_same_bytes_whatever_was_drawn_before(candidate: Recipe) -> None:
    import torch

    first = fitted(candidate).to_onnx()
    torch.rand(3)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    assert fitted(candidate).to_onnx() == first
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_another_seed_gives_another_network() -> None:
    seeded = [fitted(TorchMLP(hidden=(16,), epochs=1, seed=seed)).to_onnx() for seed in (0, 1)]
    assert seeded[0] != seeded[1]


@every_trainer
def test_a_missing_or_ill_typed_column_is_named(candidate: Recipe) -> None:
    rows = made_rows()
    with pytest.raises(FeatureError, match="'distance'"):
        fitted(candidate, rows.drop("distance"))
    with pytest.raises(FeatureError, match="'carrier'"):
        fitted(candidate).predict(rows.drop("carrier"))
    with pytest.raises(FeatureError, match="'distance' holds String"):
        fitted(candidate).predict(rows.with_columns(distance=pl.lit("far")))
    with pytest.raises(FeatureError, match="no label column 'late'"):
        fitted(candidate, rows.drop("late"))
    with pytest.raises(FeatureError, match="both 0 and 1"):
        fitted(candidate, rows.with_columns(late=1))


@every_trainer
def test_nulls_unknown_categories_and_far_numbers_are_answered(candidate: Recipe) -> None:
    model, rows = fitted(candidate), made_rows()
    for block in [*hostile(FEATURES, rows), rows.with_columns(distance=1e30)]:
        assert np.isfinite(model.predict(block)).all()


@every_trainer
def test_a_constant_column_that_comes_alive_has_no_say(candidate: Recipe) -> None:
    model, rows = fitted(candidate), made_rows()
    alive = rows.with_columns(still=pl.lit(1e6) * pl.int_range(pl.len()))
    assert np.array_equal(model.predict(alive), model.predict(rows))


@every_trainer
def test_the_exported_graph_answers_as_the_model_does(candidate: Recipe) -> None:
    model = fitted(candidate)
    parity = check_parity(model.to_onnx(), SIGNATURE, made_rows(), model.predict)
    assert parity.rows == 2_000 + 6 * 50 + 1
    assert parity.difference < 1e-6
    assert 0 < parity.latency.ms < 1_000


@pytest.mark.parametrize("candidate", electricity_price.candidates, ids=lambda candidate: candidate.name)
def test_the_exported_graph_answers_as_the_model_does_on_the_market(candidate: Recipe, electricity: pl.DataFrame) -> None:
    features = electricity_price.features
    model = fit(candidate, electricity[:6_000], features=features, label="_label")
    signature = Signature.of(electricity_price)
    holdout = electricity[6_000:]
    assert check_parity(model.to_onnx(), signature, holdout, model.predict).difference <= 1e-5
    loss = -np.where(holdout["_label"] == 1, np.log(model.predict(holdout)), np.log1p(-model.predict(holdout))).mean()
    assert loss < 0.6


@every_trainer
def test_one_row_is_scored_as_many_are(candidate: Recipe) -> None:
    rows = made_rows(60)
    scorer = Scorer(fitted(candidate).to_onnx(), SIGNATURE)
    scores = scorer.score(rows.with_columns(extra=pl.lit("ignored")))
    assert [scorer.score_one(row) for row in rows.iter_rows(named=True)] == pytest.approx(scores, abs=1e-6)


def test_a_row_that_does_not_fit_is_refused() -> None:
    scorer = Scorer(fitted(CANDIDATES[0]).to_onnx(), SIGNATURE)
    row: dict[str, Any] = {"carrier": "AA", "distance": 1.0, "still": None, "origin": "JFK"}
    with pytest.raises(FeatureError, match="no feature 'distance'"):
        scorer.score_one({name: value for name, value in row.items() if name != "distance"})
    with pytest.raises(FeatureError, match="numbers for distance"):
        scorer.score_one(row | {"distance": "far"})
    with pytest.raises(NotServableError, match="no ONNX graph"):
        Scorer(b"garbage", SIGNATURE)


def test_parity_refuses_a_graph_that_answers_otherwise_and_tells_the_worst_row() -> None:
    graph, other = fitted(CANDIDATES[0]).to_onnx(), fitted(CANDIDATES[1])
    with pytest.raises(NotServableError, match=r"row \d+ of 2301: \{'carrier'"):
        check_parity(graph, SIGNATURE, made_rows(), other.predict)
    with pytest.raises(NotServableError, match="exit code"):
        check_parity(b"garbage", SIGNATURE, made_rows(), other.predict)


@pytest.mark.parametrize("kind", ["number", "category"])
@every_trainer
def test_inputs_of_one_kind_alone_are_enough(candidate: Recipe, kind: Kind) -> None:
    features = [(name, its_kind) for name, its_kind in FEATURES if its_kind == kind]
    model = fit(candidate, made_rows(), features=features, label="late")
    assert check_parity(model.to_onnx(), Signature("made", features, ""), made_rows(), model.predict).difference < 1e-6


@every_trainer
def test_more_categories_than_are_kept(candidate: Recipe) -> None:
    random = np.random.default_rng(1)
    rows = made_rows(4_000).with_columns(origin=pl.Series([f"airport {i}" for i in random.zipf(1.3, 4_000) % 900]))
    model = fitted(candidate, rows)
    assert check_parity(model.to_onnx(), SIGNATURE, rows, model.predict).difference < 1e-6


def test_a_tree_that_cannot_split_still_exports() -> None:
    rows = made_rows(30)
    model = fit(GradientBoosting(trees=3, min_leaf_rows=1_000), rows, features=FEATURES, label="late")
    scores = Scorer(model.to_onnx(), SIGNATURE).score(rows)
    assert scores == pytest.approx(np.full(30, rows["late"].mean()))


def test_encoding_keeps_the_most_frequent_categories_and_scales_constants_by_one() -> None:
    categories = np.array([[f"c{i:03}"] for i in range(300)] + [["c299"]], dtype=object)
    numbers = np.array([[0.1 + 0.2, float(i)] for i in range(301)])
    encoding = Encoding.fit(numbers, categories)
    assert len(encoding.vocabularies[0]) == MOST_CATEGORIES
    assert "c299" in encoding.vocabularies[0]
    assert encoding.scales.tolist() == [1.0, pytest.approx(numbers[:, 1].std())]
    assert np.isnan(encoding.codes(np.array([["never"]], dtype=object))).all()


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=5))
def test_inputs_of_the_parity_check_are_read_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, texts: Any) -> None:
    folder = tmp_path_factory.mktemp("inputs")
    categories = np.array(texts, dtype=object).reshape(len(texts), 2)
    numbers = np.full((len(texts), 1), np.nan)
    write_inputs(folder, numbers, categories)
    read_numbers, read_categories = read_inputs(folder)
    assert np.array_equal(read_numbers, numbers, equal_nan=True)
    assert read_categories.tolist() == texts


def test_one_long_text_costs_the_parity_check_its_own_length(tmp_path: Path) -> None:
    categories = np.full((5_000, 3), "NSW", dtype=object)
    categories[17, 1] = "x" * 20_000
    tracemalloc.start()
    write_inputs(tmp_path, np.zeros((5_000, 1)), categories)
    read_inputs(tmp_path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 10 * 2**20, "as texts of numpy they were 1.2 GB"
