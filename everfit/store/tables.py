"""The tables of the ``everfit`` database. Migrations create them; a test compares the two.

Times are ``timestamptz``; a model's identity is its declared name; a version is MLflow's number.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()


def _time(name: str, *, nullable: bool = False, primary_key: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable, primary_key=primary_key)


def _text(name: str, *, nullable: bool = False, primary_key: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable, primary_key=primary_key)


source_rows = Table(
    "source_rows",
    metadata,
    _text("source", primary_key=True),
    _text("identity", primary_key=True),  # the identity columns' values as a JSON array
    _time("event_time"),
    Column("row", JSONB, nullable=False),
    Column("landed_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Index("source_rows_by_time", "source", "event_time"),
)

source_days = Table(
    "source_days",
    metadata,
    _text("source", primary_key=True),
    Column("day", Date, primary_key=True),  # UTC
    Column("changes", BigInteger, nullable=False, server_default=text("1")),  # publications that touched the day
)

view_versions = Table(
    "view_versions",
    metadata,
    _text("view", primary_key=True),
    _text("version", primary_key=True),
    _text("source"),
    Column("definition", JSONB, nullable=False),  # everfit.features.definition.Definition
    _text("state"),  # building; built; stale: built before, but lacks rows that have landed since
    _text("progress", nullable=True),  # the state of the keys up to this one follows publications; of all, once it is built
    Column("own_keys", Boolean, nullable=False, server_default=text("false")),  # its function makes keys, not the source
    Column("rows_read", BigInteger, nullable=False, server_default=text("0")),  # of rows_landed, by building
    Column("rows_landed", BigInteger, nullable=False, server_default=text("0")),
    _text("problem", nullable=True),  # the reason why it cannot be built
    Column("registered_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    _time("built_at", nullable=True),
    Column("used_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),  # declared or served by then
    Column("masks", JSONB),  # a list of everfit.features.masked_features.MaskedColumns; null without any
    Index("view_versions_by_source", "source"),
)

schemas = Table(
    "schemas",
    metadata,
    _text("model", primary_key=True),
    _text("schema", primary_key=True),
    Column("features", JSONB, nullable=False),  # name and kind of every input, in order
    Column("first_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)

schema_views = Table(
    "schema_views",
    metadata,
    _text("model", primary_key=True),
    _text("schema", primary_key=True),
    _text("view", primary_key=True),
    _text("version", primary_key=True),
    Column("declared_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),  # last
)

online_features = Table(
    "online_features",
    metadata,
    _text("view", primary_key=True),
    _text("version", primary_key=True),
    _text("key", primary_key=True),
    _time("known_at", primary_key=True),
    Column("values", JSONB, nullable=False),  # the row's own values, in the order of FeatureView.columns
    Column("sums", ARRAY(BigInteger), nullable=False),  # running sums in units of the resolution, same order; 0 for categories
    Column("counts", ARRAY(BigInteger), nullable=False),  # running counts of non-null values, same order
    Column("rows", Integer),  # of the source that became known at that moment; null where not counted
)

predictions = Table(
    "predictions",
    metadata,
    _time("event_time", primary_key=True),
    _text("request_id", primary_key=True),
    _text("model", primary_key=True),
    Column("version", Integer, primary_key=True),
    _text("role"),
    _text("entity"),
    Column("features", JSONB, nullable=False),
    Column("score", Float(53)),  # null where an answer is several numbers, which scores has
    Column("degraded", Boolean, nullable=False),
    _text("schema"),
    Column("late", Boolean, nullable=False),  # it arrived after its window had closed, and belongs to no window
    Column("scores", JSONB),  # number by class or quantile
    Column("explored", Float(53), nullable=False, server_default=text("0")),  # the share of explored units; 0: none of them
    Index("predictions_by_model", "model", "event_time"),
    Index("predictions_late", "model", "event_time", postgresql_where=text("late")),
    postgresql_partition_by="RANGE (event_time)",
)

outcomes = Table(
    "outcomes",
    metadata,
    _time("observed_at", primary_key=True),
    _text("model", primary_key=True),
    _text("request_id", primary_key=True),
    Column("outcome", Float(53)),  # null where it is a class
    _text("outcome_class", nullable=True),
    Index("outcomes_by_request", "model", "request_id"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    _text("topic"),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    _text("log_id"),  # the topic's id when it was read: offsets restart when a log does
    Column("value", LargeBinary),
    _text("reason"),
    Column("read_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    _time("redriven_at", nullable=True),  # when it was stored later
    Index("dead_letters_once", "topic", "partition", "offset", "log_id", unique=True),
)

consumer_offsets = Table(
    "consumer_offsets",
    metadata,
    _text("topic", primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    _text("log_id"),
    _text("fingerprint"),  # SHA-256 of the last record read: a log that grew again has the same offsets, not the same bytes
    Column("record_offset", BigInteger),  # of that record; null: the one before next_offset
    Column("restarts", Integer, nullable=False, server_default=text("0")),
    Column("end_offset", BigInteger, nullable=False, server_default=text("0")),  # the log's end when it was last read
    Column("readable_offset", BigInteger, nullable=False, server_default=text("0")),  # its end, or where a transaction is open
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)

log_lags = Table(
    "log_lags",
    metadata,
    _text("topic", primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("lowest", BigInteger, nullable=False),  # records left to read, at the least since reading fell behind
    _time("since"),  # wall clock: when it fell to that
)

log_gaps = Table(
    "log_gaps",
    metadata,
    _text("topic", primary_key=True),
    Column("partition", Integer, primary_key=True),
    _text("log_id", primary_key=True),
    Column(
        "first_offset", BigInteger, primary_key=True
    ),  # records [first_offset, next_offset) were deleted before they were read
    Column("next_offset", BigInteger, nullable=False),
    Column("skipped", Boolean, nullable=False, server_default=text("false")),  # not deleted: skipped by a person
    Column("noticed_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)

clocks = Table(
    "clocks",
    metadata,
    _text("model", primary_key=True),
    Column("partition", Integer, primary_key=True),
    _time("newest"),  # newest event time seen on this partition of the prediction log
    _time("seen_at"),  # wall clock: an idle partition does not delay the model's clock
)

windows = Table(
    "windows",
    metadata,
    _text("model", primary_key=True),
    _time("start", primary_key=True),
    _time("end"),
    _time("closed_at"),  # the model's clock when it closed
    Column("rows", Integer, nullable=False),
    Column("champion", Integer),  # the champion when it closed
)

evidence = Table(
    "evidence",
    metadata,
    _text("id", primary_key=True),
    _text("model"),
    Column("version", Integer, nullable=False),
    _time("window_start"),
    _time("window_end"),
    _text("kind"),  # of the table of kinds when it was judged
    _text("verdict"),  # ok, alarm, insufficient
    Column("statistic", Float(53)),
    Column("threshold", Float(53)),
    _text("reason"),
    Column("detail", JSONB, nullable=False),
    Index("evidence_by_window", "model", "window_end"),
)

day_verdicts = Table(
    "day_verdicts",
    metadata,
    _text("model", primary_key=True),
    _time("day", primary_key=True),  # its beginning, midnight UTC
    _text("subject", primary_key=True),  # the requests, or a source
    Column("version", Integer, nullable=False),  # whose profile it was judged by
    _text("verdict"),  # ok, alarm, insufficient
    _text("reason"),
    Column("detail", JSONB, nullable=False),
    _time("judged_at"),  # by the model's clock
)

quarantines = Table(
    "quarantines",
    metadata,
    _text("model", primary_key=True),
    _time("start", primary_key=True),
    _time("end"),  # at the latest the next midnight
    _text("column", primary_key=True),  # or * for all of them
    _text("reason"),
    _time("quarantined_at"),  # the end of the day or window that was judged
    Column("kinds", ARRAY(Text), nullable=False, server_default=text("'{}'")),  # of break: everfit.evidence.breaks.BreakKind
)

quarantine_releases = Table(
    "quarantine_releases",
    metadata,
    _text("model", primary_key=True),
    _time("start", primary_key=True),
    _text("column", primary_key=True),
    _text("actor"),
    _text("reason"),
    Column("at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("accepted", Boolean, nullable=False, server_default=text("false")),  # no break of these kinds is raised again
)

decisions = Table(
    "decisions",
    metadata,
    _text("model", primary_key=True),
    _time("at", primary_key=True),  # the end of the window it was decided on
    Column("champion", Integer, nullable=False),
    _text("action"),  # retrain, wait, none
    _text("cause", nullable=True),  # a kind of evidence, or a policy's own
    _text("reason"),
    Column("evidence", ARRAY(Text), nullable=False),
    Column("declaration", Text, ForeignKey("declaration_documents.id")),  # that it was made by; null of an older everfit
)

retrain_requests = Table(
    "retrain_requests",
    metadata,
    _text("id", primary_key=True),
    _text("model"),
    _text("cause"),  # of the decision; bootstrap and person stand for what people request
    _text("reason"),
    Column("champion", Integer),  # the version it would replace; null before the first
    _time("cutoff"),  # nothing known after it is trained on
    _time("requested_at"),  # the model's clock
    Column("attempt", Integer, nullable=False, server_default=text("1")),
    _text("status"),  # pending, launched; it ends promoted, rejected, inconclusive, in_rollout or failed
    _text("run_id", nullable=True),
    _text("result", nullable=True),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Index("retrain_requests_open", "model", "status"),
)

ledger = Table(
    "ledger",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    _text("model"),
    _text("action"),  # everfit.store.ledger.Action
    Column("from_version", Integer),
    Column("to_version", Integer),
    _text("actor"),
    _text("cause"),
    _text("reason"),
    Column("request", Text, ForeignKey("retrain_requests.id")),
    _time("event_time"),  # the model's clock
    Column("at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("detail", JSONB, nullable=False),
)

rollouts = Table(
    "rollouts",
    metadata,
    _text("id", primary_key=True),
    _text("model"),
    Column("version", Integer, nullable=False),
    Column("replaces", Integer),  # the champion that it was compared with; null where there was none
    Column("stages", JSONB, nullable=False),  # as they were declared when it began; the guard is the last
    Column("step", Integer, nullable=False),  # the stage that it is in, from 0
    _time("since"),  # the model's clock when that began
    _time("looked_until", nullable=True),  # the end of the newest day of event time that was looked at
    Column("margin", Float(53), nullable=False, server_default=text("0")),  # what the version may lose, as the gate allowed
    Column("days", JSONB, nullable=False, server_default=text("'[]'")),  # what each day's live outcomes showed
    _text("state"),  # everfit.store.rollouts.State
    _text("reason"),
    _text("request", nullable=True),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Index("rollouts_challenging", "model", unique=True, postgresql_where=text("state IN ('running', 'waiting')")),
    Index("rollouts_provisional", "model", unique=True, postgresql_where=text("state = 'provisional'")),
)

partition_versions = Table(
    "partition_versions",
    metadata,
    _text("dataset", primary_key=True),  # such as electricity_price/features
    _text("partition", primary_key=True),  # a day, or '' for what is not cut
    Column("version", Integer, primary_key=True),
    _text("hash"),  # names the object in the lake
    Column("rows", BigInteger, nullable=False),
    _text("code_version"),
    Column("inputs", JSONB, nullable=False),  # data versions it was made from
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)

alerts = Table(
    "alerts",
    metadata,
    _text("model", primary_key=True),  # empty where it concerns them all
    _text("cause", primary_key=True),  # a family and the cause within it, such as 'request:1a2b'
    _text("message"),
    _time("first_at"),  # wall clock, as all that follow
    _time("last_sent_at", nullable=True),
    _time("tried_at", nullable=True),  # when sending last failed
    Column("count", Integer, nullable=False, server_default=text("0")),  # how often it was sent
    _time("resolved_at", nullable=True),
)

failures = Table(
    "failures",
    metadata,
    _text("model", primary_key=True),  # empty where it concerns none
    _text("stage", primary_key=True),  # window, raw_data, features, launch, declaration, …
    _text("part", primary_key=True),  # a window's start, a day, a request, a module; empty where it is the whole stage
    _text("error"),
    _time("first_at"),  # wall clock, as all that follow
    _time("last_at"),
    _time("retry_at"),
    Column("attempts", Integer, nullable=False),
)

declarations = Table(
    "declarations",
    metadata,
    _text("model", primary_key=True),
    Column("facts", JSONB, nullable=False),  # what of a declaration must stay as it is, by name
    _time("seen_at"),  # wall clock: when it was last declared so
)

declaration_documents = Table(
    "declaration_documents",
    metadata,
    _text("id", primary_key=True),  # everfit.pipeline.declaration_document.declaration_id
    _text("model"),
    Column("document", JSONB, nullable=False),  # all of the declaration
    Column("first_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)

comparators = Table(
    "comparators",
    metadata,
    _text("id", primary_key=True),
    _text("model"),
    _time("start"),  # of the window that it is for; nothing known after it is learnt
    _text("recipe"),  # as the policy names it: recipe, light, or the name of one of its own
    Column("champion", Integer, nullable=False),  # when it was asked for: whose recipe is meant
    _text("state"),  # asked; it ends fitted or failed
    Column("attempts", Integer, nullable=False, server_default=text("0")),  # fits that were begun
    _text("fitted", nullable=True),  # names everfit.pipeline.comparator_fit.FittedComparator in the lake
    Column("fit_seconds", Float(53)),
    _text("reason", nullable=True),  # why it failed
    Column("asked_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    _time("ended_at", nullable=True),
    Index("comparators_by_window", "model", "start"),
    Index("comparators_asked", "asked_at", postgresql_where=text("state = 'asked'")),
)

heartbeats = Table(
    "heartbeats",
    metadata,
    _text("process", primary_key=True),  # prediction_log (the sensor), ingest, comparators
    _time("at"),  # the clock of Postgres
    Column("addresses", JSONB, nullable=False),  # what it works with, without passwords
    Column("identities", JSONB, nullable=False),  # who answers there
)
