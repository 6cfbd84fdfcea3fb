"""The types of a task's columns in a frame: its labels and its answers."""

import polars as pl

from everfit.declaration.tasks import Task


def label_type(task: Task) -> pl.DataType:
    """Of LABEL: text where labels are classes, else a number."""
    return pl.String() if task.label_kind == "category" else pl.Float64()


def answer_type(task: Task) -> pl.DataType:
    """Of SCORE and CANDIDATE: a number, or an array of K numbers."""
    return pl.Array(pl.Float64(), len(task.score_names)) if task.score_names else pl.Float64()
