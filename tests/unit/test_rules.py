"""What the rules of the gate come to, and that each is shown, passed or failed, and kept."""

import math
from datetime import timedelta

import msgspec
import pytest

from assets.evaluation_tables import comparison_record, findings, rule_records
from everfit import BinaryClassification
from everfit.declaration.metrics import OwnLoss
from everfit.environment import formats
from everfit.evaluation.rules import Rule, reason_of, verdict
from everfit.pipeline.evaluation import outcome
from everfit.pipeline.manifests import Compared, Evaluation
from everfit.pipeline.training_record import rule_figures, rule_tags

HELD = Rule(name="difference", figure=-0.01, allowed=0.0, passed=True, words="better by 0.02")
FAILED = Rule(name="slice day=6", figure=0.2, allowed=0.1, passed=False, words="day=6 collapses")
OPEN = Rule(name="difference", figure=0.01, allowed=0.0, passed=None, words="too few days")
UNBOUNDED = Rule(name="latency", figure=math.inf, allowed=20.0, passed=False, words="no answer")


@pytest.mark.parametrize(
    ("rules", "expected", "told"),
    [
        ([HELD], "passed", "better by 0.02"),
        ([HELD, HELD], "passed", "better by 0.02"),
        ([HELD, FAILED], "rejected", "day=6 collapses; better by 0.02"),
        ([OPEN, HELD], "inconclusive", "too few days"),
        ([OPEN, FAILED, UNBOUNDED], "rejected", "day=6 collapses; no answer; too few days"),
    ],
)
def test_one_failed_rule_rejects_and_one_open_rule_waits(rules: list[Rule], expected: str, told: str) -> None:
    assert (verdict(rules), reason_of(rules)) == (expected, told)


def evaluation(*rules: Rule) -> Evaluation:
    compared = Compared(
        name="forest",
        mean=-0.02,
        lower=-0.03,
        upper=-0.01,
        days=28,
        rows=1344,
        loss=0.5,
        champion_loss=0.52,
        passed=False,
        reason="",
        rules=list(rules),
    )
    return Evaluation(trained_model="hash", champion=1, compared=[compared], winner=None, reason="")


def test_every_rule_is_a_row_of_the_page_with_each_candidates_outcome() -> None:
    one, other = evaluation(HELD, FAILED, UNBOUNDED).compared[0], evaluation(OPEN).compared[0]
    made = evaluation()
    made = msgspec.structs.replace(made, compared=[one, msgspec.structs.replace(other, name="mlp")])
    assert [record.data for record in rule_records(made)] == [
        {"rule": "difference", "allowed": 0.0, "forest": "passed, -0.01", "mlp": "open, 0.01"},
        {"rule": "slice day=6", "allowed": 0.1, "forest": "failed, 0.2", "mlp": ""},
        {"rule": "latency", "allowed": 20.0, "forest": "failed", "mlp": ""},
    ]
    assert findings(made).split("\n") == [
        "",
        "### forest",
        "",
        "- **difference**, passed: better by 0.02",
        "- **slice day=6**, failed: day=6 collapses",
        "- **latency**, failed: no answer",
        "",
        "### mlp",
        "",
        "- **difference**, open: too few days",
    ]


def test_trackers_take_the_names_of_rules_and_no_figure_that_is_infinite() -> None:
    assert rule_figures([FAILED, UNBOUNDED], "forest.gate.") == {"forest.gate.slice_day_6": 0.2}
    assert rule_tags([FAILED, OPEN], "everfit.gate.") == {
        "everfit.gate.slice_day_6": "failed: day=6 collapses",
        "everfit.gate.difference": "open: too few days",
    }


def test_an_evaluation_is_read_as_it_was_kept_and_one_without_rules_too() -> None:
    kept = msgspec.to_builtins(evaluation(HELD, FAILED))
    assert formats.convert(dict(kept), Evaluation, "hash") == evaluation(HELD, FAILED)
    del kept["compared"][0]["rules"]
    assert formats.convert(kept, Evaluation, "hash") == evaluation()


@pytest.mark.parametrize(
    ("states", "days", "ended"),
    [
        ([False, None], 7, "inconclusive"),
        ([None, None], 28, "rejected"),
        ([True, None], 28, "passed"),
        ([False, False], 28, "rejected"),
        ([], 0, "rejected"),
    ],
)
def test_a_verdict_that_waits_too_long_is_rejected(states: list[bool | None], days: int, ended: str) -> None:
    compared = [
        Compared(
            name=f"c{n}",
            mean=None,
            lower=None,
            upper=None,
            days=0,
            rows=0,
            loss=0.0,
            champion_loss=0.0,
            passed=state is True,
            reason="why",
            rules=[Rule(name="difference", passed=state, words="why")],
        )
        for n, state in enumerate(states)
    ]
    found, reason = outcome(compared, timedelta(days=days), expires_after=timedelta(days=28))
    assert found == ended
    assert reason.startswith("expired: not decided in 28d; c0: why") == (states == [None, None])


def test_the_page_shows_no_bound_where_an_interval_has_none() -> None:
    compared = msgspec.structs.replace(evaluation(OPEN).compared[0], lower=-math.inf, upper=math.inf)
    record = comparison_record(OwnLoss.of(BinaryClassification(label="up")), compared)
    assert record.data == {
        "candidate": "forest",
        "log loss": 0.5,
        "champion's": 0.52,
        "daily difference": -0.02,
        "from": None,
        "to": None,
        "days": 28,
    }
