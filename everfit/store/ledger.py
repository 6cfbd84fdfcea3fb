"""The ledger: append-only rows on which version became champion, when, why, in whose place, by whom. It is authoritative.

Each promotion's ``detail`` names the version's manifest in the lake: its training, its evaluation and its reference sample.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from everfit.errors import StaleChampionError
from everfit.store import locks
from everfit.store.tables import ledger

Action = Literal["promoted", "rolled_back", "rejected"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger. ``event_time`` is the model's clock."""

    model: str
    action: Action
    from_version: int | None
    to_version: int | None
    actor: str
    cause: str
    reason: str
    request: str | None
    event_time: datetime
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Champion:
    """A version that is or was champion: its manifest's hash and the end of its training data."""

    version: int
    manifest: str
    trained_until: datetime


def append(connection: sa.Connection, entry: Entry) -> None:
    """Add a row; rows never change."""
    connection.execute(sa.insert(ledger).values({name: getattr(entry, name) for name in Entry.__slots__}))


def champion(connection: sa.Connection, model: str) -> Champion | None:
    """The current champion, by the newest promotion or rollback."""
    newest = sa.select(ledger.c.to_version).where(ledger.c.model == model, ledger.c.action != "rejected")
    version = connection.execute(newest.order_by(ledger.c.id.desc()).limit(1)).scalar()
    return None if version is None else promoted(connection, model, version)


@dataclass(frozen=True, slots=True)
class Step:
    """How the champion became champion."""

    version: int
    actor: str
    reason: str


def newest_step(connection: sa.Connection, model: str) -> Step | None:
    """The newest promotion or rollback; None where there was none."""
    columns = (ledger.c.to_version, ledger.c.actor, ledger.c.reason)
    query = sa.select(*columns).where(ledger.c.model == model, ledger.c.action != "rejected")
    row = connection.execute(query.order_by(ledger.c.id.desc()).limit(1)).first()
    return row and Step(*row)


def since(connection: sa.Connection, model: str) -> datetime | None:
    """When the champion became champion, by the model's clock; None where there is none."""
    newest = sa.select(ledger.c.event_time).where(ledger.c.model == model, ledger.c.action != "rejected")
    moment: datetime | None = connection.execute(newest.order_by(ledger.c.id.desc()).limit(1)).scalar()
    return moment


def promoted(connection: sa.Connection, model: str, version: int) -> Champion | None:
    """What the promotion of a version recorded; None where it was never promoted."""
    query = sa.select(ledger.c.detail).where(
        ledger.c.model == model, ledger.c.action == "promoted", ledger.c.to_version == version
    )
    detail = connection.execute(query.order_by(ledger.c.id).limit(1)).scalar()
    return detail and Champion(version, detail["manifest"], datetime.fromisoformat(detail["trained_until"]))


def highest(connection: sa.Connection, model: str) -> int:
    """The highest version number in the ledger, or 0; a number is never used for two versions."""
    newest = sa.select(sa.func.max(ledger.c.to_version)).where(ledger.c.model == model)
    return connection.execute(newest).scalar() or 0


def same_artifact(connection: sa.Connection, model: str, version: int) -> list[int]:
    """The numbers of a version's artifact, newest first: a version that MLflow lost is registered again under a new number."""
    origin = ledger.c.detail["restored_from"].as_integer()
    query = sa.select(ledger.c.to_version, origin).where(ledger.c.model == model, origin.is_not(None))
    origins = {int(row[0]): int(row[1]) for row in connection.execute(query)}
    chain = [version]
    while chain[-1] in origins:
        chain.append(origins[chain[-1]])
    return chain


def champion_numbers(connection: sa.Connection, model: str) -> list[int]:
    """The numbers of the champion's artifact, newest first; none where there is no champion."""
    holder = champion(connection, model)
    return same_artifact(connection, model, holder.version) if holder else []


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The result of an evaluation: the promoted version, or None where all candidates were rejected."""

    version: int | None


def evaluation_result(connection: sa.Connection, model: str, evaluation: str) -> EvaluationResult | None:
    """The result of the evaluation with that hash; None where it was not carried out yet."""
    about = (ledger.c.model == model, ledger.c.detail["evaluation"].astext == evaluation)
    row = connection.execute(sa.select(ledger.c.to_version).where(*about).order_by(ledger.c.id)).first()
    return None if row is None else EvaluationResult(row.to_version)


def replace_champion(connection: sa.Connection, entry: Entry) -> None:
    """Add a promotion or rollback, if ``entry.from_version`` still is champion; the lock lasts until the transaction ends.

    Raises:
        StaleChampionError: when another version became champion since the comparison.
    """
    lock(connection, entry.model)
    require_champion(connection, entry.model, entry.from_version)
    append(connection, entry)


def require_champion(connection: sa.Connection, model: str, version: int | None) -> None:
    """Return where ``version`` is champion (None: where there is none).

    Raises:
        StaleChampionError: when another is, because it was promoted since.
    """
    newest = champion(connection, model)
    current = newest.version if newest else None
    if current != version:
        raise StaleChampionError(
            f"{model}: the candidates were compared with version {version}, but version {current} is champion now; "
            "materialize evaluation again"
        )


def lock(connection: sa.Connection, model: str) -> None:
    """Lock the model's ledger until the transaction ends: one promotion or rollback at a time."""
    locks.hold(connection, locks.LEDGER + model)
