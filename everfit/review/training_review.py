"""What is said of windows and of a training: rows for a verdict, its size, and its seconds by a fit on a part."""

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from everfit.declaration import Model
from everfit.declaration.recipes import Recipe
from everfit.declaration.reserved_columns import EVENT_TIME, LABEL
from everfit.pipeline.training_set import known_by
from everfit.review.remark import Remark
from everfit.timing import format_duration
from everfit.training.searching import Search

if TYPE_CHECKING:
    import polars as pl

FIT_ROWS = 4_000  # of the fit that the seconds are extrapolated from


class Expected(NamedTuple):
    """Of the first training: rows, megabytes as float64, and seconds of each recipe's fits, the gate's folds included."""

    rows: int
    megabytes: float
    seconds: Mapping[str, float]


def review_windows(model: Model, requests: "pl.DataFrame") -> Iterator[Remark]:
    """Remarks on the windows of the recorded requests, and on the days that the gate can judge on."""
    import polars as pl

    length = model.drift.window
    number = (pl.col(EVENT_TIME) - model.go_live).dt.total_microseconds() // (length.total_seconds() * 1e6)
    windows = requests.group_by(number.alias("window")).len().sort("window")["len"][1:-1]  # the first and last are cut
    thin = windows.filter(windows < model.drift.min_rows).len()
    if thin * 10 > windows.len():
        median = float(str(windows.median()))
        what = f"{thin} of {windows.len()} windows of {format_duration(length)} hold fewer than "
        todo = "declare a longer drift.window, or fewer min_rows: such windows are not judged for drift"
        yield Remark(
            "warning", "drift.window", f"{what}min_rows={model.drift.min_rows}, half of them at most {median:.0f}", todo
        )
    days = requests.filter(*known_by(model, model.go_live))[EVENT_TIME].dt.date().n_unique()
    if 0 < days <= (least := model.gate.min_unseen_days):
        what = f"{days} days have labels by the go_live, and the gate judges on {least}"
        yield Remark("warning", "go_live", what, "choose a later go_live: a first version is held against the baseline there")


def expect(model: Model, requests: "pl.DataFrame", sample: "pl.DataFrame") -> tuple[Expected, list[Remark]]:
    """The size and seconds of the first training, and a remark on each recipe that fails on a part of the rows."""
    rows = requests.filter(*known_by(model, model.go_live)).height
    part = sample.filter(*known_by(model, model.go_live))
    part = part.filter(model.task.usable(part[LABEL].to_numpy()))
    seconds: dict[str, float] = {}
    remarks: list[Remark] = []
    for recipe in model.candidates if part.height else []:
        try:
            seconds[recipe.name] = _extrapolated(model, recipe, part.tail(FIT_ROWS), rows)
        except Exception as error:  # noqa: BLE001 - a recipe may raise anything
            what = f"its fit on {min(part.height, FIT_ROWS)} rows fails: {type(error).__name__}: {error}"
            remarks.append(Remark("error", f"recipe {recipe.name}", what, "correct the recipe; it would be set aside"))
    return Expected(rows, rows * len(model.features) * 8 / 1e6, seconds), remarks


def _extrapolated(model: Model, recipe: Recipe, part: "pl.DataFrame", rows: int) -> float:
    """Seconds of the fits of the folds and of the last one, in proportion to their rows."""
    from everfit.training.recipe_fit import fit_candidate

    began = time.monotonic()
    fit_candidate(model, recipe, part)
    each = (time.monotonic() - began) * max(1.0, rows / part.height)
    return each * (model.gate.folds + 1) + (_searching(recipe, each) if isinstance(recipe, Search) else 0.0)


def _searching(search: Search, each: float) -> float:
    """Seconds of the trials at most, where a fit takes ``each``; one that runs when the time is over is ended by no clock."""
    from everfit.training.search_folds import FOLDS

    needed = each * FOLDS * search.trials
    return needed if search.within is None else min(needed, search.within.total_seconds() + each * FOLDS)
