"""The pages for readers: what they link to is there, the pictures are small, and the README names every command."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import everfit.declaration
from everfit import Model
from everfit.cli.main import app
from everfit.serving.request_schema import read_predict
from everfit.testing import check_recipe
from models import electricity_price as electricity

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PACKAGES = [file for name in ("everfit", "monitors", "assets", "orchestration") for file in (ROOT / name).rglob("*.py")]
LARGEST_BYTES = 250_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_a_picture_of_a_page_is_shown_and_small() -> None:
    shown = "".join(page.read_text() for page in PAGES)
    for picture in (ROOT / "docs").glob("dagster-*.png"):
        assert picture.name in shown
        assert picture.stat().st_size < LARGEST_BYTES, picture.name


def test_the_readme_names_every_command() -> None:
    rows = "\n".join(line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `everfit"))
    for command in app.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "")
        assert f"`everfit {name}" in rows or f"`{name}`" in rows, name


COMMANDS = typer.main.get_command(app)
BEGUN = r"(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?everfit [a-z]"
WRITTEN = re.compile(r"(?:^|[`\s/])everfit ((?:[a-z][a-z-]*)(?: [^`\n]*)?)")


def written() -> Iterator[tuple[str, str]]:
    """Each command line of the documents and of messages in the code, with the file it stands in."""
    for file in [*PAGES, *PACKAGES, ROOT / "docker-compose.yml"]:
        text = file.read_text()
        spans = re.findall(rf"`({BEGUN}[^`\n]*)`", text)
        if file.suffix == ".md":
            blocks = "\n".join(re.findall(r"```\n(.*?)```", text, re.DOTALL))
            spans += [line for line in blocks.splitlines() if re.match(BEGUN, line)]
        for span in spans:
            found = WRITTEN.search(f" {span}")
            if found:
                yield file.name, found[1]


@pytest.mark.parametrize("line", sorted({line for _, line in written()}))
def test_every_command_that_is_written_is_there_with_its_options(line: str) -> None:
    words = shlex.split(line.replace("…", "x").replace("\\'", "'"), comments=True)
    command: Any = COMMANDS
    for word in words:
        if not hasattr(command, "commands"):
            break
        for one in word.split("|"):
            assert one.startswith(("{", "[")) or one in command.commands, f"no command {one!r} in `everfit {line}`"
        command = command.commands.get(word.split("|")[0], command)
    options = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    asked = {word.split("=")[0].strip("[]") for word in words if word.startswith(("--", "[--"))}
    assert asked - {"--help"} <= options, f"`everfit {line}`"


def commands(group: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """The words of each command."""
    for name, command in group.commands.items():
        yield from commands(command, *path, name) if hasattr(command, "commands") else [(*path, name)]


@pytest.mark.parametrize("path", list(commands(COMMANDS)), ids=" ".join)
def test_the_help_of_every_command_ends_with_an_example_that_it_takes(path: tuple[str, ...]) -> None:
    command: Any = COMMANDS
    for name in path:
        command = command.commands[name]
    for example in re.sub("^Examples?: ", "", command.epilog).split("; "):
        words = shlex.split(example)
        assert tuple(words[: 1 + len(path)]) == ("everfit", *path)
        command.make_context(path[-1], words[1 + len(path) :])


TERMS = re.findall(r"^- \*\*(.+?)\*\*: ", (ROOT / "docs" / "terms.md").read_text(), re.MULTILINE)


def test_each_term_is_listed_once_in_one_line() -> None:
    lines = [line for line in (ROOT / "docs" / "terms.md").read_text().splitlines() if "**" in line]
    assert len(lines) == len(TERMS) > 50
    assert [term for term, count in Counter(TERMS).items() if count > 1] == []


@pytest.mark.parametrize("term", TERMS)
def test_each_term_is_used(term: str) -> None:
    form = re.compile(rf"\b{re.sub('[ -]', '[ _-]', term)}", re.IGNORECASE)
    pages = [page for page in PAGES if page.name != "terms.md"]
    assert any(form.search(file.read_text()) for file in [*pages, *PACKAGES])


def test_the_list_of_terms_is_linked_from_the_front_pages() -> None:
    assert "(docs/terms.md)" in (ROOT / "README.md").read_text()
    assert "(docs/terms.md)" in (ROOT / "CONTRIBUTING.md").read_text()


def test_the_readmes_declaration_is_one() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    names = {name: getattr(everfit, name) for name in everfit.__all__}
    names |= {name: getattr(electricity, name) for name in ("half_hours", "labelled_half_hours", "market_now")}
    names |= {
        each.__name__: each
        for each in (make_column_transformer, make_pipeline, OneHotEncoder, SimpleImputer, RandomForestClassifier)
    }
    exec(block, names)
    made = names["electricity_price"]
    assert isinstance(made, Model)
    features = [("region", "category"), ("price", "number"), ("weekday", "number")]
    rows = pl.DataFrame({"region": ["NSW", "VIC", None] * 40, "price": [1.0, 2.0, None, 4.0] * 30, "weekday": [*range(5)] * 24})
    check_recipe(made.candidates[0], rows.with_columns(up=pl.col("weekday") % 2), task=made.task, features=features)
    assert made.drift == electricity.electricity_price.drift


def test_a_readers_environment_is_entered_before_a_bare_command() -> None:
    for page in (ROOT / "README.md", ROOT / "docs" / "new-model.md", ROOT / "docs" / "operate.md"):
        told = page.read_text()
        entered = told.index("source .venv/bin/activate")
        blocks = "".join(re.findall(r"```\n.*?```", told[:entered], re.DOTALL))
        assert not re.search(r"^everfit [a-z]", blocks, re.MULTILINE), page.name


def test_the_request_of_the_new_models_page_is_one() -> None:
    page = (ROOT / "docs" / "new-model.md").read_text()
    (body,) = re.findall(r"curl -s localhost:8000/predict/pump_stop -d '(.*?)'", page)
    fields = [everfit.declaration.Category("pump"), everfit.declaration.Integer("hour_of_day", between=(0, 23))]
    model = electricity.electricity_price.model_copy(update={"request": fields, "entity": "pump"})
    assert read_predict(model, body.encode()).rows == [{"pump": "p1", "hour_of_day": 1.0}]
