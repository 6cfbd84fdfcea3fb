"""What holds of every measure of drift."""

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given

from everfit.errors import FormatError
from everfit.evidence.measures import TABLE, Measure, measure_named, measures_for

NUMBERS = st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=20)
CATEGORIES = st.lists(st.none() | st.sampled_from("abc"), min_size=1, max_size=20)

TEXTS = st.lists(st.none() | st.text("ab \N{SNOWMAN}", max_size=9), min_size=1, max_size=20)
VECTORS = st.lists(st.none() | st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=2), min_size=1, max_size=20)


def columns(measure: Measure) -> st.SearchStrategy[pl.Series]:
    if measure.kind == "category":
        return CATEGORIES.map(lambda values: pl.Series(values, dtype=pl.String))
    if measure.kind == "text":
        return TEXTS.map(lambda values: pl.Series(values, dtype=pl.String))
    if measure.kind == "vector":
        return VECTORS.map(lambda values: pl.Series(values, dtype=pl.Array(pl.Float32, 2)))
    return NUMBERS.map(lambda values: pl.Series(values, dtype=pl.Float64))


@pytest.mark.parametrize("measure", TABLE, ids=lambda measure: measure.name)
@given(data=st.data())
def test_a_distance_is_none_from_the_same_and_at_most_the_farthest(measure: Measure, data: st.DataObject) -> None:
    reference, window = data.draw(columns(measure)), data.draw(columns(measure))
    assert measure.distance(reference, reference) == pytest.approx(0, abs=1e-7)
    assert 0 <= measure.distance(reference, window) <= measure.farthest(reference) + 1e-7


def test_each_kind_of_column_has_a_measure_that_suits_all_of_them() -> None:
    constant = pl.Series([1.0, 1.0]), pl.Series([f"id {number}" for number in range(50)])
    last = {measure.kind: measure for measure in TABLE}
    assert last["number"].suits(constant[0], [constant[0]], 0.05)
    assert last["category"].suits(constant[1], [constant[1].reverse()], 0.05)


def texts(seed: int, count: int, *, first: int = 0) -> pl.Series:
    """Texts of eight words each, drawn by Zipf's law from the thousands of a language."""
    draw = np.random.default_rng(seed)
    return pl.Series([" ".join(f"word{first + n % 9_000}" for n in draw.zipf(1.2, 8)) for _ in range(count)])


def test_further_texts_of_the_same_kind_hold_no_more_unseen_words_than_expected() -> None:
    measure = measure_named("unseen_words")
    reference = texts(1, 400)
    same, other = (measure.distance(reference, window) for window in (texts(2, 400), texts(3, 400, first=9_000)))
    assert same < 0.02 < 0.5 < other


def test_a_vector_that_turns_is_seen_by_its_mean_and_one_that_grows_by_its_norm() -> None:
    past = np.random.default_rng(5).normal([2.0, 0.0, 0.0], size=(300, 3))
    measures = measure_named("vector_mean"), measure_named("vector_norm")
    found = {}
    for name, window in {"same": past[::2], "turned": past[:, [1, 0, 2]], "grown": past * 1.5}.items():
        columns = [pl.Series(values.tolist(), dtype=pl.Array(pl.Float32, 3)) for values in (past, window)]
        found[name] = [measure.distance(*columns) for measure in measures]
    assert max(found["same"]) < 0.2
    assert found["turned"] == [pytest.approx(np.sqrt(8 / 3), rel=0.1), pytest.approx(0, abs=1e-6)]
    assert found["grown"][1] > 1


def test_a_flag_drifts_as_a_category_does() -> None:
    past, now = pl.Series([True, False] * 50), pl.Series([True, True, True, False] * 25)
    (measure,) = measures_for("flag", past, [past], 0.05)
    assert measure.kind == "category"
    assert measure.distance(past, now) == measure.distance(past.cast(pl.String), now.cast(pl.String)) > 0.1


def test_an_unknown_measure_is_refused_with_those_there_are() -> None:
    with pytest.raises(FormatError, match="no measure 'energy' of drift; there are wasserstein, "):
        measure_named("energy")
