"""A candidate is tried as it would be served, in a process of its own: what fails there is a rule that failed, in words."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest

from everfit import BinaryClassification, Gate, Regression
from everfit.errors import DeclarationError
from everfit.evaluation.rules import Rule
from everfit.training import trial_rules as trials
from everfit.training.artifact import Signature
from everfit.training.native_file import dumped
from everfit.training.onnx_graph import Graph
from everfit.training.trial_rules import trial_rules
from tests import behaviours
from tests.native import FAULTY, Faulty

LATE = BinaryClassification(label="late")
SIGNATURE = Signature(model="made", features=[("distance", "number"), ("hour", "number"), ("carrier", "category")], schema="")
ROWS = pl.DataFrame(
    {
        "distance": np.linspace(100, 900, 60),
        "hour": np.arange(60) % 24,
        "carrier": ["AA", "DL"] * 30,
        "late": np.repeat([0.0, 1.0], 30),
        "event_time": [datetime(2024, 1, 1 + hour // 24, hour % 24, tzinfo=UTC) for hour in range(60)],
    }
)


def graph(task: Any = LATE, *, null: float = 0.0, scale: float = 0.01) -> bytes:
    """Answers by the distance alone, ``null`` where it is null."""
    made = Graph(SIGNATURE.features)
    filled = made.add("Where", made.add("IsNaN", "numbers"), made.constant(np.array([[null, 0.0]])), "numbers")
    raw = made.add("MatMul", made.add("Sub", filled, made.constant(500.0)), made.constant(np.array([[scale], [0.0]])))
    return made.finish(raw, task)


def tried(content: bytes, *checks: Any, task: Any = LATE, signature: Signature = SIGNATURE, **gate: Any) -> dict[str, Rule]:
    return {rule.name: rule for rule in trial_rules(Gate(checks=list(checks), **gate), task, content, signature, ROWS)}


def test_a_sound_candidate_loads_fits_into_memory_answers_anything_and_passes_its_checks() -> None:
    good = [behaviours.farther_is_later, behaviours.hour_does_not_matter, behaviours.knows_the_labels]
    rules = tried(graph(), *good, max_memory_mb=500)
    assert [*rules] == ["servable", "memory", "robustness", *(f"check {each.__name__}" for each in good)]
    assert {name: rule.words for name, rule in rules.items() if not rule.passed} == {}
    start, memory = rules["servable"].figure, rules["memory"].figure
    assert start is not None
    assert memory is not None
    assert 0 < start < 60
    assert 0 <= memory < 500
    assert rules["robustness"].words == "201 answers to rows with nulls and unseen values are in range"
    assert rules["check farther_is_later"].words == "farther_is_later: passes"


@pytest.mark.parametrize(
    ("check", "told"),
    [
        (behaviours.raises, "it fails by ValueError: no column 'distance' here"),
        (behaviours.leaves, "it fails by SystemExit: 3"),
        (behaviours.says_true, "it returns True; return None where the candidate passes, else a sentence that says why not"),
        (behaviours.changes_the_rows, "it changes the rows that it is given; "),
        (behaviours.crashes, "it ended its process (SIGABRT)"),
        (behaviours.hangs, "it was not done after 1 s, and was ended"),
    ],
)
def test_a_check_that_fails_in_any_way_is_a_rule_that_failed_and_the_next_one_runs(
    check: Any, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "CHECK_SECONDS", 1.0 if check is behaviours.hangs else 60.0)
    rules = tried(graph(), check, behaviours.farther_is_later)
    failed = rules[f"check {check.__name__}"]
    assert failed.passed is False
    assert failed.words.startswith(f"{check.__name__}: {told}")
    assert rules["check farther_is_later"].passed is True


def test_a_check_tells_what_a_candidate_does_wrong() -> None:
    failed = tried(graph(scale=-0.01), behaviours.farther_is_later)["check farther_is_later"]
    assert failed.passed is False
    assert failed.words == "farther_is_later: farther is not later: 0.02 against 0.98"


def test_answers_out_of_range_are_told_with_the_feature_that_is_null() -> None:
    counts = Regression("flights", minimised="poisson")
    wrong = tried(graph(Regression("flights"), null=-1_000.0), task=counts)["robustness"]
    assert wrong.passed is False
    assert "where distance is null, no number from 0 on (" in wrong.words
    unbounded = tried(graph(Regression("flights"), null=np.inf), task=Regression("flights"))["robustness"]
    assert unbounded.words.startswith("answers inf where distance is null, no finite number (51 of 201 rows")


def test_a_candidate_that_takes_too_much_memory_or_does_not_load_is_told() -> None:
    weights = Graph(SIGNATURE.features)
    large = weights.add("MatMul", "numbers", weights.constant(np.full((2, 200_000), 1e-9)))
    raw = weights.add("MatMul", large, weights.constant(np.full((200_000, 1), 1e-9)))
    memory = tried(weights.finish(raw, LATE), max_memory_mb=50)["memory"]
    assert memory.passed is False
    assert memory.words.endswith(" MB of memory, allowed 50")
    broken = tried(b"no graph")
    assert [*broken] == ["servable"]
    assert broken["servable"].passed is False
    assert "no ONNX graph that the runtime loads" in broken["servable"].words


def test_a_native_candidate_is_tried_as_well_and_one_that_crashes_is_told() -> None:
    signature = Signature("made", SIGNATURE.features, "", native=[FAULTY])
    sound = tried(dumped(Faulty("hour"), [FAULTY], "faulty"), signature=signature)
    assert sound["servable"].passed is True
    assert (sound["memory"].figure or 0) > 20, "the process that it answers from counts"
    crash = tried(dumped(Faulty("hour", loads=False), [FAULTY], "faulty"), signature=signature)
    assert crash["servable"].words.startswith("does not load in a process of its own: ")


@pytest.mark.parametrize(
    ("check", "told"),
    [
        (behaviours.of_nothing, r"of_nothing cannot be called as check\(answers, rows\): "),
        (lambda answers, rows: "", "cannot be imported by another process; define it at the top of a module"),
        (str, "is no function; give one that is called as check"),
    ],
)
def test_a_check_that_cannot_be_called_is_refused_at_declaration(check: Any, told: str) -> None:
    with pytest.raises(DeclarationError, match=told):
        Gate(checks=[check])


def test_a_check_of_the_program_itself_is_refused_as_no_other_process_could_import_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behaviours.says_true, "__module__", "__main__")
    with pytest.raises(DeclarationError, match=r"says_true is defined in __main__, .*define it in a module"):
        Gate(checks=[behaviours.says_true])


def test_a_check_is_declared_once_and_named_in_the_gates_text() -> None:
    with pytest.raises(DeclarationError, match="raises declared twice"):
        Gate(checks=[behaviours.raises, behaviours.raises])
    assert repr(Gate(checks=[behaviours.raises])).endswith("checks=['raises'])")
    assert "checks" not in repr(Gate())
