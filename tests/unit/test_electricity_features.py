"""The example's features on its real data: a naive join gives the label away, everfit's does not."""

from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from everfit.errors import SourceError
from everfit.features.labelled_rows import labelled
from everfit.features.offline import compute
from everfit.pipeline.code_versions import stage_version
from models.electricity_price import electricity_price, recorded_half_hours


@cache
def computed() -> pl.DataFrame:
    """Every labelled half-hour with its features."""
    recorded = recorded_half_hours()
    spine = labelled(electricity_price, {"half_hours": recorded})
    return compute(electricity_price.views, {"half_hours": recorded}, spine)


def test_the_price_of_a_naive_join_gives_the_label_away_and_ours_does_not() -> None:
    recorded = recorded_half_hours().select(_event_time="period_start", own_price="price")
    rows = computed().join(recorded, on="_event_time")
    naive = roc_auc_score(rows["_label"], rows["own_price"] - rows["price_24h"])
    honest = roc_auc_score(rows["_label"], rows["price"] - rows["price_24h"])
    assert naive > 0.999
    assert honest < 0.95


def test_no_feature_holds_the_half_hour_asked_about() -> None:
    recorded = recorded_half_hours()
    half_hour = 1_000
    asked = recorded[half_hour].select(_event_time="period_start", region="region")
    changed = recorded.with_columns(
        pl.when(pl.int_range(pl.len()) >= half_hour).then(0.987654).otherwise(pl.col(name)).alias(name)
        for name in ("price", "demand", "neighbour_price", "neighbour_demand", "transfer")
    )
    views = electricity_price.views
    assert compute(views, {"half_hours": changed}, asked).equals(compute(views, {"half_hours": recorded}, asked))


def test_the_features_are_what_they_say() -> None:
    recorded = recorded_half_hours()
    prices = recorded["price"].to_numpy()
    rows = computed()
    at = recorded["period_start"].search_sorted(rows["_event_time"]).to_numpy()
    assert (rows["price"].to_numpy() == prices[at - 1]).all()
    assert (rows["demand_yesterday"].to_numpy() == recorded["demand"].to_numpy()[at - 48]).all()
    day = np.array([prices[i - 48 : i].mean() for i in at[:2_000]])
    assert np.allclose(rows["price_24h"].to_numpy()[:2_000], day, rtol=0, atol=1e-9)


def test_a_history_may_keep_the_name_of_the_event_times_column() -> None:
    def renamed(half_hours: Any) -> Any:
        return electricity_price.history(half_hours).rename({"event_time": "period_start"})

    sources = {"half_hours": recorded_half_hours()}
    model = electricity_price.model_copy(update={"history": renamed})
    assert labelled(model, sources).equals(labelled(electricity_price, sources))
    unsaid = model.model_copy(update={"event_time": None})
    with pytest.raises(SourceError, match="makes no column 'event_time'"):
        labelled(unsaid, sources)
    assert stage_version(unsaid, "features") != stage_version(model, "features")
