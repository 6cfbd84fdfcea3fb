"""The report of a drill: what it did, and whether what is stored agrees with what was sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from everfit.drills.traffic import Sent
from everfit.store.tables import dead_letters, outcomes, predictions


@dataclass(slots=True)
class Report:
    """What a drill did, its counts by name in the order to show them, and the faults in words."""

    drill: str
    did: list[str]
    counts: dict[str, int]
    wrong: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether the guarantee held."""
        return not self.wrong


def check_guarantee(drill: str, did: list[str], engine: sa.Engine, sent: Sent) -> Report:
    """Compare what is stored with what was sent.

    Every identity must be stored once with its own value, and every poisoned record be one dead letter, so that
    ``sent = stored + duplicates + dead letters + missing``.
    """
    p, o = predictions.c, outcomes.c
    answers = sa.select(p.event_time, p.request_id, p.model, p.version, p.score)
    truths = sa.select(o.observed_at, o.model, o.request_id, o.outcome)
    with engine.connect() as connection:
        stored_values = [_identities(connection, query) for query in (answers, truths)]
        dead = connection.execute(sa.select(sa.func.count()).select_from(dead_letters)).scalar_one()
    expected: list[Mapping[Any, Any]] = [sent.predictions, sent.outcomes]
    missing = sum(len(wanted.keys() - stored.keys()) for stored, wanted in zip(stored_values, expected, strict=True))
    counts = {
        "sent": sent.records,
        "stored": sum(len(stored) for stored in stored_values),
        "duplicates": sent.repeats,
        "dead letters": dead,
        "missing": missing,
    }
    wrong = [f"{missing} events are missing"] if missing else []
    for what, stored, wanted in zip(("predictions", "outcomes"), stored_values, expected, strict=True):
        wrong += _differences(what, stored, wanted)
    if dead != sent.poison:
        wrong.append(f"{dead} dead letters of {sent.poison} records that had to become one")
    return Report(drill, did, counts, wrong)


def _identities(connection: sa.Connection, query: sa.Select[Any]) -> dict[Any, float]:
    """The value by identity, which is unique by the tables' keys."""
    return {tuple(row[:-1]): row[-1] for row in connection.execute(query)}


def _differences(what: str, stored: Mapping[Any, float], wanted: Mapping[Any, float]) -> list[str]:
    unexpected = len(stored.keys() - wanted.keys())
    changed = sum(stored[identity] != value for identity, value in wanted.items() if identity in stored)
    faults = {"stored that were never sent": unexpected, "stored with another value": changed}
    return [f"{number} {what} {how}" for how, number in faults.items() if number]
