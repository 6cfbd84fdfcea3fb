"""What is said of features: one that gives the label away, is always the same, mostly null, or described by nobody."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from everfit.declaration import Model, Source
from everfit.declaration.feature_notes import feature_notes
from everfit.declaration.reserved_columns import LABEL
from everfit.declaration.values import shown
from everfit.declaration.views import FeatureView
from everfit.features.point_in_time import moment, shaped
from everfit.review.recorded_data import RecordedData
from everfit.review.remark import Remark, some
from everfit.timing import format_duration

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

BINS = 20  # of a number, of equal counts
LEAK = 0.8  # share of the loss that no feature takes away alone
MOSTLY = 0.5


def review_features(model: Model, data: RecordedData) -> Iterator[Remark]:
    """Remarks on every input, on a sample of the requests."""
    usable = data.features.filter(model.task.usable(data.features[LABEL].to_numpy()))
    for name, _ in model.features:
        yield from _values(name, data.features[name])
        if usable.height:
            yield from _leak(model, usable, name)
    for view in model.views:
        yield from _ahead_of_publication(view, model.source(view.source), data.rows[view.source])
    if bare := [note.name for note in feature_notes(model) if not note.description]:
        todo = "write description='…' and unit='…' on the column or the feature; the pages show them"
        yield Remark("note", "features", f"{len(bare)} have no description: {some(bare)}", todo)


def _values(name: str, values: "pl.Series") -> Iterator[Remark]:
    share = values.null_count() / max(values.len(), 1)
    if share > MOSTLY:
        todo = "look at the view's key, known_at and ttl; take the feature out where it is meant so"
        yield Remark("warning", f"feature {name}", f"{share:.0%} of its values are null", todo)
    elif values.drop_nulls().n_unique() == 1:
        value = shown(values.drop_nulls()[:1].to_list()[0])
        what = f"always {value}: nothing can be learnt from it, and it is left out of fits"
        yield Remark("note", f"feature {name}", what, "nothing, if it will vary later; else take it out")


def _leak(model: Model, rows: "pl.DataFrame", name: str) -> Iterator[Remark]:
    subject, todo = f"feature {name}", "look whether it is known only after the event; a leak is right in tests and wrong live"
    label, values = rows[LABEL], rows[name]
    if label.n_unique() > 1 and values.dtype == label.dtype and values.equals(label):
        yield Remark("error", subject, "equals the label in every row", "take it out: it is what is to be predicted")
        return
    if (power := single_power(model, rows, name)) > LEAK:
        what = f"suspiciously good: alone it takes away {power:.0%} of the loss of a constant answer"
        yield Remark("error" if power > 0.99 else "warning", subject, what, todo)


def single_power(model: Model, rows: "pl.DataFrame", name: str) -> float:
    """The share of a constant answer's loss that one feature takes away: an answer for each bin, on rows not made from.

    A number has up to 20 bins of equal counts, a category or flag one a value, a vector one; null is a bin too. Every
    second row makes the answers, the others judge them; a bin that only these have gets the constant.
    """
    import numpy as np

    bins, labels = _bins(rows[name]), rows[LABEL].to_numpy()
    made, judged = slice(0, None, 2), slice(1, None, 2)
    constant = np.asarray(model.task.baseline(labels[made]))
    answers = np.broadcast_to(constant, (len(labels[judged]), *constant.shape)).copy()
    before = float(model.task.losses(labels[judged], answers).mean()) if len(answers) else 0.0
    for each in np.unique(bins[made]):
        answers[bins[judged] == each] = model.task.baseline(labels[made][bins[made] == each])
    return 1 - float(model.task.losses(labels[judged], answers).mean()) / before if before > 0 else 0.0


def _bins(values: "pl.Series") -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """The number of each value's bin, int64[N]; -1 for null."""
    import numpy as np

    if values.dtype.is_numeric():
        numbers = values.to_numpy().astype(np.float64)
        known = numbers[np.isfinite(numbers)]
        edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.array([])
        exact = np.unique(known)
        edges = exact if len(exact) <= BINS else edges
        return np.where(np.isfinite(numbers), np.searchsorted(edges, numbers, side="right"), -1).astype(np.int64)
    if values.dtype.is_nested():  # hardly two vectors are equal
        return np.where(values.is_null().to_numpy(), -1, 0).astype(np.int64)
    return values.rank("dense").cast(int).fill_null(-1).to_numpy().astype(np.int64)


def _ahead_of_publication(view: FeatureView, source: Source, rows: "pl.DataFrame") -> Iterator[Remark]:
    """A view that says of a row that it was known before its source publishes it."""
    made = shaped(view, rows)
    if source.event_time not in made.columns:
        return
    published = moment(made, source.event_time) + source.known_after
    soon = made.select(soon=moment(made, view.known_at) < published)["soon"].sum()
    if soon:
        delay = format_duration(source.known_after)
        what = (
            f"{soon} rows are known by {view.known_at} before {source.name} publishes them, {delay} after {source.event_time}"
        )
        least = f"{source.event_time} and {delay}" if source.known_after else source.event_time
        todo = f"let {view.known_at} be at least {least}: training would see what serving cannot"
        yield Remark("error", f"view {view.name}", what, todo)
