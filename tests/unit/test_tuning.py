"""Costs read off from how models aged: by hand, and on models that age alike."""

import pytest

from everfit.policy.cost import parse_cost
from everfit.policy.tuning import proposed, rates
from tests.losses import ageing


def test_a_higher_cost_leads_to_fewer_retrainings_and_keeps_less() -> None:
    found = rates(ageing())
    often = [rate.per_year for rate in found]
    assert often == sorted(often, reverse=True)
    assert 20 < often[0] < 26.1  # a model has no gap in its own first week
    assert often[-1] < 4
    assert found[-1].kept < 0.3 < 0.8 < found[0].kept


def test_the_cost_for_a_number_a_year_leads_to_about_it() -> None:
    found = rates(ageing())
    for number in (6, 12, 26):
        assert proposed(found, number).per_year == pytest.approx(number, rel=0.35)


def test_without_a_number_nine_tenths_of_what_can_be_kept_are() -> None:
    found = rates(ageing())
    chosen = proposed(found, None)
    least = 0.9 * max(rate.kept for rate in found)
    assert chosen.kept >= least
    assert all(rate.kept < least for rate in found if rate.units > chosen.units)


def test_a_cost_is_said_as_a_declaration_says_it() -> None:
    found = rates(ageing())
    usual = found[0].units / 0.002
    for rate in found:
        assert parse_cost(rate.cost).at(usual) == pytest.approx(rate.units, rel=0.06)


def test_late_labels_lead_to_fewer_retrainings_at_a_cost() -> None:
    soon, late = rates(ageing()), rates(ageing(lag=3))
    assert late[0].kept < soon[0].kept
