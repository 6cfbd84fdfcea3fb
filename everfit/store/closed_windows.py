"""Clocks, windows and what was judged and decided about them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert

from everfit.declaration import Model
from everfit.errors import UnknownWindowError
from everfit.evidence import Kind
from everfit.policy.decision import Decision, Finding, History, PastRequest
from everfit.store import ledger, requests
from everfit.store.tables import clocks, decisions, evidence, predictions, windows
from everfit.timing import format_time, wall_clock


@dataclass(frozen=True, slots=True)
class Judgement:
    """One piece of evidence about one version on one window, as it is stored."""

    id: str
    model: str
    version: int
    window_start: datetime
    window_end: datetime
    kind: Kind
    verdict: str
    statistic: float | None
    threshold: float | None
    reason: str
    detail: dict[str, Any]

    def finding(self) -> Finding:
        """What the policy sees of it."""
        return Finding(self.id, self.kind, self.verdict, self.reason, self.window_start, self.window_end)


def clock(connection: sa.Connection, model: Model) -> datetime | None:
    """The model's watermark: the least of its active partitions' newest event times, less the allowed lateness.

    A partition idle for longer than declared does not hold it back; where all are idle, the newest of all counts.
    """
    return read_clocks(connection, [model]).get(model.name)


def read_clocks(connection: sa.Connection, models: Collection[Model]) -> dict[str, datetime]:
    """The clocks of many models at one look, by name; one that has not ticked has none."""
    columns = clocks.c
    query = sa.select(columns.model, columns.newest, columns.seen_at).where(columns.model.in_([one.name for one in models]))
    rows: dict[str, list[tuple[datetime, datetime]]] = {}
    for name, newest, seen_at in connection.execute(query):
        rows.setdefault(name, []).append((newest, seen_at))
    return {model.name: _watermark(model, rows[model.name]) for model in models if model.name in rows}


def _watermark(model: Model, partitions: Sequence[tuple[datetime, datetime]]) -> datetime:
    """Of each partition's newest event time and when it was seen, by the wall clock."""
    now = wall_clock()
    active = [newest for newest, seen_at in partitions if now - seen_at <= model.log.idle_after]
    return (min(active) if active else max(newest for newest, _ in partitions)) - model.log.lateness


def due(connection: sa.Connection, models: Collection[Model]) -> list[Model]:
    """The models whose clock has passed the end of a window that is not closed yet."""
    ends = sa.select(windows.c.model, sa.func.max(windows.c.end).label("until")).group_by(windows.c.model)
    closed = {row.model: row.until for row in connection.execute(ends)}
    now = read_clocks(connection, models)
    return [m for m in models if m.name in now and now[m.name] >= m.window_after(closed.get(m.name, m.go_live))[1]]


def closed_until(connection: sa.Connection, model: Model) -> datetime:
    """End of the newest closed window; the go-live where none has closed."""
    end = connection.execute(sa.select(sa.func.max(windows.c.end)).where(windows.c.model == model.name)).scalar()
    return end or model.go_live


def close(
    connection: sa.Connection, model: Model, span: tuple[datetime, datetime], *, at: datetime, champion: int | None
) -> bool:
    """Write the window's row; False when it was closed already."""
    start, end = span
    within = (predictions.c.model == model.name, predictions.c.event_time >= start, predictions.c.event_time < end)
    rows = connection.execute(sa.select(sa.func.count()).select_from(predictions).where(*within)).scalar_one()
    values = {"model": model.name, "start": start, "end": end, "closed_at": at, "rows": rows, "champion": champion}
    written = insert(windows).values(values).on_conflict_do_nothing().returning(windows.c.model)
    return connection.execute(written).first() is not None


def record(connection: sa.Connection, judgements: Sequence[Judgement]) -> None:
    """Write evidence."""
    if judgements:
        rows = [{name: getattr(judgement, name) for name in Judgement.__slots__} for judgement in judgements]
        connection.execute(sa.insert(evidence), rows)


def replace(connection: sa.Connection, judgements: Sequence[Judgement]) -> None:
    """Write evidence in the place of what could not be judged."""
    held = [judgement.id for judgement in judgements]
    connection.execute(sa.delete(evidence).where(evidence.c.id.in_(held), evidence.c.detail.has_key("unjudged")))
    record(connection, judgements)


def kinds(connection: sa.Connection, model: Model, end: datetime) -> set[tuple[int, str]]:
    """What was judged of the window that ends then, by version and kind; not what could not be."""
    columns = evidence.c
    of_window = (columns.model == model.name, columns.window_end == end, ~columns.detail.has_key("unjudged"))
    return {(row.version, row.kind) for row in connection.execute(sa.select(columns.version, columns.kind).where(*of_window))}


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed window's end, and the champion when it closed."""

    end: datetime
    champion: int


def closed_window(connection: sa.Connection, model: Model, start: datetime) -> Closed:
    """The closed window that begins at a moment.

    Raises:
        UnknownWindowError: when none does, or there was no champion to judge; the message names the newest that do.
    """
    columns = windows.c
    closed = (columns.model == model.name, columns.champion.is_not(None))
    found = connection.execute(sa.select(columns.end, columns.champion).where(*closed, columns.start == start)).first()
    if found is None:
        newest = sa.select(columns.start).where(*closed).order_by(columns.start.desc()).limit(3)
        begin = ", ".join(map(format_time, connection.execute(newest).scalars())) or "none yet"
        raise UnknownWindowError(f"{model.name}: no closed window begins at {format_time(start)}; the newest begin at {begin}")
    return Closed(found.end, found.champion)


def record_decision(connection: sa.Connection, model: Model, at: datetime, champion: int, decision: Decision) -> None:
    """Write what was decided about the window that ends ``at``."""
    values = {"model": model.name, "at": at, "champion": champion, "action": decision.action, "cause": decision.cause}
    told = {"reason": decision.reason, "evidence": list(decision.evidence)}
    connection.execute(sa.insert(decisions).values(values | told))


def history(connection: sa.Connection, model: Model, champion: ledger.Champion, serving: int | None = None) -> History:
    """What the policy remembers of this champion, and of the version that serves in its place, and of the model's requests."""
    columns = evidence.c
    counts: sa.ColumnElement[bool] = columns.version.in_(ledger.same_artifact(connection, model.name, champion.version))
    if serving:  # of before the promotion its alarms have been acted on
        promoted_at = ledger.since(connection, model.name)
        counts |= sa.and_(columns.version == serving, columns.window_start >= promoted_at)
    query = sa.select(
        columns.id, columns.kind, columns.verdict, columns.reason, columns.window_start, columns.window_end
    ).where(columns.model == model.name, counts)
    findings = [Finding(*row) for row in connection.execute(query.order_by(columns.window_end))]
    past = [PastRequest(r.cause, r.status, r.requested_at) for r in requests.of_model(connection, model.name)]
    return History(champion.version, champion.trained_until, findings, past)


def newest(connection: sa.Connection, model: Model, versions: Collection[int]) -> Sequence[Judgement]:
    """The newest judgement of each kind on these versions: a champion's own verdicts, never its predecessor's."""
    columns = [evidence.c[name] for name in Judgement.__slots__]
    query = (
        sa.select(*columns)
        .where(evidence.c.model == model.name, evidence.c.version.in_(versions))
        .ext(distinct_on(evidence.c.kind))
    )
    return [Judgement(*row) for row in connection.execute(query.order_by(evidence.c.kind, evidence.c.window_end.desc()))]
