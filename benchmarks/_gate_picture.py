"""The benchmark's picture, as SVG: what the gate keeps and what it errs, by the declared budget, and how its intervals hold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

INK, FAINT, LIMIT = "#30404d", "#d5dae0", "#c23030"
COLOURS = ("#3b6ea5", "#d9822b", "#5b8c5a", "#8a5aa8")
BUDGETS = (1.0, 2.0, 4.0, 8.0)  # wrong promotions a year
DAYS = (2, 3, 5, 7, 14, 28)
WIDTH, HEIGHT, MARGIN, TOP, FOOT = 380, 330, 50, 58, 72  # of a panel, and of what is around its plot

Measured = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines over equally spaced ``ticks``, with what they are held against as a dashed line."""

    title: str
    foot: str
    ticks: Sequence[float]
    lines: Mapping[str, Sequence[float]]
    low: float
    high: float
    limit: float
    number: int = 0

    def x(self, tick: int) -> float:
        """The place of a tick, by its number."""
        return self.number * WIDTH + MARGIN + (WIDTH - 1.5 * MARGIN) * tick / (len(self.ticks) - 1)

    def y(self, value: float) -> float:
        """The place of a value, kept inside the plot."""
        share = (value - self.low) / (self.high - self.low)
        return TOP + (HEIGHT - TOP - FOOT) * (1 - min(max(share, 0.0), 1.0))


def draw(measured: Measured) -> str:
    """The panels of what was measured, side by side."""
    panels = [*_panels(measured)]
    width = WIDTH * len(panels)
    drawn = "\n".join(part for panel in panels for part in _panel(panel))
    style = 'font-family="sans-serif" font-size="11" style="background:#fff"'
    size = f'width="{width}" height="{HEIGHT}" viewBox="0 0 {width} {HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{drawn}\n</svg>\n'


def _panels(measured: Measured) -> Iterator[Panel]:
    def lines(name: str, over: Sequence[float]) -> dict[str, list[float]]:
        cases = measured[f"{name} of {over[0]:g}"]
        return {case: [measured[f"{name} of {each:g}"][case] for each in over] for case in cases}

    number, budget = 0, "wrong promotions a year that are declared"
    if f"kept_share of {BUDGETS[0]:g}" in measured:
        kept = {f"to the end of {year}": values for year, values in lines("kept_share", BUDGETS).items()}
        kept["passed after 28 days"] = lines("power_28d", BUDGETS)["passed"]
        yield Panel("Weekly retraining's gain that the gate keeps", budget, BUDGETS, kept, 0.8, 1.0, 0.95)
        number = 1
    if f"coverage of {DAYS[0]:g}" in measured:
        ratios = lines("false_ratio", BUDGETS)
        yield Panel("Wrong promotions over those declared", budget, BUDGETS, ratios, 0.0, 1.6, 1.0, number)
        sides = lines("coverage", DAYS) | lines("real coverage", DAYS)
        yield Panel("Misses of the interval, its worse side", "days judged", DAYS, sides, 0.0, 0.4, 0.05, number + 1)


def _panel(panel: Panel) -> Iterator[str]:
    left, right, foot = panel.x(0), panel.x(len(panel.ticks) - 1), panel.y(panel.low)
    yield f'<text x="{left:.1f}" y="18" font-size="13" font-weight="bold" fill="{INK}">{escape(panel.title)}</text>'
    for value in (panel.low + (panel.high - panel.low) * part / 4 for part in range(5)):
        yield _line(left, panel.y(value), right, panel.y(value), FAINT)
        yield _text(left - 6, panel.y(value) + 4, f"{value:.2f}", "end")
    for number, tick in enumerate(panel.ticks):
        yield _text(panel.x(number), foot + 16, f"{tick:g}", "middle")
    yield _text((left + right) / 2, foot + 32, panel.foot, "middle")
    yield _line(left, panel.y(panel.limit), right, panel.y(panel.limit), LIMIT, 'stroke-dasharray="5 4"')
    for number, ((name, values), colour) in enumerate(zip(panel.lines.items(), COLOURS, strict=False)):
        places = [(panel.x(tick), panel.y(value)) for tick, value in enumerate(values)]
        path = "".join(f"{'L' if tick else 'M'}{x:.1f} {y:.1f}" for tick, (x, y) in enumerate(places))
        yield f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places)
        yield _text(left + number % 2 * (right - left) / 2, 34 + number // 2 * 14, f"● {name}", "start", colour)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, more: str = "") -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" {more}/>'


def _text(x: float, y: float, words: str, anchor: str, colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>'
