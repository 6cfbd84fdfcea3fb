"""What the assets' pages say beside a run."""

from assets.pages import columns, feature_notes
from models.electricity_price import electricity_price as model


def test_every_feature_says_what_it_is_taken_from() -> None:
    notes = feature_notes(model)
    assert notes.keys() == {name for name, _ in model.features}
    assert notes["weekday"] == "of the request"
    assert notes["price"] == "newest price of half_hours, by region (view market_now)"
    assert notes["price_7d"].startswith("mean over 7d of price of half_hours, by region (view ")
    schema = columns(model.features, notes)["dagster/column_schema"]
    assert {column.name: column.description for column in schema.columns} == notes
