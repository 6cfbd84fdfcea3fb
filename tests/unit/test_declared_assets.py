"""One model that Dagster refuses is set aside; the definitions of the others load."""

from pathlib import Path

import dagster as dg
import pytest

from orchestration.declared_assets import declared
from orchestration.resources import everfit, tracking

PACKAGE = {
    "__init__": "",
    "good": "from models.electricity_price import electricity_price\n",
    "owned": (
        "import models.flight_delay as m\nowned = m.flight_delay.model_copy(update={'name': 'owned', 'owners': ['bob!']})\n"
    ),
    "named": (
        "from everfit import Source\n"
        "import models.electricity_price as m\n"
        "e = vars(m)['electricity_price']; del m\n"
        "def history(predictions): return predictions\n"
        "source = Source(**(dict(e.sources[0]) | {'name': 'predictions'}))\n"
        "named = e.model_copy(update={'name': 'named', 'sources': [source], 'views': [], 'history': history})\n"
        "del e\n"
    ),
    "broken": "1 / 0\n",
}


def test_a_model_whose_assets_are_refused_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "shown_models"
    package.mkdir()
    for name, text in PACKAGE.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("EVERFIT_MODELS", "shown_models")
    found = declared.__wrapped__()
    assert list(found.models) == ["electricity_price"]
    assert found.models.broken.keys() == {"shown_models.broken", "owned", "named"}
    assert "bob!" in found.models.broken["owned"]
    assert "named/predictions would exist twice" in found.models.broken["named"]
    resources = {"everfit": everfit, "tracking": tracking}
    dg.Definitions.validate_loadable(dg.Definitions(assets=found.assets, asset_checks=found.checks, resources=resources))


def test_several_models_of_one_module_have_assets_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "paired_models"
    package.mkdir()
    (package / "__init__.py").touch()
    both = "from models.electricity_price import electricity_price as e\n" + "".join(
        f"{name} = e.model_copy(update={{'name': '{name}'}})\n" for name in ("first", "second")
    )
    (package / "both.py").write_text(both + "del e\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("EVERFIT_MODELS", "paired_models")
    found = declared.__wrapped__()
    assert list(found.models) == ["first", "second"]
    assert found.models.broken == {}
    resources = {"everfit": everfit, "tracking": tracking}
    made = dg.Definitions(assets=found.assets, asset_checks=found.checks, resources=resources)
    keys = {spec.key.path[0] for spec in made.resolve_all_asset_specs()}
    assert keys == {"first", "second"}
