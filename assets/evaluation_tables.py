"""What the page of an evaluation shows: the comparison, the rules with their outcomes, and their findings in words."""

import math
from typing import TYPE_CHECKING

import dagster as dg

from assets.pages import readable
from everfit.declaration.metrics import Metric

if TYPE_CHECKING:
    from everfit.evaluation.rules import Rule
    from everfit.pipeline.manifests import Compared, Evaluation


def comparison_record(metric: Metric, compared: "Compared") -> dg.TableRecord:
    """A candidate's row in the comparison, the metric in its own direction."""
    from everfit.pipeline.training_record import interval

    lower, mean, upper = interval(metric, compared) or (None, None, None)
    values = {
        "candidate": compared.name,
        metric.title: _finite(metric.shown(compared.loss)),
        "champion's": _finite(metric.shown(compared.champion_loss)),
        "daily difference": _finite(mean),
        "from": _finite(lower),
        "to": _finite(upper),
        "days": compared.days,
    }
    return dg.TableRecord(values)


def rule_records(made: "Evaluation") -> list[dg.TableRecord]:
    """All rules that the candidates were held to, one a row: the limit, and for each candidate its outcome and figure."""
    rules = {compared.name: {rule.name: rule for rule in compared.rules} for compared in made.compared}
    records = []
    for name in dict.fromkeys(name for held in rules.values() for name in held):
        allowed = next((held[name].allowed for held in rules.values() if name in held), None)
        cells = {candidate: _outcome(held.get(name)) for candidate, held in rules.items()}
        records.append(dg.TableRecord({"rule": name, "allowed": _finite(allowed), **cells}))
    return records


def findings(made: "Evaluation") -> str:
    """What every rule has found of every candidate, in markdown."""
    lines = [
        f"- **{rule.name}**, {rule.state}: {rule.words}" if rule else f"\n### {compared.name}\n"
        for compared in made.compared
        for rule in [None, *compared.rules]
    ]
    return "\n".join(lines)


def _outcome(rule: "Rule | None") -> str:
    if rule is None:
        return ""
    figure = _finite(rule.figure)
    return rule.state if figure is None else f"{rule.state}, {figure:g}"


def _finite(figure: float | None) -> float | None:
    """As a page shows it: JSON knows no infinity."""
    return None if figure is None or not math.isfinite(figure) else readable(figure)
