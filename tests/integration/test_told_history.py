"""What a person on call is told, read from what the loop has written: forecasts, and what ended without an answer."""

from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa

from everfit.declaration.retraining import Decision
from everfit.store import decided_windows, decisions, judgements, ledger, requests, rollouts
from everfit.store.decided_windows import Forecast
from everfit.store.judgements import Judgement
from everfit.store.rollouts import LiveDay, Rollout
from everfit.store.tables import retrain_requests
from everfit.store.unanswered import Unanswered, unanswered
from tests.events import MODEL

WEEK = timedelta(days=7)
END = MODEL.go_live + 2 * WEEK


def scored(number: int, gap: float) -> Judgement:
    end = MODEL.go_live + number * WEEK
    return Judgement(f"r-{number}", MODEL.name, 1, end - WEEK, end, "regret", "ok", gap, None, "scored", {})


def shown(day: int, difference: float | None) -> LiveDay:
    return LiveDay(
        day=f"1996-09-{day}",
        difference=difference,
        asked=48,
        rows=48,
        other_rows=48,
        degraded=0,
        other_degraded=0,
        missing=0,
        other_missing=0,
    )


def test_a_promotion_has_the_newest_regret_beside_what_its_days_show(engine: sa.Engine) -> None:
    asked = requests.new(MODEL, "regret", "at stake", champion=1, cutoff=END)
    with engine.begin() as connection:
        judgements.record(connection, [scored(2, 0.02), scored(1, 0.05)])
        decisions.record(connection, MODEL, END, 1, Decision("retrain", "regret", "at stake", ("r-1", "r-2", "drift-2")))
        requests.add(connection, asked)
        detail = {"manifest": "", "trained_until": END.isoformat()}
        promoted = ledger.Entry(MODEL.name, "promoted", 1, 2, "run", "regret", "better", asked.id, END, detail)
        by_hand = ledger.Entry(MODEL.name, "promoted", 2, 3, "ada", "person", "", None, END, detail)
        for entry in (promoted, by_hand):
            ledger.append(connection, entry)
        days = [shown(20, -0.01), shown(21, None), shown(22, -0.03)]
        rollouts.add(connection, Rollout("guard", MODEL.name, 2, 1, [], 0, END, days=days, state="provisional"))
        assert decided_windows.forecasts(connection, MODEL.name) == {2: Forecast(0.02, 0.02, 2)}
        (decided,) = decided_windows.of_model(connection, MODEL.name)
    assert (decided.at, decided.champion, decided.action, decided.cause) == (END, 1, "retrain", "regret")


def test_what_ended_without_an_answer_is_counted(engine: sa.Engine) -> None:
    asked = requests.new(MODEL, "drift", "why", champion=1, cutoff=END)
    with engine.begin() as connection:
        for number in (1, 2, 3):
            decisions.record(connection, MODEL, MODEL.go_live + number * WEEK, 1, Decision("none", None, "quiet"))
        without = replace(scored(2, 0.0), statistic=None, verdict="insufficient", detail={"missing": "comparator"})
        drift = replace(scored(1, 0.1), id="d-1", kind="drift", verdict="alarm")
        judgements.record(connection, [scored(1, 0.0), without, drift, replace(drift, id="other", version=2)])
        requests.add(connection, asked)
        connection.execute(sa.update(retrain_requests).values(status="failed"))
        assert unanswered(connection, [MODEL.name, "unheard_of"]) == [
            Unanswered(MODEL.name, "runs without a verdict", 1, 1),
            Unanswered(MODEL.name, "windows without evidence", 2, 3),
            Unanswered(MODEL.name, "windows without a comparator", 1, 2),
        ]
