"""Small plots for pages and trackers: SVG as text, so that no plotting library is loaded."""

from collections.abc import Mapping, Sequence
from html import escape

from everfit.declaration.tasks import Curve

WIDTH, ROW, LABELS, RIGHT = 640, 20, 230, 90  # pixels
SIDE, EDGE = 320, 44  # of a square plot, and of what is around it
COLOURS = ("#3b6ea5", "#d9822b", "#5b8c5a", "#8a5aa8")
ALARM, QUIET, INK, FAINT = "#c23030", "#3b6ea5", "#30404d", "#c5cbd3"


def share_of_threshold(shares: Mapping[str, float]) -> str:
    """One bar a name; 1 is the threshold, drawn as a line. What passes it is red."""
    furthest = max([1.2, *shares.values()])
    scale = (WIDTH - LABELS - RIGHT) / furthest
    rows = sorted(shares.items(), key=lambda row: -row[1])
    drawn = [_row(number, name, share, scale) for number, (name, share) in enumerate(rows)]
    height = ROW * (len(rows) + 2)
    limit = LABELS + scale
    drawn.append(_line(limit, ROW, limit, height - ROW, INK, dashed=True))
    drawn.append(_text(limit, height - 5, "threshold", anchor="middle"))
    return _svg(WIDTH, height, drawn)


def intervals(bounds: Mapping[str, tuple[float, float, float]], limit: float) -> str:
    """One interval a name (lower, middle, upper) on a common axis, with a line at 0 and one at the limit."""
    low = min([-abs(limit) or -1e-3, 0.0, *(lower for lower, _, _ in bounds.values())])
    high = max([abs(limit), 1e-3, *(upper for _, _, upper in bounds.values())])
    scale = (WIDTH - LABELS - RIGHT) / (high - low)

    def at(value: float) -> float:
        return LABELS + (value - low) * scale

    height = ROW * (len(bounds) + 2)
    drawn = [
        _line(at(0), ROW / 2, at(0), height - ROW, INK),
        _line(at(limit), ROW / 2, at(limit), height - ROW, ALARM, dashed=True),
    ]
    drawn += [_text(at(0), height - 5, "0", anchor="middle")]
    for n, (name, (lower, middle, upper)) in enumerate(bounds.items()):
        y = ROW * (n + 1) + ROW / 2
        drawn += [_text(LABELS - 8, y + 4, name, anchor="end"), _line(at(lower), y, at(upper), y, QUIET, width=3)]
        drawn += [_dot(at(middle), y, QUIET), _text(WIDTH - RIGHT + 8, y + 4, f"{middle:+.4f}")]
    return _svg(WIDTH, height, drawn)


def calibration(curves: Mapping[str, Curve]) -> str:
    """Curves of what was answered and what came true, on common axes; on the diagonal answers mean what they say."""
    full = SIDE + 2 * EDGE
    low = min((curve.low for curve in curves.values()), default=0.0)
    high = max((curve.high for curve in curves.values()), default=1.0)
    scale = SIDE / ((high - low) or 1)

    def place(x: float, y: float) -> tuple[float, float]:
        return EDGE + (x - low) * scale, EDGE + (high - y) * scale

    drawn = [_line(*place(low, low), *place(high, high), FAINT, dashed=True)]
    drawn += [_line(*place(low, low), *place(*end), INK) for end in ((high, low), (low, high))]
    if axes := next(iter(curves.values()), None):
        drawn += [_text(EDGE + SIDE, full - EDGE / 3, axes.x, anchor="end"), _text(EDGE, EDGE - 10, axes.y)]
    for n, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[n % len(COLOURS)]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in curve.points))
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn += [_dot(*place(*point), colour) for point in curve.points]
        drawn.append(_text(EDGE + 12, EDGE + 16 + 16 * n, name, colour=colour))
    return _svg(full, full, drawn)


def _row(number: int, name: str, share: float, scale: float) -> str:
    y, length = ROW * (number + 1), max(share, 0.0) * scale
    colour = ALARM if share >= 1 else QUIET
    bar = f'<rect x="{LABELS}" y="{y + 3}" width="{length:.1f}" height="{ROW - 6}" fill="{colour}"/>'
    return _text(LABELS - 8, y + 14, name, anchor="end") + bar + _text(LABELS + length + 6, y + 14, f"{share:.2f}")


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, width: float = 1, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" stroke-width="{width}"{dash}/>'


def _dot(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _svg(width: float, height: float, drawn: Sequence[str]) -> str:
    style = 'font-family="sans-serif" font-size="12" style="background:#fff"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {style}>{"".join(drawn)}</svg>'
