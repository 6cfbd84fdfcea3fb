"""One contract over every trainer, on made rows with everything unpleasant and on the real electricity rows."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from everfit import Fitted, GradientBoosting, Recipe, TorchMLP
from everfit.declaration.input_kinds import frame_type
from everfit.declaration.views import Kind
from everfit.errors import FeatureError, NotServableError
from everfit.features.labelled_rows import labelled
from everfit.training.arrays import Arrays
from everfit.training.artifact import Scorer, Signature
from everfit.training.encoding import MOST_CATEGORIES, Encoding
from everfit.training.onnx_graph import Graph
from everfit.training.parity import check_parity, hostile, read_inputs, write_inputs
from models.electricity_price import electricity_price
from tests.recipes import fit
from tests.tasks import Bounded

CANDIDATES: list[Recipe] = [GradientBoosting(trees=20), TorchMLP(hidden=(16,), epochs=10, batch_rows=128)]
FEATURES: list[tuple[str, Kind]] = [
    ("carrier", "category"),
    ("distance", "number"),
    ("still", "number"),
    ("origin", "category"),
    ("direct", "flag"),
    ("route", "vector[3]"),
]
SIGNATURE = Signature("made", FEATURES, "0" * 8)

every_trainer = pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda candidate: candidate.name)


def made_rows(rows: int = 2_000) -> pl.DataFrame:
    """Rows with nulls in every kind of input, and a number that never moves."""
    random = np.random.default_rng(7)
    carrier = random.choice(["AA", "DL", "UA"], rows)
    distance = random.normal(500, 200, rows)
    routes = np.random.default_rng(8).normal(size=(rows, 3)).tolist()
    return pl.DataFrame(
        {
            "carrier": pl.Series(carrier).set(pl.Series(random.random(rows) < 0.1), None),
            "distance": pl.Series(distance).set(pl.Series(random.random(rows) < 0.1), None),
            "still": np.full(rows, 0.1 + 0.2),
            "origin": random.choice(["EWR", "JFK"], rows),
            "direct": pl.Series(distance < 400).set(pl.Series(np.random.default_rng(9).random(rows) < 0.1), None),
            "route": pl.Series([None if n % 9 == 0 else row for n, row in enumerate(routes)], dtype=pl.Array(pl.Float32, 3)),
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
    assert parity.rows == 2_000 + 9 * 50 + 1
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
    row: dict[str, Any] = {"carrier": "AA", "distance": 1.0, "still": None, "origin": "JFK", "direct": True, "route": None}
    with pytest.raises(FeatureError, match="no feature 'distance'"):
        scorer.score_one({name: value for name, value in row.items() if name != "distance"})
    with pytest.raises(FeatureError, match="numbers for distance"):
        scorer.score_one(row | {"distance": "far"})
    with pytest.raises(FeatureError, match=r"numbers for .*route: a vector of shape \[2\] in place of 3 components"):
        scorer.score_one(row | {"route": [1.0, 2.0]})
    with pytest.raises(NotServableError, match="no ONNX graph"):
        Scorer(b"garbage", SIGNATURE)


def test_parity_refuses_a_graph_that_answers_otherwise_and_tells_the_worst_row() -> None:
    graph, other = fitted(CANDIDATES[0]).to_onnx(), fitted(CANDIDATES[1])
    with pytest.raises(NotServableError, match=r"row \d+ of 2451: \{'carrier'"):
        check_parity(graph, SIGNATURE, made_rows(), other.predict)
    with pytest.raises(NotServableError, match="exit code"):
        check_parity(b"garbage", SIGNATURE, made_rows(), other.predict)


@pytest.mark.parametrize("kind", ["number", "category", "flag", "vector[3]"])
@every_trainer
def test_inputs_of_one_kind_alone_are_enough(candidate: Recipe, kind: Kind) -> None:
    features = [(name, its_kind) for name, its_kind in FEATURES if its_kind == kind]
    model = fit(candidate, made_rows(), features=features, label="late")
    assert check_parity(model.to_onnx(), Signature("made", features, ""), made_rows(), model.predict).difference < 1e-6


@every_trainer
def test_a_vector_is_learnt_from_and_a_text_is_refused_with_the_recipe_that_takes_one(candidate: Recipe) -> None:
    rows = made_rows().with_columns(late=(pl.col("route").arr.get(1) > 0).fill_null(value=False).cast(pl.Int64))
    answers = fitted(candidate, rows).predict(rows)
    assert answers[rows["late"].to_numpy() == 1].mean() > answers[rows["late"].to_numpy() == 0].mean() + 0.3
    with pytest.raises(FeatureError, match=r"takes no text, and headline is one; .* such as Sklearn with a TfidfVectorizer"):
        fit(candidate, rows.with_columns(headline=pl.lit("")), features=[*FEATURES, ("headline", "text")], label="late")
    for wrong in (pl.lit("far"), pl.lit([1.0, 2.0], dtype=pl.Array(pl.Float32, 2))):
        with pytest.raises(FeatureError, match=r"'route' holds .*, not vectors of 3 numbers"):
            fitted(candidate, rows.with_columns(route=wrong))


def test_a_graph_takes_each_text_and_vector_by_its_name_whatever_that_is() -> None:
    features: list[tuple[str, Kind]] = [("constant_0", "text"), ("Cast_0", "vector[2]"), ("direct", "flag")]
    graph = Graph(features)
    words = graph.add("StringConcat", "constant_0", graph.constant(np.array([""], dtype=object)))
    known = graph.add("Equal", words, graph.constant(np.array(["yes"], dtype=object)))
    asked = graph.add("Unsqueeze", graph.add("Cast", known, to=TensorProto.DOUBLE), graph.constant(np.array([1])))
    whole = graph.add("ReduceSum", graph.numbers(), graph.constant(np.array([1])))
    scorer = Scorer(graph.finish(graph.add("Add", asked, whole), Bounded(label="amount")), Signature("made", features, ""))
    row: dict[str, Any] = {"constant_0": "yes", "Cast_0": [0.25, 0.5], "direct": True}
    assert scorer.score_one(row) == 2.75
    assert np.isnan(scorer.score_one(row | {"Cast_0": None}))
    types = {name: frame_type(kind) for name, kind in features}
    assert scorer.score(pl.DataFrame([row, row | {"constant_0": None}], schema=types)).tolist() == [2.75, 1.75]


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


@given(st.lists(st.lists(st.text(), min_size=3, max_size=3), max_size=5))
def test_inputs_of_the_parity_check_are_read_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, texts: Any) -> None:
    folder = tmp_path_factory.mktemp("inputs")
    words = np.array(texts, dtype=object).reshape(len(texts), 3)
    numbers = np.full((len(texts), 1), np.nan)
    vectors = {"odd / name": np.full((len(texts), 2), 0.1, dtype=np.float32)}
    write_inputs(folder, Arrays(numbers, words[:, :2], {"headline": words[:, 2]}, vectors))
    arrays = read_inputs(folder)
    assert np.array_equal(arrays.numbers, numbers, equal_nan=True)
    assert arrays.categories.tolist() == words[:, :2].tolist()
    assert {name: column.tolist() for name, column in arrays.texts.items()} == {"headline": words[:, 2].tolist()}
    assert arrays.vectors.keys() == vectors.keys()
    assert np.array_equal(arrays.vectors["odd / name"], vectors["odd / name"])


def test_one_long_text_costs_the_parity_check_its_own_length(tmp_path: Path) -> None:
    categories = np.full((5_000, 3), "NSW", dtype=object)
    categories[17, 1] = "x" * 20_000
    tracemalloc.start()
    write_inputs(tmp_path, Arrays(np.zeros((5_000, 1)), categories))
    read_inputs(tmp_path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 10 * 2**20, "as texts of numpy they were 1.2 GB"
