"""Fits of recipes on rows that a test made."""

import polars as pl

from everfit import BinaryClassification, Fitted, Recipe
from everfit.training.arrays import Features
from everfit.training.recipe_fit import fit_recipe


def fit(recipe: Recipe, rows: pl.DataFrame, *, features: Features, label: str) -> Fitted:
    """A fit for a label of 0 and 1."""
    return fit_recipe(recipe, rows, task=BinaryClassification(label=label.lstrip("_")), features=features, label=label)
