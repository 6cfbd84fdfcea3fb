"""The answers of all versions to the rows of a table, each as the record that serving would log of it."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from everfit.declaration.rollouts import Role
from everfit.errors import EventError
from everfit.features.running_sums import key_of
from everfit.runtime import Runtime
from everfit.serving.batch_roles import BatchRoles
from everfit.serving.batch_scoring import BatchScorer, Scored
from everfit.serving.request_table import TableRow
from everfit.topics.contract import Contract, require_size
from everfit.topics.events import Prediction, encode

logger = logging.getLogger(__name__)


class Logged(NamedTuple):
    """A version's answer to a row: ``record`` is JSON; where there is none, ``problem`` says why."""

    version: int | None = None
    degraded: bool | None = None
    entity: str | None = None
    record: str | None = None
    problem: str | None = None


class _Table(NamedTuple):
    """Rows with their ids, at the wall clock ``now``."""

    runtime: Runtime
    ids: Sequence[str]
    rows: Sequence[TableRow]
    now: datetime


def answer_all(
    runtime: Runtime, roles: BatchRoles, ids: Sequence[str], rows: Sequence[TableRow], now: datetime
) -> list[tuple[Logged, list[str]]]:
    """For each row, the answer that counts and the records of the versions that answered along.

    Raises:
        ServiceError: when the online features cannot be read.
    """
    table = _Table(runtime, ids, rows, now)
    challenged: dict[int, Role] = {place: "challenger" for place, row in enumerate(rows) if roles.is_challenged(row)}
    tried = _beside(table, roles.challenger, challenged) if roles.challenger else {}
    taken = {place: answer for place, answer in tried.items() if answer.record}
    own = _answers(table, roles.champion, {place: "shadow" if place in taken else "champion" for place in range(len(rows))})
    shadowed: dict[int, Role] = dict.fromkeys(range(len(rows)), "shadow")
    others = [_beside(table, shadow, shadowed) for shadow in roles.shadows]
    along = [[own, *others] if place in taken else others for place in range(len(rows))]
    return [
        (taken.get(place, own[place]), [record for each in along[place] if (record := each[place].record)])
        for place in range(len(rows))
    ]


def _beside(table: _Table, scorer: BatchScorer, roles: Mapping[int, Role]) -> dict[int, Logged]:
    """As :func:`_answers`, of a version that is not champion: how many rows it failed at is logged."""
    answers = _answers(table, scorer, roles)
    problems = [answer.problem for place, answer in answers.items() if answer.problem and not table.rows[place].fault]
    if problems:
        told = scorer.model.name, scorer.number, len(problems), len(roles), problems[0]
        logger.warning("%s: version %d, which is not champion, does not answer %d of %d rows: %s", *told)
    return answers


def _answers(table: _Table, scorer: BatchScorer, roles: Mapping[int, Role]) -> dict[int, Logged]:
    """What a version answers at these places, in these roles."""
    signature, model = scorer.scorer.signature, scorer.model
    contract = Contract({model.name: model}, {model.name: {signature.schema: signature.features}})
    scored = scorer.score(table.runtime, [table.rows[place] for place in roles])
    return {
        place: _logged(scorer, contract, table, place, role, answer)
        for (place, role), answer in zip(roles.items(), scored, strict=True)
    }


def _logged(scorer: BatchScorer, contract: Contract, table: _Table, place: int, role: Role, scored: Scored) -> Logged:
    """A record is as serving's, and one that the log would refuse is none."""
    row = table.rows[place]
    if row.fault:
        return Logged(problem=row.fault)
    entity = key_of(row.inputs[scorer.model.entity])
    if scored.fault:
        return Logged(entity=entity, problem=scored.fault)
    try:
        prediction = Prediction(
            request_id=table.ids[place],
            model=scorer.model.name,
            version=scorer.number,
            role=role,
            entity=entity,
            event_time=row.at,
            features=dict(scored.features),
            degraded=scored.degraded,
            schema=scorer.scorer.signature.schema,
            **scored.fields,
        )
        record = encode(prediction)
        require_size(entity.encode(), record)
        contract.prediction(record, table.now)
    except EventError as error:
        return Logged(entity=entity, problem=f"the answer cannot be logged, and is not given: {error}")
    return Logged(scorer.number, scored.degraded, entity, record.decode())
