"""False alarms a year where nothing happens, by kind of stream, rows a window and days of history."""

from collections.abc import Sequence
from multiprocessing.pool import Pool
from typing import NamedTuple

import numpy as np
from scipy.special import chdtri

from benchmarks._drift_chart import BUDGET, YEAR, Followed, episodes, reference, sizes
from benchmarks._drift_streams import Stream, frame

KINDS = ("independent", "ar", "weekly")
ROWS = (200, 1_000, 5_000)
HISTORIES = (60, 120, 365)
LIVE = 365  # days that are followed
ERROR = 0.1  # of the two-sided interval of a rate


class Cell(NamedTuple):
    """One kind, rows and history: alarms a year, the bounds of the rate, and whether the budget was promised."""

    kind: str
    rows: int
    history: int
    a_year: float
    lower: float
    upper: float
    promised: bool
    alarmed: float  # share of windows


def cells(streams: int, pool: Pool) -> list[Cell]:
    """All cells, each of so many streams of a year."""
    asked = [(kind, rows, seed) for kind in KINDS for rows in ROWS for seed in range(streams)]
    found = pool.map(_one, asked, chunksize=1)
    made = []
    for kind in KINDS:
        for rows in ROWS:
            of_cell = [outcome for (k, r, _), outcome in zip(asked, found, strict=True) if (k, r) == (kind, rows)]
            made += [_cell(kind, rows, history, [each[at] for each in of_cell]) for at, history in enumerate(HISTORIES)]
    return made


Outcome = tuple[int, bool, float]  # episodes, promised, share of windows alarmed


def _one(asked: tuple[str, int, int]) -> list[Outcome]:
    """A stream's outcome by history; all histories end where the live year begins."""
    kind, rows, seed = asked
    longest = max(HISTORIES)
    stream = Stream.of(kind, rows, longest + LIVE, 1_000 + seed)
    followed = Followed.of(stream, reference(stream, longest))
    windows = [followed.measure.of(frame(stream.window(day))) for day in range(longest + LIVE)]
    outcomes = []
    for history in HISTORIES:
        chart = followed.learn(windows[longest - history : longest], longest - history)
        largest, _ = sizes(chart, windows[longest:], longest)
        above = largest >= chart.threshold
        outcomes.append((episodes(above), not chart.warning, float(above.mean())))
    return outcomes


def _cell(kind: str, rows: int, history: int, outcomes: Sequence[Outcome]) -> Cell:
    alarms, years = sum(outcome[0] for outcome in outcomes), len(outcomes) * LIVE / YEAR
    lower, upper = (bound / years for bound in poisson(alarms))
    promised = all(outcome[1] for outcome in outcomes)
    return Cell(kind, rows, history, alarms / years, lower, upper, promised, float(np.mean([o[2] for o in outcomes])))


def poisson(events: int, error: float = ERROR) -> tuple[float, float]:
    """The exact interval of a Poisson mean (Garwood 1936)."""
    lower = float(chdtri(2 * events, 1 - error / 2)) / 2 if events else 0.0
    return lower, float(chdtri(2 * (events + 1), error / 2)) / 2


def ratio(found: Sequence[Cell], *, promised: bool) -> float:
    """The worst lower bound over the budget, of the cells with a promise or of those with a warning; 0 of none."""
    return max((cell.lower / BUDGET for cell in found if cell.promised == promised), default=0.0)
