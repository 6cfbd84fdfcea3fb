"""Which units get a challenger's answers, and which are explored.

A hash decides, so that every process says the same of a unit, after a restart too.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from everfit.declaration import Model
from everfit.features.running_sums import key_of

RANGE = 2**64


def drawn(salt: str, unit: str) -> float:
    """A number of ``[0, 1)`` for a unit's value, evenly spread over units; with another salt, an independent one."""
    digest = hashlib.blake2b(unit.encode(), digest_size=8, salt=hashlib.blake2b(salt.encode(), digest_size=16).digest())
    return int.from_bytes(digest.digest(), "big") / RANGE


def is_challenged(model: str, challenger: int, share: float, unit: str) -> bool:
    """Whether a unit gets the challenger's answers.

    Who is in a share of 0.05 is in every larger share, too. The version is part of the salt: two rollouts choose their units
    independently, so that nobody gets every new version first.
    """
    return drawn(f"{model} {challenger}", unit) < share


def explored_share(model: Model, row: Mapping[str, Any]) -> float:
    """The share of units that are explored, where the row's is among them; else 0.

    The salt is none of a rollout's: whether a unit is explored says nothing of which version answers it.
    """
    if (exploration := model.exploration) is None:
        return 0.0
    is_drawn = drawn(f"{model.name} exploration", key_of(row[exploration.unit or model.entity])) < exploration.share
    return exploration.share if is_drawn else 0.0
