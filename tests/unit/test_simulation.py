"""Policies side by side over what models lost: the outcomes, the bounds, the picture, and policies that are named by a file."""

from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from everfit.cli.simulate import loaded
from everfit.declaration.model import RetrainingPolicy
from everfit.errors import SimulationError
from everfit.policy.simulation import Outcome, Simulation, simulate
from everfit.policy.simulation_chart import draw
from models.electricity_price import electricity_price
from tests.losses import START, WEEK, ageing, by_hand
from tests.played import LIMITS, SummedRegret, declared
from tests.timer import Timer


@pytest.fixture(scope="module")
def simulated() -> Simulation:
    policies: dict[str, RetrainingPolicy] = {"regret": SummedRegret(0.3), "timer": Timer(timedelta(days=28))}
    return simulate(declared(None), ageing(), policies, [False, True])


def outcome(simulation: Simulation, policy: str, *, gated: bool) -> Outcome:
    return next(each for each in simulation.outcomes if each.policy == policy and each.gated is gated)


def test_bounds_are_those_of_the_losses(simulated: Simulation) -> None:
    losses = ageing()
    assert (simulated.never_loss, simulated.weekly_loss) == (losses.mean([0]), losses.weekly)
    assert simulated.timers == [losses.mean([0]), *(losses.timer(count) for count in range(1, 10))]
    assert simulated.hindsight == losses.hindsight(9)
    assert simulated.starts[:2] == [START, START + WEEK]


def test_an_outcome_holds_what_the_policy_led_to(simulated: Simulation) -> None:
    found, losses = outcome(simulated, "regret", gated=False), ageing()
    assert found.promoted == [losses.at(window) for window in (3, 6, 9)]
    assert found.loss == pytest.approx(1.3289796043877238)
    assert (found.timer, found.hindsight) == (losses.timer(3), losses.hindsight(3)[3])
    assert (found.refused, found.undecided, found.held_back, found.false_alarms) == (0, 0, 0, 0)
    assert (found.fits, found.fit_seconds, found.comparators, found.comparator_seconds) == (3, 6.0, 9, 18.0)
    assert found.last == "0.44"
    assert found.by_window[0] == pytest.approx(losses.due_mean(0, 0))


def test_a_timer_has_no_comparators(simulated: Simulation) -> None:
    found = outcome(simulated, "timer", gated=False)
    assert (len(found.promoted), found.comparators, found.comparator_seconds) == (2, 0, 0.0)


def test_a_gate_may_refuse(simulated: Simulation) -> None:
    gate = electricity_price.gate.model_copy(update={"prove": "better", "margin": 0.9})
    found = simulate(declared(None, gate=gate), ageing(), {"timer": Timer(timedelta(days=21))}, [True]).outcomes[0]
    assert (found.promoted, found.refused, found.loss) == ([], 3, simulated.never_loss)


def test_a_promotion_that_was_none_is_a_false_alarm() -> None:
    losses = by_hand()
    losses.sums[1, :] = 100.0
    found = simulate(declared(None), losses, {"timer": Timer(timedelta(days=2))}, [False]).outcomes[0]
    assert len(found.promoted) == 2
    assert found.false_alarms == 1


def test_delay_is_counted_from_the_moments_of_hindsight() -> None:
    found = simulate(declared(None), by_hand(), {"timer": Timer(timedelta(days=4))}, [False]).outcomes[0]
    assert found.promoted == [START + timedelta(days=4)]
    assert found.delay == 0.0


def test_limits_hold_back() -> None:
    limits = LIMITS.model_copy(update={"retrains_per_month": 1})
    found = simulate(declared(None, limits=limits), ageing(), {"timer": Timer(timedelta(days=7))}, [False]).outcomes[0]
    assert (len(found.promoted), found.held_back) == (2, 7)


def test_the_picture_is_svg_with_every_policy_and_promotion(simulated: Simulation) -> None:
    drawn = ElementTree.fromstring(draw(simulated))
    texts = [each.text or "" for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "regret, gated: 3, 1.3290" in texts
    assert len([*drawn.iter("{http://www.w3.org/2000/svg}rect")]) == sum(len(each.promoted) for each in simulated.outcomes)


def test_a_policy_is_named_by_a_file_and_a_name(tmp_path: Path) -> None:
    file = tmp_path / "policies.py"
    file.write_text(
        "from datetime import timedelta\nfrom tests.timer import Timer\nSLOW = Timer(timedelta(days=90))\nNONE = 3\n"
    )
    assert loaded(f"{file}:SLOW") == Timer(timedelta(days=90))
    for text, said in {
        f"{file}": "no such file; write FILE.py:NAME",
        f"{file}:FAST": "defines no 'FAST'",
        f"{file}:NONE": "3 has no method decide",
        f"{tmp_path}/other.py:SLOW": "no such file",
    }.items():
        with pytest.raises(SimulationError, match=said):
            loaded(text)
    file.write_text("1 / 0\n")
    with pytest.raises(SimulationError, match="cannot be imported \\(ZeroDivisionError"):
        loaded(f"{file}:SLOW")
