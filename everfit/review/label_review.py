"""What is said of labels: none to learn from, rare ones, late ones, days without any, and how they go by month."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from everfit.declaration import Model
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL, OBSERVED_AT
from everfit.errors import FeatureError
from everfit.pipeline.training_set import known_by
from everfit.review.remark import Remark, some
from everfit.timing import format_duration

if TYPE_CHECKING:
    import polars as pl

RARE_ROWS = 30  # of a class, below which next to nothing can be learnt of it
MOST_CLASSES = 50  # distinct labels up to which they are taken as classes
LATE_SHARE = 0.01  # of labels that may come after label_delay


def by_month(requests: "pl.DataFrame") -> "dict[str, float | dict[str, int]]":
    """The mean label of each month; of labels that are text the rows of each class."""
    import polars as pl

    months = requests.filter(pl.col(LABEL).is_not_null()).with_columns(_month=pl.col(EVENT_TIME).dt.strftime("%Y-%m"))
    if requests.schema[LABEL].is_numeric():
        means = months.group_by("_month").agg(pl.col(LABEL).mean()).sort("_month")
        return dict(zip(means["_month"], means[LABEL], strict=True))
    counted: dict[str, float | dict[str, int]] = {}
    for month, label, rows in months.group_by("_month", LABEL).agg(pl.len()).sort("_month", LABEL).iter_rows():
        cast("dict[str, int]", counted.setdefault(month, {}))[label] = rows
    return counted


def review_labels(model: Model, requests: "pl.DataFrame") -> Iterator[Remark]:
    """Remarks on the labels of all recorded requests."""
    subject = f"label {model.label}"
    if requests.is_empty():
        yield Remark("error", subject, "history makes no row", "let it return one row a request, with its label")
        return
    yield from _times(model, requests, subject)
    yield from _unusable(model, requests, subject)
    yield from _go_live(model, requests)
    yield from _empty_days(requests, subject)


def _times(model: Model, requests: "pl.DataFrame", subject: str) -> Iterator[Remark]:
    import polars as pl

    waited = pl.col(OBSERVED_AT) - pl.col(EVENT_TIME)
    if early := requests.filter(waited < timedelta()).height:
        what = f"{early} labels are known before their request is made (observed_at before event_time)"
        yield Remark("error", subject, what, "let history make observed_at the time at which the label was known")
    delay = model.training.label_delay
    slow = requests.filter(waited > delay).height / requests.height
    if slow > LATE_SHARE:
        usual = requests.select(waited.quantile(1 - LATE_SHARE)).item()
        declared = f"training.label_delay of {format_duration(delay)}"
        what = f"{slow:.1%} of the labels come later than {declared}; 99 % are known after {usual}"
        yield Remark("warning", subject, what, "declare training=TrainingWindow(label_delay=…) of at least that")


def _unusable(model: Model, requests: "pl.DataFrame", subject: str) -> Iterator[Remark]:
    """Labels that the task refuses, and classes too rare to learn."""
    labels = requests[LABEL]
    wrong = labels.filter(~model.task.usable(labels.to_numpy()))
    if nulls := labels.null_count():
        what = f"{nulls} of {labels.len()} rows have no label, and are not learnt from"
        yield Remark("warning", subject, what, "let history leave these rows out, or give their labels")
    if not (refused := wrong.drop_nulls()).is_empty():
        fault = model.task.label_fault(refused[0])
        what = f"{refused.len()} of {labels.len()} rows have a label such as {refused[0]}, no {fault}"
        yield Remark("error", subject, what, "map them in history, leave these rows out, or declare another task")
    yield from _rare(model, labels, subject)


def _rare(model: Model, labels: "pl.Series", subject: str) -> Iterator[Remark]:
    """Classes that there are few rows of, or none, unless they are declared to be learnt together."""
    names = model.task.score_names
    rows_of = dict.fromkeys(names, 0) | dict(labels.drop_nulls().value_counts().sort("count", LABEL).iter_rows())
    if model.task.loss != "log_loss" or len(rows_of) > MOST_CLASSES or getattr(model.task, "rare", None):
        return
    rare = [f"{label} ({rows} rows)" for label, rows in sorted(rows_of.items(), key=lambda each: each[1]) if rows < RARE_ROWS]
    if rare:
        what = f"too rare to learn, with fewer than {RARE_ROWS} of {labels.len()} rows: {some(rare)}"
        more = "collect more rows before going live"
        yield Remark("warning", subject, what, f"merge rare classes (rare='merge'), or {more}" if names else more)


def _go_live(model: Model, requests: "pl.DataFrame") -> Iterator[Remark]:
    """What the first version would be trained on."""
    first, last = cast(datetime, requests[EVENT_TIME].min()), cast(datetime, requests[EVENT_TIME].max())
    newest = cast(datetime, requests[OBSERVED_AT].max())
    span = f"the rows are of {first:%Y-%m-%d} to {last:%Y-%m-%d}"
    known = requests.filter(*known_by(model, model.go_live))
    go_live = f"{model.go_live:%Y-%m-%d %H:%M}"
    if known.is_empty():
        what = f"no label was known by go_live {go_live}: the first version has nothing to learn from; {span}"
        yield Remark("error", "go_live", what, "choose a later go_live, with some weeks of labels before it")
        return
    if model.go_live > newest + model.drift.window:
        what = (
            f"go_live {go_live} lies after all data: {span}; nothing can be replayed, and no label is of the time just before"
        )
        todo = f"choose a go_live within the data, such as {last:%Y-%m-%d}, unless the model really starts then"
        yield Remark("warning", "go_live", what, todo)
    try:
        model.task.targets(known.filter(model.task.usable(known[LABEL].to_numpy()))[LABEL].to_numpy())
    except FeatureError as error:
        yield Remark("error", "go_live", f"of the labels known by {go_live}: {error}", "choose a later go_live")


def _empty_days(requests: "pl.DataFrame", subject: str) -> Iterator[Remark]:
    import polars as pl

    labelled = set(requests.filter(pl.col(LABEL).is_not_null())[EVENT_TIME].dt.date())
    if not labelled:
        return
    first = min(labelled)
    days = [first + timedelta(days=n) for n in range((max(labelled) - first).days)]
    if empty := [f"{day}" for day in days if day not in labelled]:
        what = f"{len(empty)} of {len(days) + 1} days have no label: {some(empty)}"
        yield Remark("warning", subject, what, "look whether rows are missing; windows of such days cannot be judged")
