"""The space of a search: by setting a range (low, high), on a logarithmic scale (low, high, "log"), or a list of choices."""

import json
import math
from collections.abc import Mapping
from typing import Any

Space = Mapping[str, tuple[Any, ...] | list[Any]]


def flaw(values: Any) -> str | None:
    """Why values are neither a range nor choices; None where they are."""
    if isinstance(values, list):
        return _choices_flaw(values)
    numbers = [value for value in values[:2] if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) != 2 or len(values) > 3 or values[2:] not in ((), ("log",)):
        return f"{values!r} is no range; write (low, high), (low, high, 'log'), or a list of choices"
    if not all(map(math.isfinite, numbers)):
        return f"{values!r} has no end; low and high are finite"
    if not numbers[0] < numbers[1]:
        return f"{values!r} is empty; low must be below high"
    if len(values) == 3 and numbers[0] <= 0:
        return f"{values!r} reaches to {numbers[0]}; low must be above 0 on a logarithmic scale"
    return None


def _choices_flaw(values: list[Any]) -> str | None:
    if not values:
        return "there is no choice in []; list one at least"
    try:
        kept = json.loads(json.dumps(values))
    except TypeError as error:
        return f"a choice cannot be recorded as JSON: {error}; list numbers, texts, or lists of them"
    twice = next((value for value in kept if kept.count(value) > 1), None)
    return None if twice is None else f"the choice {twice!r} is listed twice; list it once"


def ends(values: tuple[Any, ...] | list[Any]) -> list[Any]:
    """The values that must fit the setting for all to fit: both ends of a range, every choice."""
    return list(values) if isinstance(values, list) else list(values[:2])


def distributions(over: Space) -> dict[str, Any]:
    """The space as Optuna takes it; a choice is its place in the list."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    made: dict[str, Any] = {}
    for name, values in over.items():
        if isinstance(values, list):
            made[name] = CategoricalDistribution(tuple(range(len(values))))
            continue
        whole = all(isinstance(value, int) for value in values[:2])
        kind = IntDistribution if whole else FloatDistribution
        made[name] = kind(values[0], values[1], log=len(values) == 3)
    return made


def decoded(over: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that Optuna's parameters mean."""
    return {name: values[params[name]] if isinstance(values, list) else params[name] for name, values in over.items()}


def encoded(over: Space, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Optuna's parameters for settings, as far as they lie in the space."""
    known: dict[str, Any] = {}
    for name, values in over.items():
        if name not in settings:
            continue
        if isinstance(values, list):
            places = [place for place, value in enumerate(values) if _plain(value) == _plain(settings[name])]
            known |= {name: places[0]} if places else {}
        elif values[0] <= settings[name] <= values[1]:
            known[name] = settings[name]
    return known


def _plain(value: Any) -> Any:
    """A value as it comes back from JSON."""
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
