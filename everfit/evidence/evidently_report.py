"""Evidently's report of a window as one HTML page: what was measured of each column, beside the reference.

One ``ValueDrift`` a column instead of the preset, which would choose its own method and threshold by the number of rows. What
the data say is shown as they say it: the page takes categories for markup, for its own ids and for dates; here they are text.
"""

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from everfit.evidence.calibration import Threshold
from everfit.evidence.column_statistics import NOISE, as_text, common, present
from everfit.evidence.measures import Measure, measure_named

if TYPE_CHECKING:
    import polars as pl

RARE = "(rare ones)"
HUGE, TINY = 1e12, 1e-300

_DATA = re.compile(r"var metric_(?P<id>[0-9a-f]{32}) = ")
_RANDOM_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}")
_MARKUP = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def render(thresholds: Sequence[Threshold], reference: "pl.DataFrame", window: "pl.DataFrame") -> str:
    """The page. Every column holds at least one value in both frames; the same evidence renders to the same bytes.

    A column is left out that no histogram can be drawn of: of one number so large that half of one added to it is nothing.
    """
    measures = {t.column: measure_named(t.measure) for t in thresholds}
    frames = {t.column: _shown(measures[t.column], reference[t.column], window[t.column]) for t in thresholds}
    thresholds = [t for t in thresholds if not measures[t.column].draws_numbers or _drawable(*frames[t.column])]
    titles = {column: f"{measure.drawn_as} {column}".strip() for column, measure in measures.items()}
    with _quiet():
        import pandas as pd  # type: ignore[import-untyped]
        from evidently import DataDefinition, Dataset, Report
        from evidently.metrics import ValueDrift

        numbers = [titles[t.column] for t in thresholds if measures[t.column].draws_numbers]
        categories = [titles[t.column] for t in thresholds if not measures[t.column].draws_numbers]
        definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
        metrics = [
            ValueDrift(
                column=titles[t.column],
                method=measures[t.column].evidently,
                threshold=measures[t.column].drawn_threshold(t.threshold, reference[t.column], window[t.column]),
            )
            for t in thresholds
        ]
        past, current = (
            Dataset.from_pandas(
                pd.DataFrame({titles[t.column]: frames[t.column][side] for t in thresholds}), data_definition=definition
            )
            for side in (0, 1)
        )
        snapshot = Report(metrics).run(current, past)
        return _as_text(str(snapshot.get_html_str(as_iframe=False)))


def _as_text(page: str) -> str:
    """The page with its data written anew: ids numbered in their order, categories as text wherever they end up."""
    match = _DATA.search(page)
    assert match, "Evidently's page holds its data in a variable"
    data, length = json.JSONDecoder().raw_decode(page[match.end() :])
    numbers: dict[str, str] = {}
    _tidy(data, numbers)
    written = json.dumps(data)
    for character, escaped in _MARKUP.items():
        written = written.replace(character, escaped)
    rest = page[: match.end()], page[match.end() + length :]
    before, after = (part.replace(match["id"], f"{0:032x}") for part in rest)
    return before + written + after


def _tidy(node: Any, numbers: dict[str, str]) -> None:
    """Number the ids of the widgets; tell the plots that categories are neither markup nor dates."""
    if isinstance(node, list):
        for part in node:
            _tidy(part, numbers)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("id"), str):
        node["id"] = _numbered(node["id"], numbers)
    node |= (
        {"linked_metrics": [_numbered(part, numbers) for part in node["linked_metrics"]]} if node.get("linked_metrics") else {}
    )
    if isinstance(node.get("layout"), dict) and isinstance(node.get("data"), list):
        named = [trace for trace in node["data"] if trace.get("type") == "bar" and any(isinstance(x, str) for x in trace["x"])]
        for trace in named:
            trace["x"] = [escape(str(x), quote=False) for x in trace["x"]]
        if named:
            node["layout"].setdefault("xaxis", {})["type"] = "category"
    for part in node.values():
        _tidy(part, numbers)


def _numbered(text: str, numbers: dict[str, str]) -> str:
    return _RANDOM_ID.sub(lambda match: numbers.setdefault(match.group(), f"{len(numbers) + 1:032x}"), text)


def _shown(measure: Measure, reference: "pl.Series", window: "pl.Series") -> tuple[Any, ...]:
    """A column of the reference and of the window, as Evidently takes them."""
    if measure.draws_numbers:
        return _numbers(*(_drawn(measure, column) if measure.drawn_as else column for column in (reference, window)))
    reference, window = as_text(reference), as_text(window)
    return _categories(reference, window, together=measure.rare_share > 0)


def _drawn(measure: Measure, column: "pl.Series") -> "pl.Series":
    """What the page shows of a column in place of its values; nulls come last."""
    values = measure.values(column)
    return values.extend_constant(None, len(column) - len(values))


def _drawable(*columns: Any) -> bool:
    low, high = _range(columns)
    return high > low or abs(low) < HUGE


def _range(columns: Any) -> tuple[float, float]:
    import numpy as np

    values = np.concatenate(columns)
    return float(np.nanmin(values)), float(np.nanmax(values))


def _numbers(*columns: "pl.Series") -> tuple[Any, ...]:
    """Finite numbers; those that differ by less than the noise of arithmetic, which no histogram can be drawn of, are one."""
    import numpy as np
    import polars as pl

    made = [column.cast(pl.Float64).to_numpy(writable=True) for column in columns]
    for values in made:
        values[~np.isfinite(values)] = np.nan
    low, high = _range(made)
    if high - low <= max(NOISE * max(abs(low), abs(high)), TINY):
        for values in made:
            values[~np.isnan(values)] = low
    return tuple(made)


def _categories(reference: "pl.Series", window: "pl.Series", *, together: bool) -> tuple[Any, ...]:
    """Texts; where rare ones are measured together, they are shown together."""
    import pandas as pd

    columns = [reference.to_list(), window.to_list()]
    if together:
        kept = common(present(reference), present(window))
        rare = RARE + "…" * any(RARE in column for column in columns)
        columns = [[value if value is None or value in kept else rare for value in column] for column in columns]
    return tuple(pd.Series(column, dtype="object") for column in columns)


@contextmanager
def _quiet() -> Iterator[None]:
    """Evidently 0.7 imports numpy.core, and litestar's old names by way of its user interface."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="numpy.core is deprecated", category=DeprecationWarning)
        warnings.filterwarnings(
            "ignore", message="(Call to|Use of) deprecated (function|class) 'Dependency", category=DeprecationWarning
        )
        yield
