"""A verdict that the days do not decide: the request ends, and the next window judges the same candidates on more days."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from everfit import Model
from everfit.declaration.retraining import SECOND_LOOK
from everfit.pipeline import manifests
from everfit.pipeline.manifests import Evaluation, TrainedModel
from everfit.store import ledger as ledgers
from everfit.store import requests, verdicts
from everfit.store.tables import ledger
from tests.examples import electricity
from tests.loop import Loop

WEEK = timedelta(days=7)
MODEL = electricity().model
LIVE = MODEL.go_live


def asking(**gate: Any) -> Model:
    return MODEL.model_copy(update={"gate": MODEL.gate.model_copy(update=gate)})


@pytest.fixture
def loop(engine: sa.Engine, tmp_path: Path) -> Loop:
    return Loop(engine, tmp_path, MODEL, electricity().recorded)


def test_an_inconclusive_candidate_is_judged_again_on_more_days_and_trained_once(loop: Loop) -> None:
    loop.bootstrap()
    loop.play(LIVE, LIVE + WEEK)
    loop.model = asking(prove="better", wrong_promotions_per_year=1e-9)  # so sure that nothing shows it
    first = loop.retrain(None, cutoff=LIVE + WEEK)
    assert (first.verdict, first.version) == ("inconclusive", None)
    assert "not shown to be better, nor the contrary; more days may tell" in first.reason
    before, _ = manifests.newest(loop.runtime, MODEL, "trained_model", TrainedModel)
    compared, _ = manifests.newest(loop.runtime, MODEL, "evaluation", Evaluation)

    loop.play(LIVE + WEEK, LIVE + 2 * WEEK)
    assert loop.judge(LIVE + WEEK).requested
    with loop.runtime.engine.connect() as connection:
        (asked,) = requests.of_model(connection, MODEL.name)
        assert verdicts.spent(connection, MODEL.name, LIVE - WEEK) == pytest.approx(compared.spent)
    assert (asked.cause, asked.reason.partition(":")[0]) == (
        SECOND_LOOK,
        "a candidate is judged again, with the days since; before",
    )

    loop.model = asking(margin=1.0)
    second = loop.retrain(asked)
    after, _ = manifests.newest(loop.runtime, MODEL, "trained_model", TrainedModel)
    judged, _ = manifests.newest(loop.runtime, MODEL, "evaluation", Evaluation)
    assert second.version == 2, second.reason
    assert {each.artifact for each in after.candidates} <= {each.artifact for each in before.candidates}
    assert (compared.compared[0].days, judged.compared[0].days) == (5, 11), (
        "the day that the clock has not passed is not there yet"
    )
    with loop.runtime.engine.connect() as connection:
        champion, ended = ledgers.champion(connection, MODEL.name), requests.find(connection, asked.id)
        causes = connection.execute(sa.select(ledger.c.cause, ledger.c.action).order_by(ledger.c.id)).all()
        assert verdicts.inconclusive(connection, MODEL.name) is None, "it has passed"
    assert champion is not None
    assert (champion.version, champion.trained_until) == (2, LIVE + WEEK), "it has learnt nothing since"
    assert ended.status in ("promoted", "in_rollout")
    assert [tuple(row) for row in causes][:2] == [("person", "promoted"), ("person", "inconclusive")]
