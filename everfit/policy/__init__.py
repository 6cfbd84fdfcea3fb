"""Decide from evidence whether to retrain: pure functions, replayable on past evidence."""

from typing import Any

from everfit.environment.former_names import former_attribute


def __getattr__(name: str) -> Any:
    return former_attribute(__name__, name)
