"""What a demo's home already contains: the state of an earlier demo, which may be removed, and of others, which may not."""

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
    """What a home and its database contain that the demo of ``model`` did not make, in words; the server may be down.

    Recorded rows from before a source's models went live are not counted: `everfit up` lands them by itself.

    Raises:
        StackError: when the server cannot be started.
    """
    home = postgres.data.parent
    usual = PARTS if postgres.data.exists() else OUTPUT
    other_files = [f"{name} (made by no demo)" for name in sorted(part.name for part in home.glob("*")) if name not in usual]
    if not postgres.data.exists():
        return other_files
    running = postgres.process() is not None
    postgres.start()
    engine = create_engine(postgres.url("everfit"))
    try:
        return [*other_files, *contents_of_others(engine, model, models)]
    finally:
        engine.dispose()
        if not running:
            postgres.stop()


def contents_of_others(engine: sa.Engine, model: str, models: Mapping[str, Model]) -> list[str]:
    """As :func:`made_by_others`, for a database that is up."""
    try:
        with reachable(engine), engine.connect() as connection:
            return [*_of_models(connection, model), *_published(connection, model, models)]
    except sa.exc.ProgrammingError:
        return ["a database with tables of another version, whose contents cannot be read"]


def _of_models(connection: sa.Connection, model: str) -> list[str]:
    counts_by_model: dict[str, list[str]] = {}
    for what, rows in _MADE.items():
        made = rows.subquery()
        counted = sa.select(made.c.model, sa.func.count()).where(made.c.model != model).group_by(made.c.model)
        for name, count in connection.execute(counted):
            counts_by_model.setdefault(name, []).append(f"{count:,} {what}")
    return [f"{name} ({', '.join(counts)})" for name, counts in sorted(counts_by_model.items())]


def _published(connection: sa.Connection, model: str, models: Mapping[str, Model]) -> list[str]:
    """The sources of other models that have rows which `everfit up` did not land."""
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
    """Refuse external parts that already contain something of the model: a demo starts empty, and removes nothing there.

    Raises:
        StackError: with the contents, and the variable that names the part.
    """
    given = given_to_stack(runtime.settings.home)
    contents = {
        "database_url": _in_database(runtime, model) if "database_url" in given else "",
        "kafka": _in_kafka(runtime.settings.kafka) if "kafka" in given else "",
        "mlflow": "versions of the model" if "mlflow" in given and runtime.registry.roles(model.name) else "",
    }
    for name, what in contents.items():
        if what:
            variable = VARIABLES[name]
            raise StackError(
                f"what {variable} names contains {what}: a demo of {model.name} starts empty, and removes nothing there; "
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
