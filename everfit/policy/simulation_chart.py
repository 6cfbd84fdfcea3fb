"""The picture of a simulation, as SVG: losses by the number of retrainings, and over time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from everfit.policy.simulation import Outcome, Simulation

INK, FAINT, PALE, HINDSIGHT = "#30404d", "#d5dae0", "#98a2ad", "#5b8c5a"
COLOURS = ("#c23030", "#d9822b", "#8a5aa8", "#3b6ea5", "#2f8f8f", "#8a6d3b")
WIDTH, HEIGHT = 1200, 430
TOP, BOTTOM = 84, 360  # of the plots
LEFT, MIDDLE = (60, 460), (540, 1160)  # left and right edge of each plot
SMOOTH = 2  # windows on either side that a point over time is the mean of
TICKS = 4


@dataclass(frozen=True, slots=True)
class Axes:
    """A plot between two edges: x from 0 to ``furthest``, y from ``low`` to ``high``."""

    edges: tuple[int, int]
    furthest: float
    low: float
    high: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point, in pixels."""
        left, right = self.edges
        share = (y - self.low) / ((self.high - self.low) or 1)
        return left + (right - left) * x / (self.furthest or 1), BOTTOM - (BOTTOM - TOP) * share

    def line(self, points: Sequence[tuple[float, float | None]], colour: str, style: str = "") -> str:
        """A line through the points that there are."""
        placed = [self.at(x, y) for x, y in points if y is not None]
        through = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        return f'<polyline points="{through}" fill="none" stroke="{colour}" stroke-width="1.8" {style}/>'


def draw(simulation: Simulation) -> str:
    """Left timers as a curve, hindsight as the bound and each policy as a point; right the loss over time and promotions."""
    parts = [*_by_count(simulation), *_over_time(simulation), *_legend(simulation)]
    style = 'font-family="sans-serif" font-size="11" style="background:#fff"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" {style}>'
    return "\n".join([head, *parts, "</svg>\n"])


def _by_count(simulation: Simulation) -> Iterator[str]:
    counts = [len(outcome.promoted) for outcome in simulation.outcomes]
    losses = [*simulation.timers, *simulation.hindsight, simulation.weekly_loss, *(each.loss for each in simulation.outcomes)]
    furthest = max(len(simulation.timers) - 1, *counts, 1)
    axes = Axes(LEFT, furthest, min(losses), max(losses))
    yield from _frame(axes, f"Mean {simulation.metric} by number of retrainings", [0, furthest // 2, furthest])
    weekly = [(0.0, simulation.weekly_loss), (float(furthest), simulation.weekly_loss)]
    yield axes.line(weekly, PALE, 'stroke-dasharray="5 4"')
    yield axes.line([*enumerate(simulation.timers)], INK)
    yield axes.line([*enumerate(simulation.hindsight)], HINDSIGHT)
    for number, outcome in enumerate(simulation.outcomes):
        x, y = axes.at(len(outcome.promoted), outcome.loss)
        filled = "#fff" if outcome.gated else _colour(number)
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5.5" fill="{filled}" stroke="{_colour(number)}" stroke-width="2.5"/>'


def _over_time(simulation: Simulation) -> Iterator[str]:
    lines = {"never": _smooth(simulation.never), "weekly": _smooth(simulation.weekly)}
    played = [_smooth(outcome.by_window) for outcome in simulation.outcomes]
    values = [value for line in [*lines.values(), *played] for value in line if value is not None]
    axes = Axes(MIDDLE, max(len(simulation.starts) - 1, 1), min(values), max(values))
    yield from _frame(axes, "Over time, means of five windows; ticks are promotions", [])
    for window in {0, len(simulation.starts) // 2, len(simulation.starts) - 1}:
        x, _ = axes.at(window, 0)
        day = f"{simulation.starts[window]:%Y-%m-%d}"
        yield f'<text x="{x:.1f}" y="{BOTTOM + 16}" text-anchor="middle" fill="{INK}">{day}</text>'
    yield axes.line([*enumerate(lines["never"])], INK, 'stroke-dasharray="2 3"')
    yield axes.line([*enumerate(lines["weekly"])], PALE)
    for number, (outcome, line) in enumerate(zip(simulation.outcomes, played, strict=True)):
        yield axes.line([*enumerate(line)], _colour(number))
        yield from _ticks(axes, simulation, outcome, number)


def _ticks(axes: Axes, simulation: Simulation, outcome: Outcome, number: int) -> Iterator[str]:
    y = BOTTOM + 24 + 8 * number
    for moment in outcome.promoted:
        x, _ = axes.at(simulation.starts.index(moment), 0)
        title = f"<title>{escape(outcome.policy)}: {moment:%Y-%m-%d}</title>"
        yield f'<rect x="{x - 1.5:.1f}" y="{y}" width="3" height="7" fill="{_colour(number)}">{title}</rect>'


def _legend(simulation: Simulation) -> Iterator[str]:
    bounds = [
        ("timers of equal distances", INK),
        ("the best in hindsight", HINDSIGHT),
        ("never (dotted)", INK),
        ("every window", PALE),
    ]
    policies = [(_named(outcome), _colour(number)) for number, outcome in enumerate(simulation.outcomes)]
    for row, entries in enumerate((bounds, policies)):
        x = float(LEFT[0])
        for words, colour in entries:
            yield f'<text x="{x:.1f}" y="{18 + 16 * row}" fill="{colour}" font-weight="bold">{escape(words)}</text>'
            x += 6.2 * len(words) + 22


def _named(outcome: Outcome) -> str:
    return f"{outcome.policy}{', gated' if outcome.gated else ''}: {len(outcome.promoted)}, {outcome.loss:.4f}"


def _frame(axes: Axes, title: str, counts: Sequence[int]) -> Iterator[str]:
    left, right = axes.edges
    yield f'<text x="{left}" y="{TOP - 16}" font-size="13" font-weight="bold" fill="{INK}">{escape(title)}</text>'
    for tick in range(TICKS + 1):
        value = axes.low + (axes.high - axes.low) * tick / TICKS
        _, y = axes.at(0, value)
        yield f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{FAINT}" stroke-width="0.6"/>'
        yield f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{INK}">{value:.4g}</text>'
    for count in counts:
        x, _ = axes.at(count, axes.low)
        yield f'<text x="{x:.1f}" y="{BOTTOM + 16}" text-anchor="middle" fill="{INK}">{count}</text>'


def _smooth(values: Sequence[float | None]) -> list[float | None]:
    """The mean of the windows around each that have rows."""
    found: list[float | None] = []
    for number in range(len(values)):
        near = [value for value in values[max(number - SMOOTH, 0) : number + SMOOTH + 1] if value is not None]
        found.append(sum(near) / len(near) if near else None)
    return found


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]
