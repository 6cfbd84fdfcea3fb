"""The report as one HTML page that opens offline: the chart first, then the tables behind it."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from everfit.demo.chart import draw
from everfit.demo.limits import limits
from everfit.demo.page_parts import day, row, table
from everfit.demo.promotion_sections import gate_section, guard_section
from everfit.demo.result import Alarm, DemoResult, Moved, Retraining, VersionLife, written

STYLE = Path(__file__).with_name("report.css")
FULL = 4.0  # times its threshold: a bar is full
SHOWN = 3  # columns of an alarm shown at once; the others unfold


def render(result: DemoResult) -> str:
    """The complete page."""
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>everfit: {escape(result.model)}</title>\n<style>\n{STYLE.read_text()}</style></head><body><main>",
            _head(result),
            draw(result),
            _reading(result),
            _happened(result),
            gate_section(result),
            guard_section(result),
            _evidence(result),
            _versions(result),
            _spent(result),
            limits(result),
            "</main></body></html>\n",
        ]
    )


def _head(result: DemoResult) -> str:
    loss, counts, shifts = result.losses, result.counts, len(result.timer.cutoffs)
    named = [
        ("continuous", loss.continuous, f"everfit, {counts.promotions - 1} times retrained and promoted"),
        ("static", loss.static, "version 1, left alone"),
        ("timer", loss.timer, f"timers, retrained {result.timer.retrains} times at equal distances, the mean of {shifts}"),
    ]
    figures = "".join(
        f'<div class="{name}"><b>{written(value)}</b><span>{escape(label)}</span></div>' for name, value, label in named
    )
    span = f"{day(result.start)} to {day(result.end)}"
    return (
        f'<p class="eyebrow">everfit demo</p><h1>{escape(result.model)}</h1>'
        f'<p class="lead">{escape(result.description)}<br>{counts.predictions:,} predictions, {span}; '
        f'mean {result.loss_name} on the same {counts.scored:,} requests:</p><div class="figures">{figures}</div>'
    )


def _reading(result: DemoResult) -> str:
    lost = result.counts.predictions_lost
    return (
        '<p class="note">Each point is a week. A vertical line is a promotion: from there on another version answers. '
        "Point at a mark to see its reason; the tables below list them all. "
        f"{result.counts.windows} windows were judged, {lost} predictions were lost on the way from serving to the store.</p>"
    )


def _happened(result: DemoResult) -> str:
    rows = [_retraining_row(number, retraining) for number, retraining in enumerate(result.retrainings, 1)]
    head = ["", "requested", "cause", "the policy's reason", "result", "the gate's reason"]
    return "<h2>Retrainings</h2>" + (table(head, rows) if rows else "<p>Nothing was retrained.</p>")


def _retraining_row(number: int, retraining: Retraining) -> str:
    became = f"version {retraining.version}" if retraining.version else retraining.ended.replace("_", " ")
    return row(
        [
            f'<td class="number">{number}</td>',
            f'<td class="when">{day(retraining.at)}</td>',
            f"<td>{escape(retraining.cause)}</td>",
            f"<td>{escape(retraining.asked_because)}</td>",
            f'<td><span class="verdict {retraining.ended}">{escape(became)}</span></td>',
            f"<td>{escape(retraining.ended_because)}</td>",
        ]
    )


def _evidence(result: DemoResult) -> str:
    intro = (
        "Moving averages of what the windows' columns and pairs of them say, against the champion's training time: the bar is "
        "how far one is, the black mark the threshold, simulated for the budget of false alarms; beside it Evidently's."
    )
    rows = [_alarm_row(alarm) for alarm in result.alarms]
    head = ["window", "version", "kind", "what moved", "Evidently"]
    return f"<h2>The alarms' evidence</h2><p>{intro}</p>" + (table(head, rows) if rows else "<p>There was no alarm.</p>")


def _alarm_row(alarm: Alarm) -> str:
    link = f'<a href="{escape(alarm.html, quote=True)}">report</a>' if alarm.html else "none"
    moved = sorted(alarm.moved, key=lambda one: one.times, reverse=True)
    details = _moved(moved[:SHOWN]) if moved else escape(alarm.reason)
    if len(moved) > SHOWN:
        details += f"<details><summary>{len(moved) - SHOWN} more</summary>{_moved(moved[SHOWN:])}</details>"
    return row(
        [
            f'<td class="when">{day(alarm.start)} to {day(alarm.end)}</td>',
            f'<td class="number">{alarm.version}</td>',
            f"<td>{escape(alarm.kind)}</td>",
            f"<td>{details}</td>",
            f"<td>{link}</td>",
        ]
    )


def _moved(columns: Sequence[Moved]) -> str:
    return '<div class="moved">' + "".join(map(_moved_bar, columns)) + "</div>"


def _moved_bar(moved: Moved) -> str:
    beside = f"; {moved.beside}" if moved.beside else ""
    return (
        f'<span>{escape(moved.column)}</span><span class="bar"><i style="width:{min(moved.times / FULL, 1):.0%}"></i>'
        f'<u style="left:{1 / FULL:.0%}"></u></span>'
        f"<small>{escape(f'{moved.statistic}, {moved.times:,.1f} times the threshold{beside}')}</small>"
    )


def _versions(result: DemoResult) -> str:
    loss = f"{result.loss_name} while champion"
    head = ["version", "since", "recipe", "cause", "trained up to", "on rows", "answered", loss]
    numeric = {"version", "on rows", "answered", loss}
    return "<h2>The versions that answered</h2>" + table(head, map(_version_row, result.versions), numeric)


def _version_row(life: VersionLife) -> str:
    loss = "" if life.loss is None else written(life.loss)
    return row(
        [
            f'<td class="number">{life.version}</td>',
            f'<td class="when">{day(life.since)}</td>',
            f"<td><code>{escape(life.candidate)}</code></td>",
            f"<td>{escape(life.cause)}</td>",
            f'<td class="when">{day(life.trained_until)}</td>',
            f'<td class="number">{life.trained_rows:,}</td>',
            f'<td class="number">{life.answered:,}</td>',
            f'<td class="number">{loss}</td>',
        ]
    )


def _spent(result: DemoResult) -> str:
    longest = max(result.seconds.values(), default=1.0) or 1.0
    lines = "".join(
        f'<span>{escape(stage)}</span><span class="bar"><i style="width:{spent / longest:.1%}"></i></span>'
        f"<span>{spent:,.1f} s</span>"
        for stage, spent in result.seconds.items()
    )
    total = sum(result.seconds.values())
    return f'<h2>Where the time went</h2><p>{total:,.0f} seconds in all.</p><div class="spent">{lines}</div>'
