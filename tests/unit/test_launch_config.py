"""What a person may choose in the launchpad, and what is refused in words."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from assets.launch_config import Cutoff, Fit, chosen_candidates, chosen_cutoff
from everfit.errors import LaunchError
from models.electricity_price import electricity_price

CLOCK = datetime(1996, 9, 4, tzinfo=UTC)


def test_nothing_chosen_is_what_is_declared() -> None:
    assert chosen_cutoff(Cutoff(), CLOCK) == CLOCK
    assert chosen_candidates(Fit(), electricity_price) == electricity_price


def test_candidates_and_seed_are_chosen() -> None:
    chosen = chosen_candidates(Fit(candidates=["mlp"], seed=7), electricity_price)
    assert [(one.name, one.seed) for one in chosen.candidates] == [("mlp", 7)]
    assert chosen_cutoff(Cutoff(cutoff="1996-08-01"), CLOCK) == datetime(1996, 8, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cutoff", "told"),
    [
        ("tomorrow", "'tomorrow' is no time"),
        ("1996-09-05", "1996-09-05T00:00:00Z is later than the model.s clock, 1996-09-04T00:00:00Z"),
    ],
)
def test_a_cutoff_that_is_none_is_told(cutoff: str, told: str) -> None:
    with pytest.raises(LaunchError, match=told):
        chosen_cutoff(Cutoff(cutoff=cutoff), CLOCK)


def test_an_unknown_candidate_is_told() -> None:
    with pytest.raises(LaunchError, match="no candidate 'forest'; electricity_price declares gradient_boosting, mlp"):
        chosen_candidates(Fit(candidates=["forest"]), electricity_price)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_bounds_is_told(seed: int) -> None:
    with pytest.raises(ValidationError, match="seed"):
        Fit(seed=seed)
