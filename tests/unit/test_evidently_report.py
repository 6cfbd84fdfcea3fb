"""Evidently's page shows what the data say: categories are text there, whatever they look like."""

import json
import re
from html import unescape
from typing import Any

import polars as pl
import pytest

from everfit.evidence.calibration import Threshold
from everfit.evidence.evidently_report import render

STRANGE = [
    "</script><script>document.title = 'broken'</script>",
    "<!-- <script>",
    "6f1e2d3c-1111-4222-8333-444455556666",
    "0123456789abcdef0123456789abcdef",
    "0012",
    "1e3",
    "2020-01-01",
    "<b>bold</b><br>",
    "a&amp;b & \u2028 \\u003c {x} %y $z$ é",
    "",
]


def shown(page: str) -> Any:
    """What the page's script is given."""
    found = re.search(r"var metric_[0-9a-f]{32} = (.*?);\s*var additional_graphs_", page, re.DOTALL)
    assert found
    assert not set(found[1]) & set("<>&\u2028"), "nothing that a parser of HTML takes for markup"
    return json.loads(found[1])


def bars(node: Any) -> list[dict[str, Any]]:
    """The plots that hold a bar for each category."""
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    found = [plot for one in inside for plot in bars(one)]
    if isinstance(node, dict) and isinstance(node.get("data"), list) and node["data"][0].get("type") == "bar":
        found.append(node)
    return found


def page(values: list[str | None], measure: Any = "jensenshannon") -> str:
    reference = pl.DataFrame({"c": values * 3, "n": [float(n) for n in range(3 * len(values))]})
    thresholds = [Threshold("c", measure, 0.0, 0.05, 0.1), Threshold("n", "wasserstein", 0.0, 0.05, 0.1)]
    return render(thresholds, reference, reference.head(2 * len(values)))


def test_categories_are_shown_as_they_are() -> None:
    plot = bars(shown(page([*STRANGE, None])))[0]
    assert plot["layout"]["xaxis"]["type"] == "category", "2020-01-01 is no date, and 1e3 no number"
    assert {unescape(label) for trace in plot["data"] for label in trace["x"]} == set(STRANGE)
    assert not any(set(label) & set("<>") for trace in plot["data"] for label in trace["x"]), "the plots know some markup"


@pytest.mark.parametrize("value", STRANGE)
def test_one_category_breaks_no_page_and_changes_none_of_the_rest(value: str) -> None:
    made, plain = page([value, "other"]), page(["plain", "other"])
    assert made.count("<script") == plain.count("<script")
    assert made.count("</script") == plain.count("</script")
    assert shown(made)["widgets"][0]["id"] == shown(plain)["widgets"][0]["id"]


def test_the_same_evidence_renders_to_the_same_bytes() -> None:
    assert page(STRANGE) == page(STRANGE)  # type: ignore[arg-type]


def test_rare_categories_are_shown_together_where_they_are_measured_together() -> None:
    names = [f"id-{n}" for n in range(100)] + ["often"] * 100
    (plot, *_) = bars(shown(page(names, "common_jensenshannon")))  # type: ignore[arg-type]
    assert {label for trace in plot["data"] for label in trace["x"]} == {"often", "(rare ones)"}


@pytest.mark.parametrize("values", [[0.003467, 0.0034670000000000005], [1e-320, 0.0], [1e36, 1e36], [0.0, 0.0], [1e-9, 2e-9]])
def test_columns_that_hardly_vary_are_drawn(values: list[float]) -> None:
    frame = pl.DataFrame({"n": [*values * 50, float("inf"), None], "m": [float(n) for n in range(102)]})
    for measure in ("wasserstein", "scaled_wasserstein"):
        thresholds = [Threshold(name, measure, 0.0, 0.05, 0.1) for name in ("n", "m")]
        told = json.dumps(shown(render(thresholds, frame, frame)))
        assert "Drift in column 'm'" in told
        assert ("Drift in column 'n'" in told) == (values[0] < 1e36), "of one huge number there is nothing to draw"
