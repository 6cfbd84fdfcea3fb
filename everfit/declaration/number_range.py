"""The numbers that everfit takes: what lies beyond is refused at every door, for it could not be read, or not exactly, later.

Postgres and JSON hold larger ones; standardisation, distances and readers of JSON do not. A model's inputs are float64, in
which a whole number is itself up to ±2^53 alone.
"""

LARGEST = 1e37  # of any number, in magnitude
EXACT = 2**53  # of a whole number that is a model's input, or that comes as a float
WHOLE = 2**63 - 1  # of a whole number in a source, in magnitude


def is_exact(value: float) -> bool:
    """Whether a whole number is what was meant: a float from ±2^53 on may stand for its neighbours, too."""
    return abs(value) < EXACT or (isinstance(value, int) and abs(value) == EXACT)


def readable(value: float | None) -> float | None:
    """A number as everfit reads what it holds already: null where it lies beyond the largest, or is no finite number."""
    return value if value is not None and abs(value) <= LARGEST else None
