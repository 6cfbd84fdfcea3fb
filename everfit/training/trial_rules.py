"""Rules about a candidate as it would be served: loading, memory, answers to unusual rows, and a user's own checks."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from everfit.declaration import Gate
from everfit.declaration.task_failure import failed_check, require_text
from everfit.declaration.tasks import Task
from everfit.errors import ProcessEndedError
from everfit.evaluation.rules import Rule
from everfit.training.artifact import Signature
from everfit.training.parity import hostile_blocks
from everfit.training.trial import Trial

if TYPE_CHECKING:
    import polars as pl

START_SECONDS = 60.0  # that a version may take to load and to give its first answer
ANSWER_SECONDS = 120.0
CHECK_SECONDS = 60.0
CHECK_ROWS = 10_000  # the newest, that a user's check is given


def trial_rules(gate: Gate, task: Task, content: bytes, signature: Signature, rows: "pl.DataFrame") -> list[Rule]:
    """Try a candidate in a fresh process.

    Args:
        gate: the declared gate.
        task: what is predicted.
        content: the artifact.
        signature: what it takes.
        rows: what it was tested on, at least one, in order of time: features, and the label and event time by the users' names.
    """
    newest = rows.tail(CHECK_ROWS)
    with (
        tempfile.TemporaryDirectory(prefix="everfit-trial-") as folder,
        Trial(content, signature, newest, Path(folder)) as trial,
    ):
        served = [*_served(gate, trial)]
        if not served[0].passed:
            return served
        return [*served, _robust(task, signature, newest, trial), *(_checked(check, trial) for check in gate.checks)]


def _served(gate: Gate, trial: Trial) -> Iterator[Rule]:
    try:
        reply = trial.load(START_SECONDS)
    except ProcessEndedError as error:
        yield Rule(name="servable", passed=False, words=f"does not load in a process of its own: {error}")
        return
    if reply.fault:
        yield Rule(name="servable", passed=False, words=f"does not load in a process of its own: {reply.fault}")
        return
    words = f"loads in a process of its own, and answers after {reply.seconds:.2f} s, allowed {START_SECONDS:g}"
    passed = reply.seconds <= START_SECONDS
    yield Rule(name="servable", figure=reply.seconds, allowed=START_SECONDS, passed=passed, words=words)
    limit, taken = gate.max_memory_mb, f"{reply.megabytes:.0f} MB of memory"
    if limit is None:
        yield Rule(name="memory", figure=reply.megabytes, passed=True, words=f"takes {taken}; no limit is declared")
    else:
        fits = reply.megabytes <= limit
        words = f"takes {'' if fits else 'too much: '}{taken}, allowed {limit:g}"
        yield Rule(name="memory", figure=reply.megabytes, allowed=limit, passed=fits, words=words)


def _robust(task: Task, signature: Signature, rows: "pl.DataFrame", trial: Trial) -> Rule:
    """Whether answers to rows with nulls, and with values that were never seen, are answers of the task."""
    import polars as pl

    blocks = hostile_blocks(signature.features, rows)
    asked = pl.concat(blocks.values())
    try:
        answers = trial.answers(asked, ANSWER_SECONDS)
    except ProcessEndedError as error:
        answers = str(error)
    if isinstance(answers, str):
        return Rule(name="robustness", passed=False, words=f"gives no answer to rows with nulls and unseen values: {answers}")
    where = [words for words, block in blocks.items() for _ in range(block.height)]
    wrong = [(place, answer, fault) for place, answer in zip(where, answers, strict=True) if (fault := _fault(task, answer))]
    if not wrong:
        words = f"{asked.height} answers to rows with nulls and unseen values are in range"
        return Rule(name="robustness", figure=0, allowed=0, passed=True, words=words)
    place, answer, fault = wrong[0]
    told = f"answers {answer} {place}, {fault} ({len(wrong)} of {asked.height} rows with nulls and unseen values)"
    return Rule(name="robustness", figure=len(wrong), allowed=0, passed=False, words=told)


def _fault(task: Task, answer: Any) -> str:
    """Why an answer to one row is none of the task's; empty where it is one."""
    try:
        fault = require_text(task.answer_fault(answer.tolist()))
    except Exception as error:  # noqa: BLE001 - a task may raise anything
        return f"and {failed_check(task, 'it', error)}"
    return fault and f"no {fault}"


def _checked(check: Callable[..., Any], trial: Trial) -> Rule:
    try:
        found = trial.check(f"{check.__module__}:{check.__name__}", CHECK_SECONDS)
    except ProcessEndedError as error:
        found = str(error)
    words = f"{check.__name__}: {found or 'passes'}"
    return Rule(name=f"check {check.__name__}", passed=not found, words=words)
