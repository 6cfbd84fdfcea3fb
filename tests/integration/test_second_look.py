"""A verdict that the days do not decide: the request ends, and the next window judges the same candidates on more days."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from everfit import Model
from everfit.declaration.retraining import SECOND_LOOK
from everfit.pipeline import manifests, training
from everfit.pipeline.manifests import Evaluation, TrainedModel, TrainingSet
from everfit.store import ledger as ledgers
from everfit.store import requests, verdicts
from everfit.store.ledger import Entry
from everfit.store.tables import ledger
from everfit.timing import format_time
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


def crowned(loop: Loop) -> None:
    """Version 1 became champion once more."""
    with loop.runtime.engine.begin() as connection:
        champion = ledgers.champion(connection, MODEL.name)
        assert champion is not None
        detail = {"manifest": champion.manifest, "trained_until": champion.trained_until.isoformat()}
        ledgers.append(
            connection, Entry(MODEL.name, "promoted", 1, 1, "person ada", "person", "again", None, LIVE + 2 * WEEK, detail)
        )


def test_an_inconclusive_candidate_is_judged_again_on_more_days_and_trained_once(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    crowned(loop)  # a person makes another champion while the run is under way, which is tried again
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

    third = loop.retrain(asked)
    assert (third.verdict, third.version) == ("rejected", None), "nothing is trained, and what is older never comes after"
    assert third.reason.endswith(f"version 2 became champion since, and was trained until {format_time(LIVE + WEEK)}")

    monkeypatch.setattr(training, "look_again", lambda *_: None)  # as after a change of the schema
    monkeypatch.setattr(training, "train_beside", lambda *_: after)
    given = manifests.get(loop.runtime.lake, judged_set := after.training_set, TrainingSet)
    anew = training.train(loop.runtime, MODEL, given, judged_set)
    assert (given.cause, manifests.learnt(loop.runtime.lake, anew).cause) == (SECOND_LOOK, "person")
