"""Other settings for an experiment: checked like a declaration, and refused in words."""

import pytest
from typer.testing import CliRunner

from everfit.cli.experiment import settings_of
from everfit.cli.main import app
from everfit.errors import DeclarationError, LaunchError
from everfit.pipeline.experiments import with_settings
from everfit.training.mlp import TorchMLP
from models.electricity_price import electricity_price


def test_other_values_make_another_candidate_and_the_declared_one_stays() -> None:
    tried = with_settings(electricity_price, {"mlp.learning_rate": "1e-3", "mlp.hidden": "[8]", "mlp.epochs": "40"})
    (mlp,) = tried.candidates
    assert isinstance(mlp, TorchMLP)
    assert (mlp.learning_rate, mlp.hidden, mlp.epochs) == (1e-3, (8,), 40)
    assert [each.name for each in electricity_price.candidates] == ["gradient_boosting", "mlp"]
    assert with_settings(electricity_price, {}) == electricity_price


@pytest.mark.parametrize(
    ("key", "value", "error", "told"),
    [
        (
            "mpl.epochs",
            "3",
            LaunchError,
            "no candidate 'mpl' in 'mpl.epochs'; electricity_price declares gradient_boosting, mlp",
        ),
        ("epochs", "3", LaunchError, "no candidate 'epochs' in 'epochs'; .*write CANDIDATE.SETTING=VALUE"),
        ("mlp.lr", "3", LaunchError, "mlp has no setting 'lr'; it has seed, hidden, epochs"),
        ("mlp.name", "other", LaunchError, "mlp has no setting 'name'"),
        ("mlp.epochs", "many", DeclarationError, "TorchMLP mlp: epochs: .*valid integer.*, got 'many'"),
        ("mlp.epochs", "0", DeclarationError, "TorchMLP mlp: epochs: .*greater than or equal to 1, got 0"),
    ],
)
def test_what_is_not_declared_is_told(key: str, value: str, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        with_settings(electricity_price, {key: value})


def test_a_setting_without_a_value_and_one_without_dry_are_refused() -> None:
    assert settings_of(["mlp.epochs=4"]) == {"mlp.epochs": "4"}
    with pytest.raises(LaunchError, match=r"--set mlp\.epochs: write CANDIDATE.SETTING=VALUE"):
        settings_of(["mlp.epochs"])
    done = CliRunner().invoke(app, ["train", "electricity_price", "--set", "mlp.epochs=4"])
    assert isinstance(done.exception, LaunchError)
    assert "add --dry" in str(done.exception)
