"""What triage names: breaks and shifts injected into three records, by week and by single day.

Run: ``python benchmarks/triage.py [--json] [--weeks 13] [--only WORLD] [--picture FILE]``; about ten minutes on two cores.
``--json`` prints one JSON document: the figures, and what was named of each case. What is done to the rows is listed in
``benchmarks/_triage_cases.py``. The picture is SVG.
"""

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks._triage_cases import TARGETS
from benchmarks._triage_picture import draw
from benchmarks._triage_play import Outcome, PlainDay, quarter, weeks
from benchmarks._triage_trained import broken_rows_trained_on
from benchmarks._triage_worlds import record

DAYS_A_YEAR = 365.25
GAP = ("volume", "missing_day")  # kinds of break that are true of the record itself: hours of it are missing
EXTENSION = date(1997, 5, 4)  # of the electricity market
SEASONS = ((3, 21), (6, 21), (9, 22), (12, 21))  # month and day on which one begins


class Part(NamedTuple):
    """The days of one champion of a data set, and the weeks of them that are injected into."""

    world: str
    cutoff: datetime
    weeks: Sequence[date]


def main() -> None:
    """Judge the champions' quarters side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--weeks", type=int, default=13, help="of each data set")
    parser.add_argument("--only", choices=TARGETS, action="append", help="a data set, may be given again")
    parser.add_argument("--picture", type=Path, help="a file for the picture")
    asked = parser.parse_args()
    worlds = asked.only or [*TARGETS]
    parts = [Part(world, at, days) for world in worlds for at, days in weeks(record(world), asked.weeks).items()]
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), _one_thread) as pool:
        found = pool.map(_judged, parts, chunksize=1)
    plain, outcomes = [day for days, _ in found for day in days], [outcome for _, all_of in found for outcome in all_of]
    trained = {world: broken_rows_trained_on(record(world), outcomes) for world in worlds}
    figures = {name: round(value, 4) for name, value in _figures(plain, outcomes, trained).items()}
    cases = [*_by_case(outcomes), *_recorded_shifts(plain)]
    if asked.picture:
        asked.picture.write_text(draw(cases))
    if asked.json:
        alarms = [asdict(day) | {"day": day.day.isoformat()} for day in plain if day.named]
        print(json.dumps({"figures": figures, "cases": cases, "alarms_as_recorded": alarms}))
    else:
        print("\n".join(f"{name:<28} {value:>9}" for name, value in figures.items()))
        print("\n".join(_line(case) for case in cases))


def _one_thread() -> None:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    threadpool_limits(1)


def _judged(part: Part) -> tuple[list[PlainDay], list[Outcome]]:
    return quarter(part.world, record(part.world), part.cutoff, part.weeks)


def _figures(plain: Sequence[PlainDay], outcomes: Sequence[Outcome], trained: Mapping[str, int]) -> dict[str, float]:
    breaks = [outcome for outcome in outcomes if not outcome.shift]
    called = [any(o.days) for o in outcomes if o.shift and not o.alarmed_as_recorded]
    called += [at < case["weeks_named"] for case in _recorded_shifts(plain) for at in range(case["weeks"])]
    years = {w: len({d.day for d in plain if d.world == w}) / DAYS_A_YEAR for w in TARGETS if any(d.world == w for d in plain)}
    false = {(d.world, d.day) for d in plain if any(kind not in GAP for _, kind in d.named)}
    gaps = {(d.world, d.day) for d in plain if any(kind in GAP for _, kind in d.named)} - false
    return {
        "broken_week_share": fmean(o.right for o in breaks),
        "broken_day_share": fmean(o.right_single for o in breaks),
        "right_kind_share": fmean(o.right_kind for o in breaks if o.right),
        "days_of_broken_weeks_named": fmean(fmean(bool(names) for names in o.days) for o in breaks),
        "shift_called_broken": fmean(called),
        "shift_weeks": len(called),
        "broken_rows_trained_on": sum(trained.values()),
        "broken_retrained": sum(o.asks_for_retraining for o in outcomes),
        "false_quarantines_a_year": len(false) / sum(years.values()),
        "gaps_of_the_record_a_year": len(gaps) / sum(years.values()),
    }


def _recorded_shifts(plain: Sequence[PlainDay]) -> Iterator[dict[str, Any]]:
    """The shifts that are in the record: of each how many of its weeks were called broken, gaps apart."""
    seasons = [date(year, *at) for year in range(1996, 2019) for at in SEASONS]
    for world in dict.fromkeys(day.world for day in plain):
        known = {day.day for day in plain if day.world == world}
        for case, starts in (("market extended", [EXTENSION] if world == "electricity" else []), ("season turns", seasons)):
            weeks_of = [week for start in starts if (week := {start + timedelta(days=at) for at in range(7)}) <= known]
            broken = [d for d in plain if d.world == world and any(kind not in GAP for _, kind in d.named)]
            called = [week for week in weeks_of if any(d.day in week for d in broken)]
            if weeks_of:
                kinds = _counted(kind for d in broken for _, kind in d.named if any(d.day in week for week in called))
                size = {"weeks": len(weeks_of), "weeks_named": len(called), "days_named": 0}
                yield {"shift": True, "case": case, "magnitude": "as recorded", "world": world, "kinds": kinds} | size


def _by_case(outcomes: Sequence[Outcome]) -> Iterator[dict[str, Any]]:
    """Of each case and data set how many weeks and days were named, and as what."""
    keys = dict.fromkeys((o.shift, o.case, o.magnitude, o.world) for o in outcomes)
    for key in sorted(keys):
        own = [o for o in outcomes if (o.shift, o.case, o.magnitude, o.world) == key]
        shift, case, magnitude, world = key
        yield {
            "shift": shift,
            "case": case,
            "magnitude": magnitude,
            "world": world,
            "weeks": len(own),
            "weeks_named": sum(any(o.days) and not o.alarmed_as_recorded if shift else o.right for o in own),
            "days_named": sum(o.right_single for o in own),
            "kinds": _counted(kind for o in own for names in o.days for kind in {kind for _, kind in names}),
        }


def _counted(kinds: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for kind in kinds:
        found[kind] = found.get(kind, 0) + 1
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _line(case: Mapping[str, Any]) -> str:
    kinds = ", ".join(f"{kind} {count}" for kind, count in case["kinds"].items())
    what = f"{'shift' if case['shift'] else 'break'}  {case['case']}, {case['magnitude']}"
    return f"{what:<44} {case['world']:<12} {case['weeks_named']:>3} {case['days_named']:>3} of {case['weeks']:>3}  {kinds}"


if __name__ == "__main__":
    main()
