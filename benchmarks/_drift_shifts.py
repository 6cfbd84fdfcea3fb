"""The table of shifts: in how many streams each is seen within so many windows, by everfit and by its peers.

All are held to the same rate of false alarms: that which everfit's own threshold has on these streams' quiet windows. A peer's
threshold is set so that its alarms begin as often there.
"""

from collections.abc import Mapping, Sequence
from multiprocessing.pool import Pool
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks import _drift_peers as peers
from benchmarks._drift_chart import Followed, episodes, reference, sizes, touching
from benchmarks._drift_streams import COLUMNS, NUMBERS, SHIFTS, SIZES, Shift, Stream, Window, frame
from everfit.evidence.window_statistics import WindowStatistics

Floats = npt.NDArray[np.float64]
ROWS, HISTORY, QUIET, CHANGED = 1_000, 120, 40, 14
WITHIN = (2, 5, 14)
OURS = "everfit"
NORMAL_90 = 1.645


class Sizes(NamedTuple):
    """Of a stream: the deciding number of each window over its threshold (everfit), or as it is (peers)."""

    quiet: Mapping[str, Floats]
    changed: Mapping[str, Mapping[str, Floats]]  # by shift


class Row(NamedTuple):
    """Shares of streams that alarmed within WITHIN windows, and by which peers everfit is outdone within 5."""

    shift: str
    seen: Mapping[str, Sequence[float]]
    behind: Sequence[str]


def table(streams: int, pool: Pool) -> tuple[list[Row], float]:
    """The rows, and everfit's false alarms a year on the quiet windows."""
    found = pool.map(_one, range(streams), chunksize=1)
    begun = sum(episodes(each.quiet[OURS] >= 1) for each in found)
    thresholds = {OURS: 1.0} | {name: _threshold([each.quiet[name] for each in found], begun) for name in peers.NAMES}
    rows = [_row(shift.name, [each.changed[shift.name] for each in found], thresholds) for shift in SHIFTS]
    return rows, begun / (streams * QUIET / 365.25)


def _threshold(quiet: Sequence[Floats], begun: int) -> float:
    """The lowest, coming from above, that the numbers cross upwards so often at most."""
    lowest = np.inf
    for level in np.unique(np.concatenate(quiet))[::-1]:
        if sum(episodes(values >= level) for values in quiet) > begun:
            break
        lowest = float(level)
    return lowest


def _row(shift: str, streams: Sequence[Mapping[str, Floats]], thresholds: Mapping[str, float]) -> Row:
    above = {name: np.array([each[name] >= limit for each in streams]) for name, limit in thresholds.items()}
    seen = {name: [float(values[:, :within].any(axis=1).mean()) for within in WITHIN] for name, values in above.items()}
    ours = above[OURS][:, :5].any(axis=1).astype(np.float64)
    behind = []
    for name in peers.NAMES:
        difference = np.asarray(above[name][:, :5].any(axis=1) - ours)
        if difference.mean() - NORMAL_90 * difference.std(ddof=1) / np.sqrt(len(difference)) > 0:
            behind.append(name)
    return Row(shift, seen, behind)


def _one(seed: int) -> Sizes:
    stream = Stream.of("independent", ROWS, HISTORY + QUIET + CHANGED, seed)
    past = reference(stream, HISTORY)
    followed = Followed.of(stream, past)
    windows = [stream.window(day) for day in range(HISTORY + QUIET + CHANGED)]
    statistics = [followed.measure.of(frame(window)) for window in windows]
    chart = followed.learn(statistics[:HISTORY], 0)
    quiet, before = sizes(chart, statistics[HISTORY : HISTORY + QUIET], HISTORY)
    sample = peers.Reference(_window(past))
    means = {name: [sample.mean(name, window[name]) for window in windows[: HISTORY + QUIET]] for name, _ in COLUMNS}
    of_peers = _quiet_peers(sample, windows, means)
    changed: dict[str, Mapping[str, Floats]] = {}
    for shift in SHIFTS:
        random = np.random.default_rng([seed, len(changed)])
        later = [shift.apply(window, after, random) for after, window in enumerate(windows[HISTORY + QUIET :])]
        ours = _changed_statistics(followed, windows[HISTORY + QUIET :], statistics[HISTORY + QUIET :], later, shift)
        largest, _ = sizes(chart, ours, HISTORY + QUIET, before)
        whole = [dict(window) | dict(made) for window, made in zip(windows[HISTORY + QUIET :], later, strict=True)]
        changed[shift.name] = {OURS: largest / chart.threshold} | _peers(sample, whole, means, of_peers[1], shift)
    return Sizes({OURS: quiet / chart.threshold} | of_peers[0], changed)


def _window(rows: pl.DataFrame) -> Window:
    numbers = {name: rows[name].to_numpy() for name in NUMBERS}
    return numbers | {name: rows[name].str.slice(1).cast(pl.Int64).to_numpy() for name in SIZES}


def _changed_statistics(
    followed: Followed, windows: Sequence[Window], statistics: Sequence[Floats], later: Sequence[Window], shift: Shift
) -> list[Floats]:
    """Everfit's statistics of the changed windows: what no changed column touches stays."""
    places = touching(followed.statistics, shift.columns)
    if not places:
        return list(statistics)
    part = WindowStatistics(followed.measure.reference, [followed.statistics[at] for at in places])
    made = []
    for window, of_window, changed in zip(windows, statistics, later, strict=True):
        values = of_window.copy()
        values[places] = part.of(frame(dict(window) | dict(changed)))
        made.append(values)
    return made


PeerColumns = list[dict[str, Floats]]  # of each changed window, by peer, its columns' numbers without a change


def _quiet_peers(
    sample: peers.Reference, windows: Sequence[Window], means: Mapping[str, Sequence[float]]
) -> tuple[dict[str, Floats], PeerColumns]:
    """The peers' largest numbers of the quiet windows, and their columns' numbers of the windows after them, unchanged."""
    known = {name: list(values) for name, values in means.items()}
    for window in windows[HISTORY + QUIET :]:
        for name, values in known.items():
            values.append(sample.mean(name, window[name]))
    by_window = [
        peers.measured(sample, window, {name: values[: day + 1] for name, values in known.items()}, ROWS)
        for day, window in enumerate(windows)
        if day >= HISTORY
    ]
    quiet = {name: np.array([each[name].max() for each in by_window[:QUIET]]) for name in peers.NAMES}
    return quiet, by_window[QUIET:]


def _peers(
    sample: peers.Reference,
    windows: Sequence[Window],
    means: Mapping[str, Sequence[float]],
    unchanged: PeerColumns,
    shift: Shift,
) -> dict[str, Floats]:
    """The peers' largest numbers of the changed windows: only changed columns are measured again."""
    names = [name for name, _ in COLUMNS]
    places = [names.index(name) for name in shift.columns]
    known = {name: list(means[name]) for name in shift.columns}
    largest: dict[str, list[float]] = {name: [] for name in peers.NAMES}
    for window, before in zip(windows, unchanged, strict=True):
        for name in shift.columns:
            known[name].append(sample.mean(name, window[name]))
        again = peers.measured(sample, {name: window[name] for name in shift.columns}, known, ROWS) if places else {}
        for peer in peers.NAMES:
            values = before[peer].copy()
            if places:
                values[places] = again[peer]
            largest[peer].append(float(values.max()))
    return {peer: np.array(values) for peer, values in largest.items()}
