"""Policies played over what models lost: the findings, history and limits of the loop, and nothing of what comes later."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from everfit import FreshnessPolicy, Limits
from everfit.declaration.retraining import Status
from everfit.policy.losses import Losses
from everfit.policy.play import play
from tests.losses import START, ageing, by_hand
from tests.played import SummedRegret, declared
from tests.timer import Timer


@pytest.mark.parametrize(
    ("cost", "lag", "lives", "loss"),
    [
        (0.3, 0, [0, 3, 6, 9], 1.3289796043877238),
        (0.6, 0, [0, 4, 8], 1.3972243263124446),
        (1.0, 0, [0, 5], 1.461313325459569),
        (0.3, 3, [0, 6], 1.4876217714249804),
        (0.6, 3, [0, 7], 1.5405910455645908),
        (1.0, 3, [0, 8], 1.6220297255864915),
    ],
)
def test_regret_is_played_as_another_computation_plays_it(cost: float, lag: int, lives: list[int], loss: float) -> None:
    losses = ageing(lag=lag)
    played = play(declared(SummedRegret(cost)), losses)
    assert [0, *played.promotions] == lives
    assert losses.mean(lives) == pytest.approx(loss)
    assert losses.mean_of(played.serving) == pytest.approx(loss)


def test_a_finding_says_what_the_loop_would_say() -> None:
    found = [each for each in play(declared(SummedRegret(100.0)), by_hand()).findings if each.kind == "regret"]
    assert [(each.start, each.end, each.verdict) for each in found] == [
        (START, START + timedelta(days=2), "ok"),
        (START + timedelta(days=2), START + timedelta(days=4), "ok"),
    ]
    assert found[1].detail == {
        "scored": ["2024-01-03T00:00:00Z", "2024-01-05T00:00:00Z"],
        "champion": 2.0,
        "comparator": 1.0,
        "rows": 2,
        "weeks": 2 / 7,
        "cutoff": "2024-01-03T00:00:00Z",
        "fit_seconds": 2.0,
    }


def test_a_policy_that_compares_with_nothing_has_no_comparator() -> None:
    found = play(declared(Timer(timedelta(days=21))), ageing()).findings
    assert {each.verdict for each in found if each.kind == "regret"} == {"insufficient"}


def test_a_window_of_few_labels_says_nothing() -> None:
    losses = ageing()
    losses.due_rows[14:21] = 0
    found = [each for each in play(declared(SummedRegret(100.0)), losses).findings if each.kind == "regret"]
    assert [each.verdict for each in found][1:4] == ["ok", "insufficient", "ok"]
    assert found[2].reason == "0 matured labels; 2 are needed"


def test_late_labels_leave_the_first_windows_without_evidence() -> None:
    played = play(declared(SummedRegret(100.0)), ageing(lag=3))
    found = [each for each in played.findings if each.kind == "regret" and each.verdict == "ok"]
    assert len(found) == 6
    assert found[0].detail["scored"] == ["2024-01-01T00:00:00Z", "2024-01-08T00:00:00Z"]
    assert found[0].end == START + timedelta(days=28)


def test_the_newest_comparator_stands_for_the_windows_between() -> None:
    found = play(declared(SummedRegret(100.0, every=4)), ageing()).findings
    cutoffs = [each.detail["cutoff"][:10] for each in found if each.detail]
    assert cutoffs == ["2024-01-01"] * 4 + ["2024-01-29"] * 4 + ["2024-02-26"]


def test_a_rejection_keeps_the_regret_and_a_limit_makes_it_wait() -> None:
    played = play(declared(SummedRegret(0.3), limits=Limits(cooldown="14d")), ageing(), gate=lambda *_: "rejected")
    assert played.promotions == []
    assert played.trained == len(played.requests) == 3  # then the breaker trips
    assert [decision.action for _, decision in played.decisions][2:6] == ["retrain", "wait", "retrain", "wait"]
    assert [request.status for request in played.requests[:2]] == ["rejected", "rejected"]


def test_what_is_inconclusive_is_judged_again_at_the_next_window() -> None:
    verdicts: Iterator[Status] = iter(["inconclusive", "promoted"])
    played = play(declared(Timer(timedelta(days=21))), ageing(days=35), gate=lambda *_: next(verdicts))
    assert [request.cause for request in played.requests] == ["timer", "second_look"]
    assert played.serving == [0, 0, 0, 0, 3]
    assert played.trained == 1


def test_training_data_that_are_too_old_are_a_finding() -> None:
    model = declared(None, freshness=FreshnessPolicy(max_training_age="21d"))
    assert play(model, ageing()).promotions == [3, 6, 9]


def scrambled(losses: Losses, since: int) -> Losses:
    """The same up to a day, anything after it."""
    noise = np.random.default_rng(0).random(losses.sums.shape) * 100
    late = np.arange(len(losses.rows)) >= since
    sums = np.where(late, noise, losses.sums)
    return replace(losses, sums=sums, due_sums=sums)


@pytest.mark.parametrize("lag", [0, 3])
def test_nothing_that_comes_later_changes_a_decision(lag: int) -> None:
    losses, model = ageing(lag=lag), declared(SummedRegret(0.3))
    for window in range(1, losses.windows):
        seen = window - lag
        other = play(model, scrambled(losses, 7 * max(seen, 0)))
        assert other.decisions[:window] == play(model, losses).decisions[:window]
