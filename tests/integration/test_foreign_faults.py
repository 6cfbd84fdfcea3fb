"""A foreign kind of evidence or policy that answers nonsense: the window closes in its last attempt all the same."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from assets.checks import check_result
from everfit import Decision
from everfit.errors import LakeError, ServiceError
from everfit.evidence import Evidence, EvidenceKind, Trigger
from everfit.evidence import kinds as table
from everfit.store.lake import Lake
from everfit.store.tables import decisions, evidence, quarantines
from monitors.judgement import judge_window
from tests.examples import electricity
from tests.loop import Loop

WEEK = timedelta(days=7)


@dataclass
class Foreign(EvidenceKind):
    """Judges by a function."""

    answer: Callable[[], Any]
    name: str = "foreign"
    describes: str = "Whatever the test says."
    triggers: Trigger = "quarantine"

    def judge(self, window: Any) -> Any:
        return self.answer()


@dataclass(frozen=True)
class Policy:
    """Decides by a function."""

    answer: Callable[[], Any]

    def decide(self, model: Any, at: Any, current: Any, history: Any) -> Any:
        return self.answer()


def raises(error: BaseException) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


def alarm(by_column: Any) -> Callable[[], Evidence]:
    return lambda: Evidence(verdict="alarm", reason="too confident", detail={"by_column": by_column})


@pytest.fixture
def loop(engine: sa.Engine, tmp_path: Path) -> Loop:
    made = Loop(engine, tmp_path, electricity().model, electricity().recorded)
    made.bootstrap()
    made.play(made.model.go_live, made.model.go_live + WEEK)
    return made


@pytest.fixture
def judged(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., sa.Connection]]:
    """``judged(kind=…, policy=…)``: the last attempt at the first window, in a transaction of its own that is undone after."""
    with loop.runtime.engine.connect() as connection:

        def judge(*, kind: Callable[[], Any] | None = None, policy: Callable[[], Any] | None = None, last: bool = True) -> Any:
            connection.rollback()
            added = {"foreign": Foreign(kind)} if kind else {}
            monkeypatch.setattr(table, "extensions", lambda group: added)
            model = loop.model.model_copy(update={"retraining": Policy(policy)}) if policy else loop.model
            span = (model.go_live, model.go_live + WEEK)
            made = judge_window(connection, loop.runtime.lake, model, span, is_last=last)
            for judgement in made.judgements:
                check_result(judgement, "http://pages")
            return connection

        yield judge


UNJUDGED = [
    (alarm(["price"]), "EvidenceError: foreign: detail['by_column'] is ['price']; give a dict of columns to reasons"),
    (alarm(None), "EvidenceError: foreign: detail['by_column'] is None; give"),
    (alarm({}), "EvidenceError: foreign: detail['by_column'] is {}; give"),
    (alarm({"price": 3}), "EvidenceError: foreign: detail['by_column'] is {'price': 3}; give"),
    (alarm({"price": {"a": 1}}), "EvidenceError: foreign: detail['by_column'] is {'price': {'a': 1}}; give"),
    (alarm({"nosuch": "why"}), "EvidenceError: foreign: detail['by_column'] names ['nosuch']; there are "),
    (alarm({"price": "a\0b"}), "DataError: (psycopg.errors.UntranslatableCharacter)"),
    (raises(FileNotFoundError(2, "No such file")), "FileNotFoundError: [Errno 2] No such file"),
    (raises(TimeoutError("the API does not answer")), "TimeoutError: the API does not answer"),
    (lambda: Lake(Path("/nowhere")).get("abcd", "json"), "MissingObjectError: no object abcd.json in the lake at /nowhere"),
    (raises(SystemExit(3)), "RuntimeError: SystemExit(3); a kind or a policy must not end the process"),
    (lambda: None, "EvidenceError: Foreign.judge returned None; it must return Evidence"),
]
UNDECIDED = [
    (lambda: Decision("none", None, None), "TypeError: reason None: a reason is text"),  # type: ignore[arg-type]
    (lambda: Decision("none", None, "\ud800"), "UnicodeEncodeError"),
    (lambda: Decision("none", None, "why", None), "TypeError: evidence None: give the findings' ids"),  # type: ignore[arg-type]
    (lambda: Decision("none", None, "why", ("\0",)), "DataError: (psycopg.DataError)"),
    (raises(FileNotFoundError(2, "No such file")), "FileNotFoundError: [Errno 2] No such file"),
    (raises(SystemExit("enough")), "RuntimeError: SystemExit('enough'); a kind or a policy must not end the process"),
]


def test_a_kind_that_answers_nonsense_is_not_judged_and_the_window_closes(judged: Callable[..., sa.Connection]) -> None:
    for answer, why in UNJUDGED:
        connection = judged(kind=answer)
        (row,) = connection.execute(sa.select(evidence).where(evidence.c.kind == "foreign")).all()
        assert (row.verdict, row.detail) == ("insufficient", {"unjudged": True})
        assert row.reason.startswith(f"could not be judged: {why}"), row.reason
        assert len(connection.execute(sa.select(evidence)).all()) == 6
        assert not connection.execute(sa.select(quarantines)).all()
        assert connection.execute(sa.select(decisions.c.action)).scalars().all() == ["none"]


def test_a_policy_that_answers_nonsense_decides_nothing_and_the_window_closes(judged: Callable[..., sa.Connection]) -> None:
    for answer, why in UNDECIDED:
        (row,) = judged(policy=answer).execute(sa.select(decisions)).all()
        assert (row.action, row.cause, row.evidence) == ("none", None, [])
        assert row.reason.startswith(f"could not be decided: {why}"), row.reason


def test_columns_with_their_reasons_are_quarantined(judged: Callable[..., sa.Connection]) -> None:
    connection = judged(kind=alarm({"price": "too confident of the price", "*": "too few"}))
    rows = connection.execute(sa.select(quarantines.c.column, quarantines.c.reason)).all()
    assert {tuple(row) for row in rows} == {("price", "too confident of the price"), ("*", "too few")}


def test_numbers_of_numpy_are_stored_and_a_foreign_detail_is_no_plot(judged: Callable[..., sa.Connection]) -> None:
    detail = {"columns": ["price"]}
    statistic: Any = np.float32(0.5)
    connection = judged(kind=lambda: Evidence(verdict="ok", reason="fine", statistic=statistic, detail=detail))
    (row,) = connection.execute(sa.select(evidence).where(evidence.c.kind == "foreign")).all()
    assert (row.verdict, row.statistic, row.detail) == ("ok", 0.5, detail)


def test_an_earlier_attempt_and_what_is_shared_stop_the_window(judged: Callable[..., sa.Connection]) -> None:
    with pytest.raises(RuntimeError, match=r"SystemExit\(3\)"):
        judged(kind=raises(SystemExit(3)), last=False)
    full = LakeError("cannot write")
    full.__cause__ = PermissionError(13, "Permission denied")
    for error in (ServiceError("no answer"), OSError(28, "No space left on device"), full):
        with pytest.raises(type(error)):
            judged(kind=raises(error))
        with pytest.raises(type(error)):
            judged(policy=raises(error))
