"""Features that are correct as of a point in time: declared once, computed offline and looked up online."""

from typing import Any

from everfit.environment.former_names import former_attribute


def __getattr__(name: str) -> Any:
    return former_attribute(__name__, name)
