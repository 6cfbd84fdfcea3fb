"""The benchmark's picture, as SVG: of each record, the share of weekly's gain by the number of retrainings."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

import numpy as np

from benchmarks._policy_counts import COUNTS, Reached

INK, FAINT = "#30404d", "#d5dae0"
LINES = {"the default": "#c23030", "timers": "#30404d", "the best in hindsight": "#5b8c5a"}
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 250, 300, 44, 66, 262  # of a panel, and of its plot
LOW, HIGH = 0.4, 1.2  # shares

Curves = Mapping[str, Mapping[int, float]]  # by line: share of weekly's gain by count


def draw(points: Sequence[Reached]) -> str:
    """One panel a record, of means over the starts and ends that reach a count."""
    names = list(dict.fromkeys(point.record for point in points))
    panels = [_curves([point for point in points if point.record == name]) for name in names]
    drawn = [part for number, curves in enumerate(panels) for part in _panel(number, names[number], curves)]
    drawn += [*_legend()]
    width = max(WIDTH * len(names), 520)
    style = 'font-family="sans-serif" font-size="11" style="background:#fff"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}" {style}>'
    return "\n".join([head, *drawn, "</svg>\n"])


def _curves(points: Sequence[Reached]) -> Curves:
    found: dict[str, dict[int, float]] = {name: {} for name in LINES}
    for count in COUNTS:
        at_count = [point for point in points if point.count == count]
        for name, field in zip(LINES, ("loss", "timer", "hindsight"), strict=True):
            shares = [(point.never - getattr(point, field)) / (point.never - point.weekly) for point in at_count]
            if shares:
                found[name][count] = float(np.mean(shares))
    return found


def _panel(number: int, name: str, curves: Curves) -> Iterator[str]:
    left, right = number * WIDTH + LEFT, (number + 1) * WIDTH - 14

    def place(count: float, share: float) -> tuple[float, float]:
        across = (count - COUNTS[0]) / (COUNTS[-1] - COUNTS[0])
        up = (min(max(share, LOW), HIGH) - LOW) / (HIGH - LOW)
        return left + (right - left) * across, BOTTOM - (BOTTOM - TOP) * up

    yield f'<text x="{left}" y="{TOP - 12}" font-size="13" font-weight="bold" fill="{INK}">{escape(name)}</text>'
    for share in (0.4, 0.6, 0.8, 1.0):
        _, y = place(COUNTS[0], share)
        yield f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{FAINT}" stroke-width="0.7"/>'
        yield f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{INK}">{share:.0%}</text>'
    for count in COUNTS[::5]:
        x, _ = place(count, LOW)
        yield f'<text x="{x:.1f}" y="{BOTTOM + 16}" text-anchor="middle" fill="{INK}">{count}</text>'
    yield f'<text x="{(left + right) / 2:.1f}" y="{BOTTOM + 32}" text-anchor="middle" fill="{INK}">retrainings</text>'
    for line, colour in LINES.items():
        through = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*each) for each in curves[line].items()))
        yield f'<polyline points="{through}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _legend() -> Iterator[str]:
    yield f'<text x="{LEFT}" y="18" font-size="13" fill="{INK}">Share of the gain of retraining every week</text>'
    x = float(LEFT)
    for words, colour in LINES.items():
        yield f'<text x="{x:.1f}" y="36" fill="{colour}" font-weight="bold">{words}</text>'
        x += 6.5 * len(words) + 22
