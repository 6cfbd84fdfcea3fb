"""What is done to the feeds by the benchmark of triage: breaks, each at two magnitudes, and shifts, which are no breaks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from benchmarks import _triage_changes as change
from benchmarks._triage_worlds import MODELS, NOISE
from everfit import Integer, Number

Change = Callable[[pl.DataFrame, int], pl.DataFrame]  # of a day's rows and a seed


@dataclass(frozen=True, slots=True)
class Case:
    """A change of one feed's rows, and the columns that may be named for it (``*``: the rows); of a shift none."""

    name: str
    magnitude: str
    feed: str
    columns: frozenset[str]
    change: Change

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of break that it may be named as."""
        return frozenset(KINDS[self.name.split()[0]] if self.columns else ())


KINDS: Mapping[str, Sequence[str]] = {  # by the first word of a case's name
    "nulls": ["nulls"],
    "scale": ["scale", "bounds"],
    "percent": ["scale", "bounds"],
    "offset": ["offset", "bounds"],
    "sign": ["sign", "bounds"],
    "shuffled": ["relation"],
    "shifted": ["relation", "clock"],
    "stuck": ["stuck"],
    "source": ["stuck"],
    "rows": ["volume"],
    "hours": ["volume"],
    "day": ["missing_day"],
    "swapped": ["swapped"],
    "doubled": ["duplicates"],
    "clock": ["clock"],
    "recoded": ["recoded"],
    "garbage": ["recoded"],
    "labels": ["labels", "stuck"],
    "outcomes": ["labels"],
}


@dataclass(frozen=True, slots=True)
class Targets:
    """What is changed in a data set.

    Of one source two numbers, units of a number, and pairs that are exchanged; of the
    requests two categories and the hour with how many steps it has; the two values that all labels become, and at which value
    they are mirrored.
    """

    source: str
    first: str
    second: str
    units: Sequence[tuple[str, str, float, float]]
    swaps: Sequence[tuple[str, str]]
    numbers: Sequence[str]
    categories: Sequence[str]
    hour: str
    steps: int
    label: str
    constants: tuple[float, float]
    mirrored_at: float


TARGETS: Mapping[str, Targets] = {
    "electricity": Targets(
        source="half_hours",
        first="price",
        second="demand",
        units=[("demand", "°F to °C", 1 / 1.8, -32 / 1.8), ("demand", "°C to °F", 1.8, 32.0)],
        swaps=[("price", "neighbour_price"), ("demand", "neighbour_demand")],
        numbers=["price", "demand", "neighbour_price", "neighbour_demand", "transfer"],
        categories=["region", "region"],
        hour="half_hour",
        steps=48,
        label="up",
        constants=(0.0, 1.0),
        mirrored_at=1.0,
    ),
    "flights": Targets(
        source="weather",
        first="temp",
        second="humid",
        units=[("temp", "°F to °C", 1 / 1.8, -32 / 1.8), ("temp", "°F to K", 1 / 1.8, 273.15 - 32 / 1.8)],
        swaps=[("temp", "dewp"), ("humid", "temp")],
        numbers=["temp", "dewp", "humid", "wind_speed", "pressure", "visib"],
        categories=["carrier", "origin"],
        hour="hour",
        steps=24,
        label="late",
        constants=(0.0, 1.0),
        mirrored_at=1.0,
    ),
    "traffic": Targets(
        source="hours",
        first="volume",
        second="temp",
        units=[("temp", "K to °C", 1.0, -273.15), ("temp", "K to °F", 1.8, 32 - 273.15 * 1.8)],
        swaps=[("volume", "temp"), ("clouds", "volume")],
        numbers=["temp", "clouds", "volume"],
        categories=["road", "road"],
        hour="hour_of_day",
        steps=24,
        label="volume",
        constants=(0.0, 3_000.0),
        mirrored_at=7_000.0,
    ),
}


def breaks(world: str) -> list[Case]:
    """The breaks of a data set."""
    t = TARGETS[world]
    first, second, every = {t.first}, {t.second}, {"*"}
    of_source: list[tuple[str, str, set[str], Change]] = [
        ("nulls", "30 %", first, partial(change.nulls, t.first, 0.3)),
        ("nulls", "90 %", first, partial(change.nulls, t.first, 0.9)),
        ("scale", "/ 1000", first, partial(change.linear, t.first, 1e-3, 0.0)),
        ("scale", "1000 times", first, partial(change.linear, t.first, 1e3, 0.0)),
        ("percent", "/ 100", second, partial(change.linear, t.second, 1e-2, 0.0)),
        ("percent", "100 times", second, partial(change.linear, t.second, 1e2, 0.0)),
        *(("offset", words, {name}, partial(change.linear, name, factor, offset)) for name, words, factor, offset in t.units),
        ("sign", "first number", first, partial(change.linear, t.first, -1.0, 0.0)),
        ("sign", "second number", second, partial(change.linear, t.second, -1.0, 0.0)),
        ("shuffled", "first number", first, partial(change.shuffled, t.first)),
        ("shuffled", "second number", second, partial(change.shuffled, t.second)),
        ("shifted", "by 6 hours", first, partial(change.rolled, t.first, 0.25)),
        ("shifted", "by 12 hours", first, partial(change.rolled, t.first, 0.5)),
        ("stuck", "half of the day", first, partial(change.stuck, [t.first], 0.5)),
        ("stuck", "all day", first, partial(change.stuck, [t.first], 0.0)),
        ("source frozen", "half of the day", {*t.numbers, "*"}, partial(change.stuck, t.numbers, 0.5)),
        ("source frozen", "all day", {*t.numbers, "*"}, partial(change.stuck, t.numbers, 0.0)),
        ("rows gone", "half", every, partial(change.thinned, 0.5)),
        ("rows gone", "80 %", every, partial(change.thinned, 0.8)),
        ("hours gone", "6", every, partial(change.hours_gone, 6)),
        ("hours gone", "12", every, partial(change.hours_gone, 12)),
        ("day gone", "of the source", every, change.emptied),
        *(("swapped", f"{a}, {b}", {a, b}, partial(change.swapped, a, b)) for a, b in t.swaps),
    ]
    of_requests: list[tuple[str, str, set[str], Change]] = [
        ("day gone", "of the requests", every, change.emptied),
        ("doubled", "30 %", every, partial(change.repeated, 0.3)),
        ("doubled", "all", every, partial(change.repeated, 1.0)),
        ("clock", "3 hours", {t.hour, "*"}, partial(change.later, t.hour, t.steps, 3)),
        ("clock", "10 hours", {t.hour, "*"}, partial(change.later, t.hour, t.steps, 10)),
        ("recoded", "30 %", {t.categories[0]}, partial(change.recoded, t.categories[0], 0.3)),
        ("recoded", "all", {t.categories[1]}, partial(change.recoded, t.categories[1], 1.0)),
        ("garbage", "30 %", {t.categories[0]}, partial(change.garbage, t.categories[0], 0.3)),
        ("garbage", "90 %", {t.categories[1]}, partial(change.garbage, t.categories[1], 0.9)),
    ]
    low, high = t.constants
    of_labels: list[tuple[str, str, set[str], Change]] = [
        (f"labels {low:g}", "95 %", {t.label}, partial(change.labels_to, low, 0.95)),
        (f"labels {low:g}", "all", {t.label}, partial(change.labels_to, low, 1.0)),
        (f"labels {high:g}", "95 %", {t.label}, partial(change.labels_to, high, 0.95)),
        (f"labels {high:g}", "all", {t.label}, partial(change.labels_to, high, 1.0)),
        ("labels inverted", "90 %", {t.label}, partial(change.labels_mirrored, t.mirrored_at, 0.9)),
        ("labels inverted", "all", {t.label}, partial(change.labels_mirrored, t.mirrored_at, 1.0)),
        ("outcomes stop", "97 %", {t.label}, partial(change.nulls, "_label", 0.97)),
        ("outcomes stop", "all", {t.label}, partial(change.nulls, "_label", 1.0)),
    ]
    parts = ((t.source, of_source), ("requests", of_requests), ("labels", of_labels))
    return [Case(name, size, feed, frozenset(columns), made) for feed, part in parts for name, size, columns, made in part]


def shifts(world: str) -> list[Case]:
    """The shifts of a data set that are made; the market's extension and the change of season are in the record."""
    t = TARGETS[world]
    declared = MODELS[world].source(t.source).columns
    bounds = {column.name: column.between for column in declared if isinstance(column, Number | Integer) and column.between}
    moved: list[tuple[str, str, str, Change]] = [
        *(
            ("mean", f"{size:g} sd, {words}", t.source, partial(change.moved, bounds, names, size))
            for size in (0.1, 0.25, 0.5)
            for names, words in (([t.first], "one column"), (t.numbers, "all columns"))
        ),
        *(("scale", f"{size:g} times", t.source, partial(change.spread, bounds, t.first, size)) for size in (1.1, 1.25)),
        *(("correlation", f"to {size:g}", t.source, partial(change.mixed, *NOISE, size)) for size in (0.4, 0.8)),
        *(
            ("new category", f"{size:.0%}", "requests", partial(change.new_category, t.categories[0], size))
            for size in (0.01, 0.05, 0.2)
        ),
        ("gradual", "to 0.5 sd", t.source, partial(change.gradual, bounds, t.numbers, 0.5)),
        ("concept", "a third of the rows", "labels", partial(change.concept, 1 / 3)),
    ]
    return [Case(name, size, feed, frozenset(), made) for name, size, feed, made in moved]
