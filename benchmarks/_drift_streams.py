"""Seeded streams of windows for the drift benchmark: twenty columns, nothing happening, and what is then changed in them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from everfit.declaration.views import Features

NUMBERS = [f"number_{at}" for at in range(15)]
SIZES = {"category_0": 2, "category_1": 3, "category_2": 5, "category_3": 8, "category_4": 20}  # of categories
COLUMNS: Features = [*((name, "number") for name in NUMBERS), *((name, "category") for name in SIZES)]
DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday
LEVEL = 0.1  # deviation of a day's mean from the long one, in deviations of rows, where neighbouring days are alike
RHYTHM = 0.3  # half the height of the week's wave
ALIKE = 0.7

Kind = str  # of a stream: independent, ar, weekly
Column = npt.NDArray[Any]
Window = Mapping[str, Column]  # numbers, and the places of categories


@dataclass(frozen=True, slots=True)
class Stream:
    """Windows of one day each, made when they are asked for; the same whenever they are."""

    kind: Kind
    rows: int
    seed: int
    levels: npt.NDArray[np.float64]  # levels[days, columns] of all days

    @classmethod
    def of(cls, kind: Kind, rows: int, days: int, seed: int) -> "Stream":
        """A stream of so many days."""
        random = np.random.default_rng([seed, rows])
        levels = np.zeros((days, len(COLUMNS)))
        if kind == "weekly":
            waves = 2 * np.pi * random.random(len(COLUMNS))
            levels = RHYTHM * np.sin(2 * np.pi * np.arange(days)[:, None] / 7 + waves)
        if kind == "ar":
            levels = random.standard_normal(levels.shape)
            for day in range(1, days):
                levels[day] = ALIKE * levels[day - 1] + np.sqrt(1 - ALIKE**2) * levels[day]
            levels *= LEVEL
        return cls(kind, rows, seed, levels)

    def window(self, day: int) -> dict[str, Column]:
        """The columns of a day."""
        random = np.random.default_rng([self.seed, self.rows, day + 1])
        noise = random.standard_normal((len(NUMBERS), self.rows))
        made: dict[str, Column] = {name: noise[at] + self.levels[day, at] for at, name in enumerate(NUMBERS)}
        for at, (name, size) in enumerate(SIZES.items()):
            made[name] = drawn(size, self.levels[day, len(NUMBERS) + at], random.random(self.rows))
        return made


def drawn(size: int, tilt: float, uniform: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Categories of falling shares; a tilt moves rows from the later ones to the earlier, like a shift of a hidden number."""
    shares = np.exp(-np.arange(size) / max(1, size / 4) - tilt * np.linspace(-1, 1, size))
    return np.searchsorted(np.cumsum(shares / shares.sum())[:-1], uniform).astype(np.int64)


def frame(window: Window, day: int | None = None) -> pl.DataFrame:
    """The window as everfit is given it; with its times where the day is told."""
    names = np.array([f"c{at}" for at in range(1_000)])
    columns = {name: pl.Series(names[values]) if name in SIZES else pl.Series(values) for name, values in window.items()}
    made = pl.DataFrame(columns)
    return made if day is None else made.with_columns(pl.lit(START + day * DAY).alias("_event_time"))


@dataclass(frozen=True, slots=True)
class Shift:
    """A change of some columns from a day on; ``apply(window, after, random)`` gives them so many days after its beginning."""

    name: str
    columns: Sequence[str]
    apply: Callable[[Window, int, np.random.Generator], Window]


def _moved(size: float, columns: Sequence[str], over: int = 1) -> Callable[[Window, int, np.random.Generator], Window]:
    def apply(window: Window, after: int, random: np.random.Generator) -> Window:
        by = size * min(1.0, (after + 1) / over)
        rows = len(window[NUMBERS[0]])
        return {name: drawn(SIZES[name], by, random.random(rows)) if name in SIZES else window[name] + by for name in columns}

    return apply


def _scaled(by: float) -> Callable[[Window, int, np.random.Generator], Window]:
    return lambda window, _, __: {NUMBERS[0]: window[NUMBERS[0]] * by}


def _tied(to: float) -> Callable[[Window, int, np.random.Generator], Window]:
    return lambda window, _, __: {NUMBERS[1]: to * window[NUMBERS[0]] + np.sqrt(1 - to**2) * window[NUMBERS[1]]}


def _new(share: float) -> Callable[[Window, int, np.random.Generator], Window]:
    name = "category_2"
    return lambda window, _, random: {name: np.where(random.random(len(window[name])) < share, 999, window[name])}


def _several(number: int) -> list[str]:
    return [name for name, _ in COLUMNS][:number]


SHIFTS = [
    *(
        Shift(f"mean {size:g} sd, {number} column{'s' * (number > 1)}", _several(number), _moved(size, _several(number)))
        for size in (0.1, 0.25, 0.5)
        for number in (1, 5, 20)
    ),
    *(Shift(f"scale by {by:g}, 1 column", NUMBERS[:1], _scaled(by)) for by in (1.1, 1.25)),
    *(Shift(f"correlation 0 to {to:g}", NUMBERS[1:2], _tied(to)) for to in (0.4, 0.8)),
    *(Shift(f"new category {share:.0%}", ["category_2"], _new(share)) for share in (0.01, 0.05, 0.2)),
    Shift("gradual to 0.5 sd, 5 columns", _several(5), _moved(0.5, _several(5), over=14)),
    Shift("concept, same inputs", [], lambda _, __, ___: {}),
]
