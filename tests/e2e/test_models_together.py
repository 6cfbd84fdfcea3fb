"""All shipped models in one stack, one sensor and one topic, each by its own clock; nothing is pressed by hand.

They are of different size and of three tasks: two say whether, one how much, one which of several.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from everfit.store.database import create_engine
from everfit.store.tables import decisions, evidence, outcomes, predictions, retrain_requests, windows
from tests.e2e.stack import Stack, running

pytestmark = pytest.mark.e2e

SPANS = {
    "electricity_price": ("1996-09-04", "1996-09-07"),
    "flight_delay": ("2013-01-29", "2013-02-01"),
    "traffic_volume": ("2013-04-01", "2013-04-22"),
    "traffic_weather": ("2013-04-01", "2013-04-22"),
}
WINDOWS = {"traffic_volume": timedelta(days=7), "traffic_weather": timedelta(days=7)}  # of the others a day


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("e2e") / "home", models="tests.e2e.together") as stack:
        yield stack


@pytest.fixture(scope="module")
def replayed(stack: Stack) -> dict[str, dict[str, Any]]:
    """All trained and played at the same time, for three windows each."""

    def live(model: str) -> dict[str, Any]:
        trained = stack.json("train", model)
        assert trained["status"] == "promoted", trained
        start, end = SPANS[model]
        played: dict[str, Any] = stack.json("replay", model, "--from", start, "--to", end)
        return played

    with ThreadPoolExecutor(len(SPANS)) as pool:
        return dict(zip(SPANS, pool.map(live, SPANS), strict=True))


@pytest.fixture
def store(stack: Stack, replayed: dict[str, dict[str, Any]]) -> Iterator[sa.Connection]:
    engine = create_engine(stack.settings.database_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize("model", SPANS)
def test_every_answer_is_stored_once_with_its_outcome(
    model: str, replayed: dict[str, dict[str, Any]], store: sa.Connection
) -> None:
    played = replayed[model]
    assert (played["failed"], played["degraded"]) == (0, 0)
    champions = sa.select(sa.func.count(), sa.func.count(sa.distinct(predictions.c.request_id))).where(
        predictions.c.model == model, predictions.c.role == "champion"
    )
    assert tuple(store.execute(champions).one()) == (played["answered"],) * 2
    told = sa.select(sa.func.count()).select_from(outcomes).where(outcomes.c.model == model)
    assert store.execute(told).scalar() == played["outcomes"]


def test_each_model_keeps_its_own_clock_and_closes_its_own_windows(store: sa.Connection) -> None:
    for model, (start, _) in SPANS.items():
        closed = store.execute(sa.select(windows.c.start).where(windows.c.model == model).order_by(windows.c.start)).scalars()
        first = datetime.fromisoformat(f"{start}T00:00:00Z")
        assert list(closed)[:2] == [first, first + WINDOWS.get(model, timedelta(days=1))]
        reasons = store.execute(sa.select(decisions.c.reason).where(decisions.c.model == model)).scalars().all()
        assert len(reasons) >= 2
        assert all(reasons)


def test_outcomes_come_days_and_windows_after_their_requests(store: sa.Connection) -> None:
    answered = predictions.join(
        outcomes, sa.and_(predictions.c.model == outcomes.c.model, predictions.c.request_id == outcomes.c.request_id)
    )
    later = sa.func.date(sa.func.timezone("UTC", outcomes.c.observed_at)) > sa.func.date(
        sa.func.timezone("UTC", predictions.c.event_time)
    )
    query = sa.select(sa.func.count()).select_from(answered).where(predictions.c.model == "flight_delay", later)
    assert store.execute(query).scalar_one() > 50


def test_what_is_no_yes_or_no_is_stored_and_judged_as_it_is(store: sa.Connection) -> None:
    volume = predictions.c.model == "traffic_volume"
    low, high = store.execute(sa.select(sa.func.min(predictions.c.score), sa.func.max(predictions.c.score)).where(volume)).one()
    assert 0 < low < 1_000 < 4_000 < high < 10_000
    weather = predictions.c.model == "traffic_weather"
    for score, scores in store.execute(sa.select(predictions.c.score, predictions.c.scores).where(weather)):
        assert score is None
        assert len(scores) == 11
        assert sum(scores.values()) == pytest.approx(1)
    told = sa.select(outcomes.c.outcome_class).where(outcomes.c.model == "traffic_weather").distinct()
    assert set(store.execute(told).scalars()) >= {"Clear", "Clouds", "Rain", "Snow"}
    judged = sa.select(evidence.c.model, evidence.c.reason).where(evidence.c.kind == "performance")
    for model, loss in (("traffic_volume", "absolute error"), ("traffic_weather", "log loss")):
        assert any(reason.startswith(loss) for one, reason in store.execute(judged) if one == model), model


def test_old_training_data_led_to_one_retraining_of_each_model_concerned(store: sa.Connection) -> None:
    asked = store.execute(sa.select(retrain_requests).where(retrain_requests.c.cause == "freshness")).mappings().all()
    concerned = [("flight_delay", "promoted", 1), ("traffic_volume", "promoted", 1), ("traffic_weather", "promoted", 1)]
    assert sorted((row["model"], row["status"], row["attempt"]) for row in asked) == concerned
