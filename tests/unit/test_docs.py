"""The pages for readers: what they link to is there, the pictures are small, and the README names every command."""

import re
from pathlib import Path

import pytest

from everfit.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
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
