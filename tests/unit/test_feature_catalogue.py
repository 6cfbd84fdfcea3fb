"""The catalogue of features, by the command and on the pages."""

import json
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from assets.pages import feature_table
from everfit import Category, Flag, Model, Number, Vector, latest, mean
from everfit.cli.main import app
from everfit.review.feature_catalogue import catalogue
from tests.pumps import COLUMNS, pumps, reading, view_of

VIEW = view_of(latest("vibration") | {"warmth": mean("temperature", over="1h", description="how warm", unit="°C")})
FIELDS = [Category("pump", description="its number plate"), Flag("old", nullable=True), Vector("place", 2)]


def made(name: str = "pumps", **changes: Any) -> Model:
    """A model of pumps whose readings are out after two hours."""
    model = pumps(VIEW, name=name, request=FIELDS, owners=["team:pumps"], **changes)
    late = model.sources[0].model_copy(update={"known_after": timedelta(hours=2), "recorded": record})
    return model.model_copy(update={"sources": [late], "history": asked})


def record() -> pl.DataFrame:
    """Two readings of a pump."""
    rows = [reading(n, "a", n, vibration=0.5 * n) for n in (1, 2)]
    return pl.DataFrame(rows).with_columns(old=pl.lit(True), up=pl.lit(1.0))


def asked(readings: Any) -> Any:
    """A function that is not called here."""
    return readings


def test_each_feature_says_all_that_a_person_asks() -> None:
    model = made()
    models = {each.name: each for each in (model, made("wells"), pumps(name="others"))}
    rows = pl.DataFrame(
        {
            "pump": ["a", "b", "a", "c"],
            "old": [True, None, None, True],
            "place": pl.Series([[0.0, 1.0]] * 4, dtype=pl.Array(pl.Float32, 2)),
            "vibration": [0.5, float("nan"), None, 2.0],
            "warmth": [20.0, 21.0, 22.0, 23.5],
        }
    )
    pump, old, place, vibration, warmth = catalogue(models, model, rows)
    assert pump[1:10] == ("pump", "category", "", "of the request", "its number plate", "", ["team:pumps"], "", ["pumps"])
    assert pump[10:] == (0.0, None, None, 3)
    assert old[10:] == (0.5, None, None, 1)
    assert place[10:] == (0.0, None, None, None)
    assert vibration[4:10] == ("newest vibration of readings, by pump", "", "", ["team:pumps"], "2h", ["pumps", "wells"])
    assert vibration[10:] == (0.5, 0.5, 2.0, None)
    assert (warmth.description, warmth.unit, warmth.extent) == ("how warm", "°C", "20 to 23.5")
    assert catalogue(models, model)[3].null_share is None
    records = feature_table(models, model, rows).records
    assert records[4].data == {
        "feature": "warmth",
        "kind": "number",
        "description": "how warm",
        "unit": "°C",
        "definition": "mean over 1h of temperature of readings, by pump",
        "published after": "2h",
        "owners": "team:pumps",
        "used by": "pumps, wells",
        "null share": 0.0,
        "range": "20 to 23.5",
    }
    assert feature_table(models, model, pl.DataFrame()).records[4].data["null share"] is None


def test_the_command_lists_a_model_or_a_feature(monkeypatch: pytest.MonkeyPatch) -> None:
    models = {"pumps": made(), "wells": made("wells")}
    monkeypatch.setattr("everfit.declaration.discovery.load_models", lambda: models)
    listed = CliRunner().invoke(app, ["features", "wells", "--json"])
    assert [(each["model"], each["name"]) for each in json.loads(listed.stdout)] == [
        ("wells", name) for name in ("pump", "old", "place", "vibration", "warmth")
    ]
    assert "its recorded rows cannot be read, see `everfit check`" in listed.stderr
    one = CliRunner().invoke(app, ["features", "warmth"]).stdout.splitlines()
    assert one[:3] == [
        "pumps.warmth  number  how warm (°C)",
        "    mean over 1h of temperature of readings, by pump (view pump_now); published 2h after its event",
        "    owned by team:pumps; used by pumps, wells",
    ]
    wrong = CliRunner().invoke(app, ["features", "heat"])
    assert str(wrong.exception) == "no model and no feature 'heat'; `everfit features` lists all of pumps, wells"


def test_a_number_is_listed_with_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    def history(readings: Any) -> Any:
        return readings.with_columns(event_time=readings["known_at"], observed_at=readings["known_at"], up=readings["number"])

    fields = [Category("pump"), Number("vibration", nullable=True, unit="mm")]
    model = pumps(request=fields, columns=COLUMNS)
    recorded = model.sources[0].model_copy(update={"recorded": lambda: record().drop("old", "up")})
    model = model.model_copy(update={"sources": [recorded], "history": history, "event_time": "read_at"})
    monkeypatch.setattr("everfit.declaration.discovery.load_models", lambda: {"pumps": model})
    shown = CliRunner().invoke(app, ["features", "vibration"]).stdout
    assert shown.splitlines()[0] == "pumps.vibration  number  no description (mm)"
    assert shown.splitlines()[-1] == "    0.0% null; 0.5 to 1"
