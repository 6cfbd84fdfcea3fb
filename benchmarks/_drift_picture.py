"""The benchmark's picture, as SVG: what is seen of each shift within five windows, and the false alarms by cell."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

INK, FAINT, LIMIT = "#30404d", "#d5dae0", "#c23030"
COLOURS = ("#3b6ea5", "#d9822b", "#5b8c5a", "#8a5aa8")
ROW, LABELS, PLOT, TOP = 22, 210, 300, 54  # pixels
WITHIN_FIVE = 1  # place among the windows that shares are told for
MOST_A_YEAR = 10.0


def draw(made: Mapping[str, Any]) -> str:
    """The parts that were measured, side by side."""
    panels = [_shifts(made["shifts"]) if "shifts" in made else [], _cells(made["budget"]) if "budget" in made else []]
    width = LABELS + PLOT + 30
    drawn = [
        f'<g transform="translate({at * width} 0)">{"".join(panel)}</g>'
        for at, panel in enumerate(filter(None, map(list, panels)))
    ]
    rows = max(len(made.get("shifts", [])), len(made.get("budget", [])))
    size = f'width="{width * len(drawn)}" height="{TOP + ROW * rows + 40}"'
    style = 'font-family="sans-serif" font-size="11" style="background:#fff"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n' + "\n".join(drawn) + "\n</svg>\n"


def _shifts(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield _text(10, 18, "Seen within five windows, at the same rate of false alarms", bold=True)
    for at, name in enumerate(rows[0]["seen"]):
        yield f'<circle cx="{14 + 110 * at}" cy="34" r="4" fill="{COLOURS[at]}"/>' + _text(22 + 110 * at, 38, name)
    for number, row in enumerate(rows):
        y = TOP + ROW * (number + 0.5)
        yield _text(LABELS - 8, y + 4, row["shift"], anchor="end") + _line(LABELS, y, LABELS + PLOT, y, FAINT)
        for at, shares in reversed([*enumerate(row["seen"].values())]):
            x = LABELS + PLOT * shares[WITHIN_FIVE]
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{5 if at == 0 else 4}" fill="{COLOURS[at]}"/>'
    yield from _axis(len(rows), {0: "0 %", 0.5: "50 %", 1: "100 %"})


def _cells(cells: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield _text(10, 18, "False alarms a year where nothing happens; four are declared", bold=True)
    for number, cell in enumerate(cells):
        y = TOP + ROW * (number + 0.5)
        low, middle, high = (LABELS + PLOT * min(cell[name] / MOST_A_YEAR, 1) for name in ("lower", "a_year", "upper"))
        kind = {"ar": "AR 0.7"}.get(cell["kind"], cell["kind"])
        yield _text(LABELS - 8, y + 4, f"{kind}, {cell['rows']} rows, {cell['history']} days", anchor="end")
        yield _line(low, y, high, y, COLOURS[0]) + f'<circle cx="{middle:.1f}" cy="{y:.1f}" r="4" fill="{COLOURS[0]}"/>'
    at = LABELS + PLOT * 4 / MOST_A_YEAR
    yield _line(at, TOP, at, TOP + ROW * len(cells), LIMIT)
    yield from _axis(len(cells), {0: "0", 0.4: "4", 1: f"{MOST_A_YEAR:g}"})


def _axis(rows: int, ticks: Mapping[float, str]) -> Iterator[str]:
    y = TOP + ROW * rows
    yield _line(LABELS, y, LABELS + PLOT, y, INK)
    for share, name in ticks.items():
        yield _text(LABELS + PLOT * share, y + 16, name, anchor="middle")


def _line(x: float, y: float, to_x: float, to_y: float, colour: str) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{INK}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'
