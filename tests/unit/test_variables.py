"""The environment: each variable is documented, its values have a shape, and what is secret is never shown."""

import re
from pathlib import Path

import pytest

from everfit.environment.settings import Settings, addresses
from everfit.environment.variables import SHAPES, masked, problems, require_sound
from everfit.errors import SettingsError

ROOT = Path(__file__).parents[2]
CODE = ("everfit", "monitors", "assets", "orchestration", "models", "tests/brokers.py", "docker-compose.yml", "deploy")
BINARY = {".pyc", ".gz", ".typed"}
NAME = re.compile(r"\bEVERFIT_[A-Z_]+[A-Z]\b")

GOOD = {
    "EVERFIT_DATABASE_URL": "postgresql+psycopg://everfit:wind%2Fmill@db:5432/everfit",
    "EVERFIT_KAFKA_BOOTSTRAP": "one:9092,two:9092",
    "MLFLOW_TRACKING_URI": "http://mlflow:5000",
    "EVERFIT_SERVING_URL": "https://serving",
    "EVERFIT_DAGSTER_URL": "http://127.0.0.1:3000",
    "EVERFIT_SERVING_TOKEN": "windmill",
}


def names_in(*places: str) -> set[str]:
    """The variables named in files and folders; the list itself names them all."""
    files = [file for place in places for file in [ROOT / place, *(ROOT / place).rglob("*")] if file.suffix not in BINARY]
    texts = (file.read_text() for file in files if file.is_file() and file.name != "variables.py")
    return {name for text in texts for name in NAME.findall(text)}


def test_every_variable_in_the_code_has_a_shape_and_no_other_has() -> None:
    listed = {name for name in SHAPES if name.startswith("EVERFIT_")}
    assert names_in(*CODE) == listed, "name it in everfit/environment/variables.py, and in the table of docs/operate.md"


def test_the_table_in_the_docs_has_every_variable_and_no_other() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "operate.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(SHAPES)


def test_a_good_environment_is_read(home: Path) -> None:
    settings = Settings.load({**GOOD, "EVERFIT_HOME": str(home)})
    assert (settings.kafka, settings.lake, settings.token) == ("one:9092,two:9092", home / "lake", "windmill")


@pytest.mark.parametrize(
    ("variable", "value", "todo"),
    [
        ("EVERFIT_DATABASE_URL", "everfit", "write postgresql"),
        ("EVERFIT_DATABASE_URL", "mysql://everfit@db/everfit", "write postgresql"),
        ("EVERFIT_DATABASE_URL", "postgresql+psycopg://everfit@db:5432", "write postgresql"),
        ("EVERFIT_DATABASE_URL", "postgresql+psycopg://everfit@db:port/everfit", "write postgresql"),
        ("EVERFIT_KAFKA_BOOTSTRAP", "kafka", "write host:port"),
        ("EVERFIT_KAFKA_BOOTSTRAP", "one:9092,two:99999", "write host:port"),
        ("EVERFIT_KAFKA_BOOTSTRAP", "kafka://one:9092", "write host:port"),
        ("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db", "write http://host:port"),
        ("EVERFIT_SERVING_URL", "127.0.0.1:8000", "write http://host:port"),
        ("EVERFIT_DAGSTER_URL", "http://host:dagster", "write http://host:port"),
        ("EVERFIT_LAKE", "s3://bucket/lake", "name one of this machine"),
        ("EVERFIT_MODELS", "my-models", "name one to import"),
        ("EVERFIT_SERVING_PORT", "0", "set a number from 1 to 65535"),
        ("EVERFIT_MLFLOW_PORT", "65536", "set a number from 1 to 65535"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_with_what_to_write(variable: str, value: str, todo: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(todo)) as refused:
        Settings.load({**GOOD, variable: value})
    assert str(refused.value).startswith(f"{variable}='{value}' is no ")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("EVERFIT_DATABASE_URI", "EVERFIT_DATABASE_URL"),
        ("EVERFIT_KAFKA_BOOTSTRAPS", "EVERFIT_KAFKA_BOOTSTRAP"),
        ("EVERFIT_MODEL", "EVERFIT_MODELS"),
    ],
)
def test_a_name_that_is_almost_right_is_refused_with_the_right_one(written: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=rf"{written} is nothing that everfit reads; did you mean {meant}\?"):
        require_sound({**GOOD, written: "x"})


def test_all_problems_are_told_at_once_and_strangers_are_left_alone() -> None:
    wrong = problems({"EVERFIT_SERVING_PORT": "x", "EVERFIT_LAKE": "s3://x", "EVERFIT_OF_ANOTHER_TEAM": "1", "PATH": "/"})
    assert sorted(one.variable for one in wrong) == ["EVERFIT_LAKE", "EVERFIT_SERVING_PORT"]


def test_an_empty_value_counts_as_not_set(home: Path) -> None:
    assert addresses({"EVERFIT_HOME": str(home), "EVERFIT_DATABASE_URL": ""}) == {"lake": str(home / "lake")}


def test_no_secret_is_shown() -> None:
    shown = repr(Settings.load(GOOD))
    assert "windmill" not in shown
    assert "wind%2Fmill" not in shown
    malformed = {**GOOD, "EVERFIT_DATABASE_URL": "mysql://everfit:windmill@db/everfit"}
    assert "windmill" not in "".join(one.message for one in problems(malformed))
    assert masked("postgresql://db/everfit?user=me&password=windmill") == "postgresql://db/everfit?user=me&password=***"
