"""The arithmetic of the drift benchmark: rates, thresholds at an equal rate, the peers' bounds, streams and picture."""

import numpy as np
import pytest
from scipy.stats import kstwobign

from benchmarks import _drift_peers as peers
from benchmarks._drift_budget import Cell, poisson, ratio
from benchmarks._drift_chart import episodes
from benchmarks._drift_picture import draw
from benchmarks._drift_shifts import _row, _threshold
from benchmarks._drift_streams import COLUMNS, NUMBERS, SHIFTS, SIZES, Stream, frame


def test_streams_are_the_same_whenever_they_are_made_and_shifts_change_what_they_say() -> None:
    stream = Stream.of("weekly", 500, 20, seed=3)
    window = stream.window(7)
    assert frame(window, 7).equals(frame(Stream.of("weekly", 500, 20, seed=3).window(7), 7))
    assert list(window) == [name for name, _ in COLUMNS]
    for shift in SHIFTS:
        made = shift.apply(window, 13, np.random.default_rng(0))
        assert sorted(made) == sorted(shift.columns)
        assert all(len(values) == 500 for values in made.values())
    tied = next(shift for shift in SHIFTS if shift.name == "correlation 0 to 0.8").apply(window, 0, np.random.default_rng(0))
    assert np.corrcoef(window[NUMBERS[0]], tied[NUMBERS[1]])[0, 1] == pytest.approx(0.8, abs=0.08)


def test_neighbouring_days_of_an_autoregressive_stream_are_alike() -> None:
    levels = Stream.of("ar", 10, 4_000, seed=0).levels[:, 0]
    assert np.corrcoef(levels[1:], levels[:-1])[0, 1] == pytest.approx(0.7, abs=0.05)


def test_rates_have_exact_intervals_and_the_worst_promise_counts() -> None:
    assert [*poisson(0), *poisson(10)] == pytest.approx([0.0, 2.996, 5.425, 16.962], abs=0.001)
    kept, warned = (Cell("ar", 200, 60, 5.0, lower, 7.0, promised, 0.01) for lower, promised in ((3.0, True), (6.0, False)))
    assert (ratio([kept, warned], promised=True), ratio([kept, warned], promised=False)) == (0.75, 1.5)
    assert ratio([kept], promised=False) == 0.0


def test_peers_are_held_to_as_many_beginnings_of_alarms() -> None:
    assert episodes(np.array([True, True, False, True])) == 2
    quiet = [np.array([0.1, 0.9, 0.95, 0.2]), np.array([0.3, 0.8, 0.1, 0.7])]
    assert [_threshold(quiet, begun) for begun in (0, 1, 2)] == [np.inf, 0.9, 0.8]


def test_a_row_names_the_peers_that_see_more_beyond_chance() -> None:
    seen = {"everfit": np.full(14, 0.5), **dict.fromkeys(peers.NAMES, np.full(14, 2.0))}
    row = _row("x", [seen] * 20, dict.fromkeys(seen, 1.0))
    assert (row.seen["everfit"], list(row.behind)) == ([0.0] * 3, list(peers.NAMES))
    assert not _row("x", [dict.fromkeys(seen, np.full(14, 2.0))] * 20, dict.fromkeys(seen, 1.0)).behind


def test_the_peers_numbers_are_those_of_their_sources() -> None:
    stream = Stream.of("independent", 400, 2, seed=0)
    reference, window = peers.Reference(stream.window(0)), stream.window(1)
    past, now = (np.sort(stream.window(day)[NUMBERS[0]]) for day in (0, 1))
    apart = max(abs((past <= at).mean() - (now <= at).mean()) for at in np.concatenate([past, now]))
    assert 10 ** -reference.unlikely(NUMBERS[0], now) == pytest.approx(kstwobign.sf(np.sqrt(200) * apart))
    two = next(name for name, size in SIZES.items() if size == 2)
    assert reference.unlikely(two, 1 - window[two]) > 10
    assert reference.distance(NUMBERS[0], past + past.std()) == pytest.approx(1.0)
    means, rows, variance = np.array([0.5, 0.5, 0.6]), 100, 1 / 12
    confidence = peers.adwin(means, rows, variance)
    size = 1 / (1 / 200 + 1 / 100)
    bound = np.sqrt(2 * variance * confidence / size) + 2 * confidence / (3 * size)
    assert bound == pytest.approx(0.1)


def test_the_picture_holds_every_row() -> None:
    shifts = [{"shift": "mean <1>", "seen": {"everfit": [0.5, 1.0, 1.0], "ADWIN": [0.0, 0.1, 1.0]}, "behind": []}]
    cell = Cell("ar", 200, 60, 5.0, 3.0, 7.0, True, 0.01)._asdict()
    drawn = draw({"figures": {}, "shifts": shifts, "budget": [cell]})
    assert "mean &lt;1&gt;" in drawn
    assert "AR 0.7, 200 rows, 60 days" in drawn
