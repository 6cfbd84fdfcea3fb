"""A row of a table counts once, by whoever has to answer it; where that one fails, as in serving, another does."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from everfit.features.running_sums import key_of
from everfit.serving.assignment import is_challenged
from everfit.serving.batch_records import answer_all
from everfit.serving.batch_roles import BatchRoles
from everfit.serving.batch_scoring import Scored
from everfit.serving.request_table import TableRow
from everfit.store.served_roles import Served
from everfit.training.artifact import Signature
from tests.events import MODEL

AT = datetime(2020, 1, 1, tzinfo=UTC)
INPUTS = {name: "NSW1" if kind == "category" else 1.0 for name, kind in MODEL.features}


class Fails(NamedTuple):
    """A version that has no answer to the rows of these half-hours."""

    number: int
    half_hours: Sequence[int] = ()
    model: Any = MODEL
    scorer: Any = SimpleNamespace(signature=Signature.of(MODEL))

    def score(self, runtime: Any, rows: Sequence[TableRow]) -> list[Scored]:
        return [
            Scored({}, False, {}, row.fault or f"version {self.number} fails")
            if row.fault or row.inputs["half_hour"] in self.half_hours
            else Scored(row.inputs, False, {"score": 0.5})
            for row in rows
        ]


def answered(champion: Fails, challenger: Fails | None, *shadows: Fails) -> list[tuple[Any, str, dict[int, str]]]:
    """Of rows 0 to 9, the last of which is none: who answered, why nobody did, and the roles by version."""
    versions: Any = (Served(champion.number, 2, 0.5, "half_hour"), champion, challenger, shadows)
    rows = [TableRow(AT, INPUTS | {"half_hour": number}, "no request" if number == 9 else "") for number in range(10)]
    runtime: Any = None
    found = []
    for given, along in answer_all(runtime, BatchRoles(*versions), [f"r{number}" for number in range(10)], rows, AT):
        records = [json.loads(record) for record in (given.record, *along) if record]
        assert len({record["request_id"] for record in records}) <= 1
        found.append((given.version, given.problem or "", {record["version"]: record["role"] for record in records}))
    return found


TAKEN = [number for number in range(9) if is_challenged(MODEL.name, 2, 0.5, key_of(number))]
REST = [number for number in range(9) if number not in TAKEN]


def test_the_challenger_answers_its_units_and_the_champion_where_it_fails() -> None:
    fails = TAKEN[0]
    found = answered(Fails(1), Fails(2, [fails]), Fails(7))
    for number in TAKEN[1:]:
        assert found[number] == (2, "", {2: "challenger", 1: "shadow", 7: "shadow"})
    for number in (*REST, fails):
        assert found[number] == (1, "", {1: "champion", 7: "shadow"})
    assert found[9] == (None, "no request", {})


def test_what_the_champion_fails_at_shadows_answer_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    """So the guard sees what a provisional champion left unanswered."""
    found = answered(Fails(1, [*range(9)]), None, Fails(7, [3, 4]))
    assert found[0] == (None, "version 1 fails", {7: "shadow"})
    assert found[3] == (None, "version 1 fails", {})
    assert "version 7, which is not champion, does not answer 2 of 10 rows: version 7 fails" in caplog.text
