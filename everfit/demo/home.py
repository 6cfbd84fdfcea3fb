"""What a demo finds where it is to begin: an earlier one's state, which may go, and what others made, which may not."""

from collections.abc import Mapping

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.environment.settings import VARIABLES, given_to_stack
from everfit.errors import StackError
from everfit.runtime import Runtime
from everfit.stack.postgres import Postgres
from everfit.store.database import create_engine, reachable
from everfit.store.tables import ledger, partition_versions, predictions, retrain_requests, source_rows
from everfit.topics.events import OUTCOMES, PREDICTIONS

_MADE = {
    "trainings": sa.select(retrain_requests.c.model),
    "promotions and rejections": sa.select(ledger.c.model),
    "predictions": sa.select(predictions.c.model),
    "days and sets of data": sa.select(sa.func.split_part(partition_versions.c.dataset, "/", 1).label("model")),
}


OUTPUT = {"run", "logs", "summary.json", "report.html"}
PARTS = OUTPUT | {"postgres", "kafka", "dagster", "mlflow", "lake", "spool", "replay"}


def made_by_others(postgres: Postgres, model: str, models: Mapping[str, Model]) -> list[str]:
    """What a stack's home and its database hold that the demo of ``model`` did not make, in words; the server may be down.

    Rows of a source that were on record before its models went live are not counted: `everfit up` lands them by itself.

    Raises:
        StackError: when the server cannot be started.
    """
    home = postgres.data.parent
    usual = PARTS if postgres.data.exists() else OUTPUT
    strangers = [f"{name} (made by no demo)" for name in sorted(part.name for part in home.glob("*")) if name not in usual]
    if not postgres.data.exists():
        return strangers
    running = postgres.process() is not None
    postgres.start()
    engine = create_engine(postgres.url("everfit"))
    try:
        return [*strangers, *held_by_others(engine, model, models)]
    finally:
        engine.dispose()
        if not running:
            postgres.stop()


def held_by_others(engine: sa.Engine, model: str, models: Mapping[str, Model]) -> list[str]:
    """As :func:`made_by_others`, of a database that is up."""
    try:
        with reachable(engine), engine.connect() as connection:
            return [*_of_models(connection, model), *_published(connection, model, models)]
    except sa.exc.ProgrammingError:
        return ["a database whose tables are not this version's, so that nobody can say what is in it"]


def _of_models(connection: sa.Connection, model: str) -> list[str]:
    found: dict[str, list[str]] = {}
    for what, rows in _MADE.items():
        made = rows.subquery()
        counted = sa.select(made.c.model, sa.func.count()).where(made.c.model != model).group_by(made.c.model)
        for name, count in connection.execute(counted):
            found.setdefault(name, []).append(f"{count:,} {what}")
    return [f"{name} ({', '.join(counts)})" for name, counts in sorted(found.items())]


def _published(connection: sa.Connection, model: str, models: Mapping[str, Model]) -> list[str]:
    """The sources of other models that hold rows which `everfit up` did not land."""
    own = {source.name for source in models[model].sources} if model in models else set()
    live = {source.name: declared.go_live - source.known_after for declared in models.values() for source in declared.sources}
    newest = sa.select(source_rows.c.source, sa.func.max(source_rows.c.event_time), sa.func.count())
    rows = connection.execute(newest.group_by(source_rows.c.source).order_by(source_rows.c.source))
    return [
        f"source {name} ({count:,} rows, published until {until:%Y-%m-%d})"
        for name, until, count in rows
        if name not in own and (name not in live or until > live[name])
    ]


def require_empty(runtime: Runtime, model: Model) -> None:
    """Refuse parts that were given and hold something of the model already: a demo begins from nothing, and removes nothing.

    Raises:
        StackError: with what is held where, and the variable that names it.
    """
    given = given_to_stack(runtime.settings.home)
    held = {
        "database_url": _in_database(runtime, model) if "database_url" in given else "",
        "kafka": _in_kafka(runtime.settings.kafka) if "kafka" in given else "",
        "mlflow": "versions of the model" if "mlflow" in given and runtime.registry.roles(model.name) else "",
    }
    for name, what in held.items():
        if what:
            variable = VARIABLES[name]
            raise StackError(
                f"what {variable} names holds {what}: a demo of {model.name} begins from nothing, and removes nothing there; "
                f"name an empty one, or unset {variable}"
            )


def _in_database(runtime: Runtime, model: Model) -> str:
    with reachable(runtime.engine), runtime.engine.connect() as connection:
        for what, rows in _MADE.items():
            made = rows.subquery()
            if connection.execute(sa.select(made.c.model).where(made.c.model == model.name).limit(1)).first():
                return f"{what} of {model.name}"
    return ""


def _in_kafka(bootstrap: str) -> str:
    from kafka import KafkaConsumer, TopicPartition

    from everfit.environment.kafka_options import options

    consumer = KafkaConsumer(**options(bootstrap))
    try:
        parts = [
            TopicPartition(topic, n) for topic in (PREDICTIONS, OUTCOMES) for n in consumer.partitions_for_topic(topic) or ()
        ]
        first, last = consumer.beginning_offsets(parts), consumer.end_offsets(parts)
    finally:
        consumer.close()
    records = sum(last[part] - first[part] for part in parts)
    return f"{records:,} records of {PREDICTIONS} and {OUTCOMES}" if records else ""
