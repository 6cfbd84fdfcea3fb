"""The ledger: append-only rows on which version became champion, when, why, in whose place, by whom. It is authoritative.

Each promotion's ``detail`` names the version's manifest in the lake: its training, its evaluation and its reference sample.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from everfit.errors import StaleChampionError
from everfit.store import locks
from everfit.store.tables import ledger

Action = Literal[
    "promoted",  # became champion
    "rolled_back",  # the version before it became champion again
    "rejected",  # by the gate; a version that had begun its rollout is named in detail["version"]
    "inconclusive",  # the gate waits for more days
    "registered",  # passed the gate, and begins its rollout before it is champion
    "advanced",  # its rollout went on by a step
    "approved",  # by a person, in its rollout
    "confirmed",  # the live guard let the provisional champion stay
    "paused",  # by a person: no decision and no promotion of the model
    "resumed",
]
CROWNING: tuple[Action, ...] = ("promoted", "rolled_back")  # these alone change the champion
RECORDING: tuple[Action, ...] = ("promoted", "registered")  # their detail names the version's manifest


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
    """A version on record, as the champion or to be one: its manifest's hash and the end of its training data.

    ``schema`` is that of its inputs; None where an older everfit recorded it.
    """

    version: int
    manifest: str
    trained_until: datetime
    schema: str | None = None


def append(connection: sa.Connection, entry: Entry) -> None:
    """Add a row; rows never change."""
    connection.execute(sa.insert(ledger).values({name: getattr(entry, name) for name in Entry.__slots__}))


def champion(connection: sa.Connection, model: str) -> Champion | None:
    """The current champion, by the newest promotion or rollback."""
    version = connection.execute(_newest(model, ledger.c.to_version)).scalar()
    return None if version is None else recorded(connection, model, version)


def _newest(model: str, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Columns of the newest row that changed the champion."""
    crowned = sa.select(*columns).where(ledger.c.model == model, ledger.c.action.in_(CROWNING))
    return crowned.order_by(ledger.c.id.desc()).limit(1)


@dataclass(frozen=True, slots=True)
class Step:
    """How the champion became champion."""

    version: int
    actor: str
    reason: str


def newest_step(connection: sa.Connection, model: str) -> Step | None:
    """The newest promotion or rollback; None where there was none."""
    row = connection.execute(_newest(model, ledger.c.to_version, ledger.c.actor, ledger.c.reason)).first()
    return None if row is None else Step(*row)


def since(connection: sa.Connection, model: str) -> datetime | None:
    """When the champion became champion, by the model's clock; None where there is none."""
    moment: datetime | None = connection.execute(_newest(model, ledger.c.event_time)).scalar()
    return moment


def is_newer(connection: sa.Connection, model: str, age: timedelta) -> bool:
    """Whether the champion became champion less than so long ago, by the database's clock; False where there is none."""
    is_newer: bool | None = connection.execute(_newest(model, ledger.c.at > sa.func.clock_timestamp() - age)).scalar()
    return bool(is_newer)


def rolled_back_at(connection: sa.Connection, model: str) -> datetime | None:
    """When a promotion was last taken back, by the model's clock; None where none was."""
    moment: datetime | None = connection.execute(
        sa.select(sa.func.max(ledger.c.event_time)).where(ledger.c.model == model, ledger.c.action == "rolled_back")
    ).scalar()
    return moment


def recorded(connection: sa.Connection, model: str, version: int) -> Champion | None:
    """What is on record of a version that was promoted or began its rollout; None where it did neither."""
    query = sa.select(ledger.c.detail).where(
        ledger.c.model == model, ledger.c.action.in_(RECORDING), ledger.c.to_version == version
    )
    detail = connection.execute(query.order_by(ledger.c.id).limit(1)).scalar()
    if detail is None:
        return None
    return Champion(version, detail["manifest"], datetime.fromisoformat(detail["trained_until"]), detail.get("schema"))


def predecessor(connection: sa.Connection, model: str, version: int) -> int | None:
    """The champion that a version replaced when it was last promoted, under whichever number; None where it was the first."""
    numbers = same_artifact(connection, model, version)
    about = (ledger.c.model == model, ledger.c.action == "promoted", ledger.c.to_version.in_(numbers))
    other = ledger.c.from_version.is_(None) | ledger.c.from_version.not_in(numbers)
    replaced: int | None = connection.execute(
        sa.select(ledger.c.from_version).where(*about, other).order_by(ledger.c.id.desc()).limit(1)
    ).scalar()
    return replaced


def former_champions(connection: sa.Connection, model: str, number: int) -> list[int]:
    """At most so many versions that were champion before the present one, the latest first."""
    crowned = sa.select(ledger.c.to_version).where(ledger.c.model == model, ledger.c.action.in_(CROWNING))
    newest_first = crowned.group_by(ledger.c.to_version).order_by(sa.func.max(ledger.c.id).desc())
    return list(connection.execute(newest_first.offset(1).limit(number)).scalars())


def was_champion(connection: sa.Connection, model: str, version: int) -> bool:
    """Whether a version has ever been champion."""
    about = (ledger.c.model == model, ledger.c.action.in_(CROWNING), ledger.c.to_version == version)
    return connection.execute(sa.select(ledger.c.id).where(*about).limit(1)).first() is not None


def versions(connection: sa.Connection, model: str) -> list[int]:
    """The numbers of all versions on record."""
    about = (ledger.c.model == model, ledger.c.action.in_(RECORDING))
    return sorted(set(connection.execute(sa.select(ledger.c.to_version).where(*about)).scalars()))


@dataclass(frozen=True, slots=True)
class Registration:
    """What the row says that registered a version for its rollout."""

    cause: str
    detail: dict[str, Any]


def registration(connection: sa.Connection, model: str, version: int) -> Registration:
    """The row that registered a version for its rollout, which must be there."""
    about = (ledger.c.model == model, ledger.c.action == "registered", ledger.c.to_version == version)
    return Registration(*connection.execute(sa.select(ledger.c.cause, ledger.c.detail).where(*about)).one())


@dataclass(frozen=True, slots=True)
class VersionStep:
    """A row about a version. ``to_version`` is who was champion then, ``event_time`` the model's clock."""

    action: Action
    actor: str
    reason: str
    event_time: datetime
    to_version: int | None = None

    @property
    def words(self) -> str:
        """What was done, such as ``rolled back to version 2``."""
        done = self.action.replace("_", " ")
        return f"{done} to version {self.to_version}" if self.action == "rolled_back" else done


def of_version(connection: sa.Connection, model: str, version: int) -> list[VersionStep]:
    """All that is on record of a version, oldest first."""
    taken_back = sa.and_(ledger.c.action == "rolled_back", ledger.c.from_version == version)
    about = sa.or_(ledger.c.to_version == version, ledger.c.detail["version"].as_integer() == version, taken_back)
    columns = (ledger.c.action, ledger.c.actor, ledger.c.reason, ledger.c.event_time, ledger.c.to_version)
    rows = connection.execute(sa.select(*columns).where(ledger.c.model == model, about).order_by(ledger.c.id))
    return [VersionStep(*row) for row in rows]


def is_paused(connection: sa.Connection, model: str) -> bool:
    """Whether a person has paused the decisions and promotions of a model, and nobody has resumed them."""
    query = sa.select(ledger.c.action).where(ledger.c.model == model, ledger.c.action.in_(("paused", "resumed")))
    return connection.execute(query.order_by(ledger.c.id.desc()).limit(1)).scalar() == "paused"


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
    """The result of an evaluation: the version that it made, or None where none won.

    ``in_rollout``: the version began its rollout, and was not champion at once.
    """

    version: int | None
    in_rollout: bool = False


def evaluation_result(connection: sa.Connection, model: str, evaluation: str) -> EvaluationResult | None:
    """The result of the evaluation with that hash; None where it was not carried out yet."""
    about = (ledger.c.model == model, ledger.c.detail["evaluation"].astext == evaluation)
    row = connection.execute(sa.select(ledger.c.to_version, ledger.c.action).where(*about).order_by(ledger.c.id)).first()
    return None if row is None else EvaluationResult(row.to_version, row.action == "registered")


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
