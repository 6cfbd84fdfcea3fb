"""Which units get a challenger's answers: by a hash, so that every process says the same of a unit, after a restart too."""

import hashlib

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
