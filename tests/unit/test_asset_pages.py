"""What the assets' pages say beside a run."""

import pytest

from assets.pages import columns, feature_notes, source_columns
from everfit import Model, Number, count, feature_view, latest, mean
from everfit.declaration.feature_notes import feature_notes as notes_of
from everfit.features.definition import define
from everfit.pipeline.code_versions import code_version
from models.electricity_price import electricity_price as model
from models.flight_delay import flight_delay


def test_every_feature_says_what_it_is_taken_from() -> None:
    notes = feature_notes(model)
    assert notes.keys() == {name for name, _ in model.features}
    assert notes["weekday"] == "day of the week in market time (days from Monday); of the request"
    origin = "newest price of half_hours, by region (view market_now)"
    assert notes["price"] == f"price in New South Wales (of its range); {origin}"
    assert notes["price_7d"].startswith(
        "mean over 7d of price in New South Wales (of its range); mean over 7d of price of half_"
    )
    schema = columns(model.features, notes)["dagster/column_schema"]
    assert {column.name: column.description for column in schema.columns} == notes


@pytest.mark.parametrize("shipped", [model, flight_delay])
def test_every_feature_of_a_shipped_model_is_described(shipped: Model) -> None:
    assert [note.name for note in notes_of(shipped) if not note.description] == []


def test_a_source_page_has_the_columns_descriptions() -> None:
    schema = source_columns([Number("price", description="the price", unit="AUD"), Number("bare")])["dagster/column_schema"]
    assert [column.description for column in schema.columns] == ["the price (AUD)", None]


def described(text: str) -> Model:
    """The model, with this description on a field of the request, a source's column and features of a view."""

    @feature_view(
        key="region",
        known_at="period_start",
        features=latest("price", description=text, unit=text) | {"sum": mean("price", over="1d", description=text)},
    )
    def market(half_hours):  # type: ignore[no-untyped-def]
        return half_hours

    fields = [column.model_copy(update={"description": text, "unit": text}) for column in model.request]
    columns = [column.model_copy(update={"description": text}) for column in model.sources[0].columns]
    source = model.sources[0].model_copy(update={"columns": columns})
    return model.model_copy(update={"request": fields, "sources": [source], "views": [market]})


def test_no_version_changes_with_a_description() -> None:
    plain, other = described(""), described("something")
    assert [note.description for note in notes_of(other)].count("something") == len(other.features)
    assert plain.schema_id == other.schema_id
    assert code_version(plain) == code_version(other)
    assert define(plain.views[0], plain.sources[0]) == define(other.views[0], other.sources[0])


def test_a_count_has_no_unit_and_what_nobody_described_says_nothing() -> None:
    @feature_view(key="region", known_at="period_start", features={"rows": count("price", over="1d")} | latest("made_up"))
    def market(half_hours):  # type: ignore[no-untyped-def]
        return half_hours

    *_, rows, made_up = notes_of(model.model_copy(update={"views": [market]}))
    assert (rows.description, rows.unit) == ("count over 1d of price in New South Wales", "")
    assert (made_up.description, made_up.unit) == ("", "")
