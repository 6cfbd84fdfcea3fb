"""Estimators as users bring them, small, and the rows that they are tried on."""

from typing import Any

import numpy as np
import polars as pl
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from everfit.declaration.views import Kind
from everfit.training.artifact import Signature

FEATURES: list[tuple[str, Kind]] = [
    ("distance", "number"),
    ("carrier", "category"),
    ("note", "text"),
    ("embedding", "vector[2]"),
    ("night", "flag"),
    ("hour", "number"),
]
SIGNATURE = Signature(model="made", features=FEATURES, schema="")


def made_rows(rows: int = 400) -> pl.DataFrame:
    """Rows with nulls, extremes, a short text, and labels: ``late`` of 0 and 1, ``minutes``, and ``when``, a class."""
    random = np.random.default_rng(7)
    carrier, distance, hour = (
        random.choice(["AA", "DL", "UA"], rows),
        random.normal(500, 200, rows),
        random.integers(0, 24, rows),
    )
    late = (carrier == "DL") ^ (distance > 600)
    embedding = pl.Series(np.stack([late + 0.1 * hour, hour / 24], axis=1), dtype=pl.Array(pl.Float32, 2))
    return pl.DataFrame(
        {
            "distance": pl.Series(distance).set(pl.Series(random.random(rows) < 0.1), None),
            "carrier": pl.Series(carrier).set(pl.Series(random.random(rows) < 0.1), None),
            "note": np.where(random.random(rows) < 0.8, np.where(late, "Late plane", "All is fine"), "Über den Wolken"),
            "embedding": embedding.set(pl.Series(random.random(rows) < 0.1), None),
            "night": pl.Series(hour > 20).set(pl.Series(random.random(rows) < 0.1), None),
            "hour": hour,
            "late": late.astype(float),
            "minutes": 600.0 * late + hour,
            "when": np.where(late, "late", np.where(hour > 11, "evening", "morning")),
        }
    ).with_columns(distance=pl.when(pl.int_range(pl.len()) == 5).then(9e4).otherwise("distance"))


def columns(*, scaled: bool = False) -> Any:
    """Categories one-hot, numbers imputed, by the columns' names. Scaled values are rounded, which can cross a tree's split."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler()) if scaled else SimpleImputer()
    return make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["carrier"]), (numbers, ["distance", "hour"]))


def logistic() -> Pipeline:
    return make_pipeline(columns(scaled=True), LogisticRegression())


def calibrated_forest() -> Pipeline:
    return make_pipeline(columns(), CalibratedClassifierCV(RandomForestClassifier(n_estimators=5), cv=2))


def light() -> Pipeline:
    from lightgbm import LGBMClassifier

    return make_pipeline(columns(), LGBMClassifier(n_estimators=5, verbose=-1))


def extreme() -> Pipeline:
    from xgboost import XGBClassifier

    return make_pipeline(columns(), XGBClassifier(n_estimators=5))


def words() -> Pipeline:
    return make_pipeline(make_column_transformer((TfidfVectorizer(), "note")), LogisticRegression())


def embedded() -> Pipeline:
    numbers = make_column_transformer((SimpleImputer(), ["embedding_0", "embedding_1", "night"]))
    return make_pipeline(numbers, LogisticRegression())


def ridge() -> Pipeline:
    return make_pipeline(columns(scaled=True), Ridge())


def forest() -> Pipeline:
    return make_pipeline(columns(), RandomForestRegressor(n_estimators=5, max_depth=5))


def boosted() -> Pipeline:
    return make_pipeline(columns(), GradientBoostingRegressor(n_estimators=5))


def light_numbers() -> Pipeline:
    from lightgbm import LGBMRegressor

    return make_pipeline(columns(), LGBMRegressor(n_estimators=5, verbose=-1))


def extreme_numbers() -> Pipeline:
    from xgboost import XGBRegressor

    return make_pipeline(columns(), XGBRegressor(n_estimators=5))


def discriminant() -> Pipeline:
    """What the converter translates wrongly, without an error."""
    return make_pipeline(columns(scaled=True), LinearDiscriminantAnalysis())


def native_categories() -> Pipeline:
    """Histogram boosting that splits a category natively."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    inputs = make_column_transformer((codes, ["carrier"]), ("passthrough", ["distance", "hour"]))
    return make_pipeline(inputs, HistGradientBoostingClassifier(max_iter=5, categorical_features=[0]))
