"""The report's sections on promotions: what the gate saw of each candidate, and what the guard saw of each champion."""

from collections.abc import Iterator, Sequence
from html import escape

from everfit.demo.page_parts import day, row, table
from everfit.demo.result import DemoResult, Judged, written
from everfit.evaluation.rules import Rule, verdict
from everfit.pipeline.manifests import Compared
from everfit.store.rollouts import LiveDay, Rollout

BAR, HALF = 4, 14  # pixels: the width of a day's bar, and the height of the largest


def gate_section(result: DemoResult) -> str:
    """Every candidate with every rule: a mark each, what failed in words, and all of them where it is unfolded."""
    intro = (
        "A mark is a rule that the candidate was held to: a dot where it holds, a diamond where it failed, a ring where the "
        "days decide neither way yet. Point at one to read what it found, or unfold them all."
    )
    rows = [line for judged in result.judged for line in _candidates(judged)]
    head = ["judged", "cause", "candidate", "verdict", "rules", "what decided"]
    shown = table(head, rows) if rows else "<p>Nothing was judged.</p>"
    return f"<h2>What the gate saw</h2><p>{intro}</p>{shown}"


def _candidates(judged: Judged) -> Iterator[str]:
    for number, compared in enumerate(judged.compared):
        first, outcome = number == 0, verdict(compared.rules) if compared.rules else _former(compared)
        marks = "".join(map(_mark, compared.rules))
        unfolded = f"<details><summary>all {len(compared.rules)} rules</summary>{_rules(compared.rules)}</details>"
        yield row(
            [
                f'<td class="when">{day(judged.at) if first else ""}</td>',
                f"<td>{escape(judged.cause) if first else ''}</td>",
                f"<td><code>{escape(compared.name)}</code></td>",
                f'<td><span class="verdict {outcome}">{outcome}</span></td>',
                f'<td class="marks">{marks}</td>',
                f"<td>{escape(compared.reason)}{unfolded if compared.rules else ''}</td>",
            ]
        )


def _former(compared: Compared) -> str:
    """The verdict in a record from before rules were kept."""
    return "passed" if compared.passed else "rejected"


def _mark(rule: Rule) -> str:
    told = escape(f"{rule.name}: {rule.words}", quote=True)
    return f'<i class="rule {rule.state}" title="{told}"></i>'


def _rules(rules: Sequence[Rule]) -> str:
    lines = [
        row(
            [
                f'<td><i class="rule {rule.state}"></i> {escape(rule.name)}</td>',
                f'<td class="number">{_figure(rule.figure)}</td>',
                f'<td class="number">{_figure(rule.allowed)}</td>',
                f"<td>{escape(rule.words)}</td>",
            ]
        )
        for rule in rules
    ]
    return table(["rule", "figure", "allowed", "finding"], lines, {"figure", "allowed"})


def _figure(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.4g}"


def guard_section(result: DemoResult) -> str:
    """Every rollout: how a version did day by day beside the one that it replaced, and how that ended."""
    intro = (
        "After a promotion the version that was replaced answers along as a shadow. A bar is a day of outcomes: the "
        f"{result.loss_name} of the new version less that of the old one, blue where the new one is better. The guard looks "
        "once a day, and confirms the new version or takes the old one back."
    )
    rows = [_rollout(each) for each in sorted(result.rollouts, key=lambda each: each.since)]
    head = ["since", "version", "in place of", "day by day", "mean", "outcome", "reason"]
    shown = table(head, rows, {"version", "in place of", "mean"}) if rows else "<p>Nothing was rolled out.</p>"
    return f"<h2>What the guard saw</h2><p>{intro}</p>{shown}"


def _rollout(rollout: Rollout) -> str:
    known = [each for each in rollout.days if each.difference is not None]
    differences = [each.difference or 0.0 for each in known]
    mean = written(sum(differences) / len(differences)) if differences else ""
    state = rollout.state.replace("_", " ")
    return row(
        [
            f'<td class="when">{day(rollout.since)}</td>',
            f'<td class="number">{rollout.version}</td>',
            f'<td class="number">{rollout.replaces or "none"}</td>',
            f"<td>{_bars(known)}</td>",
            f'<td class="number">{mean}</td>',
            f'<td><span class="verdict {rollout.state}">{state}</span></td>',
            f"<td>{escape(rollout.reason)}</td>",
        ]
    )


def _bars(days: Sequence[LiveDay]) -> str:
    """A bar a day from a line at 0, downwards where the new version is better."""
    values = [each.difference or 0.0 for each in days]
    largest = max(map(abs, values), default=0.0) or 1.0
    drawn = [
        f'<rect class="{"better" if value < 0 else "worse"}" x="{BAR * place}" y="{HALF if value < 0 else HALF - height:.1f}" '
        f'width="{BAR - 1}" height="{height:.1f}"><title>{escape(each.day)}: {value:+.4f} on {each.rows} rows</title></rect>'
        for place, (each, value) in enumerate(zip(days, values, strict=True))
        for height in [HALF * abs(value) / largest]
    ]
    width = BAR * max(len(days), 1)
    axis = f'<path class="zero" d="M0 {HALF}H{width}"/>'
    return f'<svg class="days" width="{width}" height="{2 * HALF}">{"".join(drawn)}{axis}</svg>'
