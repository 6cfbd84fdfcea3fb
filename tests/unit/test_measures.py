"""What holds of every measure of drift."""

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given

from everfit.errors import FormatError
from everfit.evidence.measures import TABLE, Measure, measure_named

NUMBERS = st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=20)
CATEGORIES = st.lists(st.none() | st.sampled_from("abc"), min_size=1, max_size=20)


def columns(measure: Measure) -> st.SearchStrategy[pl.Series]:
    if measure.kind == "category":
        return CATEGORIES.map(lambda values: pl.Series(values, dtype=pl.String))
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


def test_an_unknown_measure_is_refused_with_those_there_are() -> None:
    with pytest.raises(FormatError, match="no measure 'energy' of drift; there are wasserstein, "):
        measure_named("energy")
