"""Store dead letters after all, once what refused them has been mended: a model declared, a schema that fits again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.errors import EventError
from everfit.store import letters, schemas
from everfit.store.bulk_copy import Rows, is_plain, outcome_line, prediction_line
from everfit.store.letters import Letter
from everfit.store.log import Batch, LogWriter
from everfit.timing import wall_clock
from everfit.topics.contract import Contract
from everfit.topics.events import PREDICTIONS


@dataclass(slots=True)
class Redriven:
    """The letters that are stored now, and why the others still are not, by number."""

    stored: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


def redrive(engine: sa.Engine, models: Mapping[str, Model], numbers: Sequence[int]) -> Redriven:
    """Check each letter again and store it on its identity, its mark in the same transaction: a second time changes nothing."""
    writer, done = LogWriter(engine), Redriven()
    with engine.connect() as connection:
        contract = Contract(models, schemas.of_all(connection))
    for number in numbers:
        with engine.connect() as connection:
            letter = letters.find(connection, number)
        try:
            writer.write(_batch(contract, letter, number))
        except EventError as error:
            done.refused[number] = str(error)
        else:
            done.stored.append(number)
    return done


def _batch(contract: Contract, letter: Letter | None, number: int) -> Batch:
    if letter is None:
        raise EventError(f"no dead letter has the number {number}")
    value, now = letter.value, wall_clock()
    if letter.topic == PREDICTIONS:
        prediction = contract.prediction(value, now)
        line = prediction_line(prediction, letter.partition, plain=is_plain(value or b""))
        return Batch(predictions=Rows([line], [letter]), letter=letter.id)
    return Batch(outcomes=Rows([outcome_line(contract.outcome(value, now))], [letter]), letter=letter.id)
