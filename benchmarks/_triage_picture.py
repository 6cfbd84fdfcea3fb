"""The benchmark's picture, as SVG: of each case, by data set, the share of weeks and of single days that were named broken."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

INK, FAINT, WEEKS, DAYS, SHIFT = "#30404d", "#d5dae0", "#3b6ea5", "#9bbfe0", "#c23030"
WORLDS = ("electricity", "flights", "traffic")
ROW, LEFT, PANEL, TOP = 17, 250, 250, 46  # heights and widths, in pixels
BAR = 150  # of a share of 1


def draw(cases: Sequence[Mapping[str, Any]]) -> str:
    """Breaks above, shifts below; a panel a data set."""
    names = list(dict.fromkeys((case["shift"], case["case"], case["magnitude"]) for case in cases))
    found = {(case["shift"], case["case"], case["magnitude"], case["world"]): case for case in cases}
    width, height = LEFT + PANEL * len(WORLDS), TOP + ROW * (len(names) + 1) + 10
    parts = [_text(LEFT + PANEL * at, 18, world, weight="bold") for at, world in enumerate(WORLDS)]
    parts += [
        _text(LEFT, 34, "dark: weeks, light: single days, named with the right column; red: weeks of a shift called broken")
    ]
    for row, name in enumerate(names):
        y = TOP + ROW * (row + name[0])
        parts.append(_text(8, y + 11, f"{name[1]}, {name[2]}"))
        for at, world in enumerate(WORLDS):
            case = found.get((*name, world))
            parts += _bars(LEFT + PANEL * at, y, case) if case else []
    style = 'font-family="sans-serif" font-size="11" style="background:#fff"'
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    body = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{body}\n</svg>\n'


def _bars(x: float, y: float, case: Mapping[str, Any]) -> list[str]:
    weeks, days = case["weeks_named"] / case["weeks"], case["days_named"] / case["weeks"]
    if case["shift"]:
        return [_bar(x, y + 2, 1, 9, FAINT), _bar(x, y + 2, weeks, 9, SHIFT), _text(x + BAR + 6, y + 11, f"{weeks:.0%}")]
    bars = [_bar(x, y + 1, 1, 11, FAINT), _bar(x, y + 1, weeks, 6, WEEKS), _bar(x, y + 7, days, 5, DAYS)]
    return [*bars, _text(x + BAR + 6, y + 11, f"{weeks:.0%} {days:.0%}")]


def _bar(x: float, y: float, share: float, height: int, colour: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{BAR * share:.1f}" height="{height}" fill="{colour}"/>'


def _text(x: float, y: float, words: str, weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" fill="{INK}" font-weight="{weight}">{escape(words)}</text>'
