"""Evidently's drift of each column of a window, with our thresholds, and its report as HTML.

One ``ValueDrift`` a column instead of the preset, which would choose its own method and threshold by the number of rows.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from everfit.evidence.calibration import Threshold

if TYPE_CHECKING:
    import polars as pl

_RANDOM_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}")


def run(
    thresholds: Sequence[Threshold], reference: "pl.DataFrame", window: "pl.DataFrame"
) -> tuple[dict[str, float], Callable[[], str]]:
    """Distance by column, and what renders the report as one HTML page.

    Every column must hold at least one value in both frames; Evidently drops nulls.
    """
    with _quiet():
        from evidently import DataDefinition, Dataset, Report
        from evidently.metrics import ValueDrift

        numbers = [threshold.column for threshold in thresholds if threshold.measure == "wasserstein"]
        categories = [threshold.column for threshold in thresholds if threshold.measure == "jensenshannon"]
        definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
        metrics = [ValueDrift(column=t.column, method=t.measure, threshold=t.threshold) for t in thresholds]
        current, past = (
            Dataset.from_pandas(_pandas(frame, numbers, categories), data_definition=definition)
            for frame in (window, reference)
        )
        snapshot = Report(metrics).run(current, past)
        found = {metric["config"]["column"]: float(metric["value"]) for metric in snapshot.dict()["metrics"]}
    return found, lambda: _html(snapshot)


def _html(snapshot: Any) -> str:
    """The page, its random element ids numbered in their order: the same evidence renders to the same bytes."""
    with _quiet():
        page = str(snapshot.get_html_str(as_iframe=False))
    numbers: dict[str, str] = {}
    return _RANDOM_ID.sub(lambda found: numbers.setdefault(found.group(), f"{len(numbers):032x}"), page)


def _pandas(frame: "pl.DataFrame", numbers: Sequence[str], categories: Sequence[str]) -> Any:
    import pandas as pd  # type: ignore[import-untyped]
    import polars as pl

    columns: dict[str, Any] = {}
    for name in numbers:
        values = frame[name].cast(pl.Float64)
        columns[name] = frame.select(pl.when(values.is_finite()).then(values).fill_null(float("nan"))).to_series().to_numpy()
    for name in categories:
        columns[name] = pd.Series(frame[name].to_list(), dtype="object")
    return pd.DataFrame(columns)


@contextmanager
def _quiet() -> Iterator[None]:
    """Evidently 0.7 imports numpy.core, and litestar's old names by way of its user interface."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="numpy.core is deprecated", category=DeprecationWarning)
        warnings.filterwarnings(
            "ignore", message="(Call to|Use of) deprecated (function|class) 'Dependency", category=DeprecationWarning
        )
        yield
