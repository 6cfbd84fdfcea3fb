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
from everfit.topics.log_formats import LogRecord, Translator, translator


@dataclass(slots=True)
class Redriven:
    """The letters that are stored now, and why the others still are not, by number."""

    stored: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


def redrive(engine: sa.Engine, models: Mapping[str, Model], numbers: Sequence[int]) -> Redriven:
    """Check each letter again and store it on its identity, its mark in the same transaction: a second time changes nothing."""
    writer, translate, done = LogWriter(engine), translator(models), Redriven()
    with engine.connect() as connection:
        contract = Contract(models, schemas.of_all(connection))
    for number in numbers:
        with engine.connect() as connection:
            letter = letters.find(connection, number)
        try:
            writer.write(_batch(contract, translate, letter, number))
        except EventError as error:
            done.refused[number] = str(error)
        else:
            done.stored.append(number)
    return done


def _batch(contract: Contract, translate: Translator | None, letter: Letter | None, number: int) -> Batch:
    """What the letter holds, by the log format of today."""
    if letter is None:
        raise EventError(f"no dead letter has the number {number}")
    values: list[bytes | None] = [letter.value]
    if translate:
        values = [*translate.values(LogRecord(letter.topic, letter.partition, letter.offset, letter.value or b""))]
    now, same = wall_clock(), [letter] * len(values)
    if letter.topic == PREDICTIONS:
        predictions = [contract.prediction(value, now) for value in values]
        plain = [is_plain(value or b"") for value in values]
        lines = [prediction_line(event, letter.partition, plain=p) for event, p in zip(predictions, plain, strict=True)]
        return Batch(predictions=Rows(lines, [*same]), letter=letter.id)
    lines = [outcome_line(contract.outcome(value, now)) for value in values]
    return Batch(outcomes=Rows(lines, [*same]), letter=letter.id)
