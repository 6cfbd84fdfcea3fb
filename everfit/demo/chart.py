"""The chart, as SVG without script: three lines of weekly loss, and below them the events on the same time axis."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from itertools import groupby

from everfit.demo.result import Alarm, DemoResult, Losses, Retraining, written

WIDTH, PLOT_TOP, PLOT_HEIGHT = 1180, 24, 360
LEFT, RIGHT = 60, 1010  # of the plot; the lines' labels are right of it
LANES_TOP, LANE_HEIGHT = PLOT_TOP + PLOT_HEIGHT + 58, 30
LANES = {
    "alarms": "alarm",
    "requested": "retraining",
    "inconclusive": "inconclusive",  # only where a verdict was
    "rejected": "rejected",
    "promoted": "promoted",
}
STEPS = [0.02, 0.05, *(digit * 10.0**power for power in range(-1, 38) for digit in (1, 2, 5))]

LINES = (("static", "version 1, left alone"), ("timer", "mean timer"), ("continuous", "everfit"))


@dataclass(frozen=True, slots=True)
class Scale:
    """Event time to x, loss to y, both in pixels."""

    start: datetime
    end: datetime
    lowest: float
    highest: float

    def x(self, at: datetime) -> float:
        """The x of a moment, kept inside the plot."""
        share = (at - self.start) / (self.end - self.start)
        return LEFT + (RIGHT - LEFT) * min(max(share, 0.0), 1.0)

    def y(self, loss: float) -> float:
        """The y of a loss."""
        return PLOT_TOP + PLOT_HEIGHT * (self.highest - loss) / (self.highest - self.lowest)


def draw(result: DemoResult) -> str:
    """The chart as an SVG element, with a tooltip on every mark."""
    scale = _scale(result)
    marks = _marks(result, scale)
    foot = LANES_TOP + LANE_HEIGHT * len(marks)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {foot + 8}" role="img" aria-labelledby="chart-title" class="chart">',
        f'<title id="chart-title">Weekly mean {result.loss_name}, with alarms, retrainings, rejections and promotions</title>',
        *_axes(scale, result),
        *(_rule(scale.x(retraining.at), foot - 10) for retraining in result.retrainings if retraining.version),
        *_lines(result, scale),
        *_lanes(marks, len(result.alarms)),
        "</svg>",
    ]
    return "\n".join(parts)


def _scale(result: DemoResult) -> Scale:
    values = [value for week in result.weeks for _, value in _each(week.losses)] or [0.0, 1.0]
    step = _step(max(values) - min(values))
    lowest = max(0.0, math.floor(min(values) / step) * step)
    highest = max(math.ceil(max(values) / step) * step, lowest + step)
    return Scale(result.start, result.end, lowest, highest)


def _step(span: float) -> float:
    """A round step that cuts a span of losses in four to eight."""
    return next(step for step in STEPS if span / step <= 8)


def _each(losses: Losses) -> Iterator[tuple[str, float]]:
    return ((name, getattr(losses, name)) for name, _ in LINES)


def _axes(scale: Scale, result: DemoResult) -> Iterator[str]:
    step = _step(scale.highest - scale.lowest)
    decimals = 2 if step < 0.1 else 1 if step < 1 else 0
    for i in range(round((scale.highest - scale.lowest) / step) + 1):
        loss = scale.lowest + i * step
        y = scale.y(loss)
        yield f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="tick" x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{loss:,.{decimals}f}</text>'
    yield f'<text class="axis" x="{LEFT}" y="{PLOT_TOP - 10}">{result.loss_name}, mean of a week (lower is better)</text>'
    coin = result.coin
    if coin is not None and scale.lowest < coin < scale.highest:
        y = scale.y(coin)
        yield f'<line class="coin" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="coin-label" x="{LEFT + 6}" y="{y - 5:.1f}">no better than a coin, {coin:.3f}</text>'
    foot = PLOT_TOP + PLOT_HEIGHT
    for month in _months(scale.start, scale.end):
        x = scale.x(month)
        yield f'<line class="month" x1="{x:.1f}" x2="{x:.1f}" y1="{foot}" y2="{foot + 6}"/>'
        yield f'<text class="tick" x="{x + 3:.1f}" y="{foot + 18}">{month:%b}</text>'
        if month.month == 1 or month - scale.start < timedelta(days=31):
            yield f'<text class="year" x="{x + 3:.1f}" y="{foot + 34}">{month.year}</text>'


def _months(start: datetime, end: datetime) -> Iterator[datetime]:
    year, month = start.year, start.month
    while (first := datetime(year, month, 1, tzinfo=UTC)) < end:
        if first >= start:
            yield first
        year, month = year + month // 12, month % 12 + 1


def _rule(x: float, foot: int) -> str:
    return f'<line class="swap" x1="{x:.1f}" x2="{x:.1f}" y1="{PLOT_TOP}" y2="{foot}"/>'


def _lines(result: DemoResult, scale: Scale) -> Iterator[str]:
    if not result.weeks:
        return
    last = result.weeks[-1].losses
    positions = _apart({name: scale.y(value) for name, value in _each(last)}, least=34)
    totals = dict(_each(result.losses))
    for name, label in LINES:
        points = " ".join(
            f"{scale.x(week.start + (week.end - week.start) / 2):.1f},{scale.y(getattr(week.losses, name)):.1f}"
            for week in result.weeks
        )
        yield f'<polyline class="line {name}" points="{points}"/>'
        y = positions[name]
        yield f'<text class="name {name}" x="{RIGHT + 12}" y="{y:.1f}">{escape(label)}</text>'
        yield f'<text class="total" x="{RIGHT + 12}" y="{y + 15:.1f}">{written(totals[name])} over the whole time</text>'


def _apart(positions: dict[str, float], least: float) -> dict[str, float]:
    """Move labels down so that none covers another, then all of them up where they leave the plot."""
    moved: dict[str, float] = {}
    floor = float(PLOT_TOP)
    for name in sorted(positions, key=positions.__getitem__):
        moved[name] = max(positions[name], floor)
        floor = moved[name] + least
    over = max(0.0, floor - least - (PLOT_TOP + PLOT_HEIGHT - 16))
    return {name: place - over for name, place in moved.items()}


def _marks(result: DemoResult, scale: Scale) -> dict[str, list[str]]:
    """The marks of each lane, from above."""
    marks = {
        "alarms": [_alarm(scale, list(same)) for _, same in groupby(result.alarms, key=lambda alarm: alarm.end)],
        "requested": [_requested(scale, each) for each in result.retrainings],
        "inconclusive": [_inconclusive(scale, each) for each in result.retrainings if each.ended == "inconclusive"],
        "rejected": [_rejected(scale, each) for each in result.retrainings if each.ended == "rejected"],
        "promoted": [_promoted(scale, each) for each in result.retrainings if each.version],
    }
    return {lane: drawn for lane, drawn in marks.items() if drawn or lane != "inconclusive"}


def _lanes(marks: dict[str, list[str]], alarms: int) -> Iterator[str]:
    for i, lane in enumerate(marks):
        y = LANES_TOP + LANE_HEIGHT * i
        yield f'<line class="lane" x1="{LEFT}" x2="{RIGHT}" y1="{y}" y2="{y}"/>'
        count = alarms if lane == "alarms" else len(marks[lane])
        yield f'<text class="lane-label" x="{RIGHT + 12}" y="{y + 4}">{count} {LANES[lane]}{_plural(lane, count)}</text>'
        yield f'<g transform="translate(0 {y})">' + "".join(marks[lane]) + "</g>"


def _plural(lane: str, count: int) -> str:
    return "s" if lane in ("alarms", "requested") and count != 1 else ""


def _alarm(scale: Scale, alarms: Sequence[Alarm]) -> str:
    """One mark for all alarms of a window, which would otherwise cover each other."""
    x = scale.x(alarms[0].end)
    lines = [f"{each.end:%d %b %Y}: {each.kind} alarm about version {each.version}\n{each.reason}" for each in alarms]
    tooltip = escape("\n".join(lines))
    return f'<path class="alarm" d="M{x:.1f} -7l6.5 12h-13z"><title>{tooltip}</title></path>'


def _requested(scale: Scale, retraining: Retraining) -> str:
    x = scale.x(retraining.at)
    tooltip = f"{retraining.at:%d %b %Y}: retraining for {retraining.cause}\n{retraining.asked_because}"
    return f'<circle class="requested" cx="{x:.1f}" cy="0" r="5.5"><title>{escape(tooltip)}</title></circle>'


def _inconclusive(scale: Scale, retraining: Retraining) -> str:
    x = scale.x(retraining.at)
    tooltip = f"{retraining.at:%d %b %Y}: inconclusive, judged again with more days\n{retraining.ended_because}"
    return f'<circle class="inconclusive" cx="{x:.1f}" cy="0" r="5.5"><title>{escape(tooltip)}</title></circle>'


def _rejected(scale: Scale, retraining: Retraining) -> str:
    x = scale.x(retraining.at)
    tooltip = f"{retraining.at:%d %b %Y}: rejected\n{retraining.ended_because}"
    return f'<path class="rejected" d="M{x - 5:.1f} -5l10 10m0 -10l-10 10"><title>{escape(tooltip)}</title></path>'


def _promoted(scale: Scale, retraining: Retraining) -> str:
    x = scale.x(retraining.at)
    tooltip = f"{retraining.at:%d %b %Y}: version {retraining.version} promoted\n{retraining.ended_because}"
    return (
        f'<g class="promoted"><title>{escape(tooltip)}</title><circle cx="{x:.1f}" cy="0" r="11"/>'
        f'<text x="{x:.1f}" y="4" text-anchor="middle">{retraining.version}</text></g>'
    )
