"""Recipes that fail, or spoil what they are given. Every fit imports this module in a process of its own: it is light."""

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from everfit import FitContext, Fitted, GradientBoosting, Recipe
from everfit.declaration import Name
from everfit.errors import FeatureError, LakeError


class Failing(Recipe):
    """Raises."""

    how: str

    def fit(self, rows: pl.DataFrame, context: FitContext) -> Any:
        raise ERRORS[self.how]


ERRORS: dict[str, Exception] = {
    "recipe": RuntimeError("the recipe cannot"),
    "feature": FeatureError("no"),
    "mistake": TypeError("a mistake"),
    "lake": LakeError("no space left"),
    "disk": OSError(errno.ENOSPC, "no space left"),
}


class Spoilt(Recipe):
    """Fits trees as the first candidate does, and spoils its rows or its answers."""

    name: Name = "spoilt"
    how: str

    def fit(self, rows: pl.DataFrame, context: FitContext) -> Any:
        if self.how == "file":
            Path("/nowhere/weights.bin").read_bytes()
        fitted: Any = GradientBoosting(trees=3).fit(rows, context)
        if self.how == "rows":
            for name, _ in context.features:
                rows.replace_column(rows.columns.index(name), pl.Series(name, [None] * rows.height))
            context.labels[:] = 0.0
        return SpoiltFit(fitted, self.how)


@dataclass
class SpoiltFit:
    """Answers NaN in its first row, or exports a graph that answers a column or NaN."""

    fitted: Fitted
    how: str

    def predict(self, frame: pl.DataFrame) -> Any:
        answers = self.fitted.predict(frame)
        if self.how == "nan":
            answers[0] = float("nan")
        return answers

    def to_onnx(self) -> bytes:
        from tests.recipes import appended

        exported = self.fitted.to_onnx()
        if self.how == "column graph":
            return appended(exported, "Unsqueeze", [1])
        return appended(exported, "Mul", float("nan")) if self.how == "nan graph" else exported
