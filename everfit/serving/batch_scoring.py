"""Many requests answered at once by one version, without a client: each with the features that were known at its own moment.

Features are looked up, values checked and answers given by the functions of serving, so that they are the same to the last bit.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from everfit.declaration import Model
from everfit.declaration.reserved_columns import DEGRADED, SCORE, VERSION
from everfit.declaration.values import Value
from everfit.errors import EverfitError, ServiceError, SourceError
from everfit.runtime import Runtime
from everfit.serving.answer_check import answer_fields
from everfit.serving.input_sources import Inputs, Registered, inputs_of
from everfit.serving.lookup import Lookup
from everfit.serving.request_table import TableRow, table_rows
from everfit.serving.version_answers import answers_of
from everfit.serving.version_source import LedgerVersions
from everfit.store import ledger, schemas, view_versions
from everfit.store.view_builds import build
from everfit.timing import wall_clock
from everfit.training.version_scorer import VersionScorer, open_scorer

if TYPE_CHECKING:
    import polars as pl

ROWS_AT_ONCE = 500
PROBLEM = "_problem"


class Scored(NamedTuple):
    """One row's answer: ``fields`` as a prediction has them, empty where ``fault`` says why there is none."""

    features: Mapping[str, Value]
    degraded: bool
    fields: Mapping[str, Any]
    fault: str = ""


class BatchScorer(NamedTuple):
    """A version that answers rows of tables."""

    model: Model
    number: int
    scorer: VersionScorer
    inputs: Inputs

    def score(self, runtime: Runtime, rows: Sequence[TableRow]) -> list[Scored]:
        """The answers in the order of the rows; a row that cannot be answered says why, and the others go on.

        Raises:
            ServiceError: when the online features cannot be read; nothing stands in for them.
        """
        return asyncio.run(self._score(Lookup(runtime.engine), rows))

    async def _score(self, lookup: Lookup, rows: Sequence[TableRow]) -> list[Scored]:
        try:
            starts = range(0, len(rows), ROWS_AT_ONCE)
            parts = [await self._part(lookup, rows[start : start + ROWS_AT_ONCE]) for start in starts]
        finally:
            await lookup.close()
        return [scored for part in parts for scored in part]

    async def _part(self, lookup: Lookup, rows: Sequence[TableRow]) -> list[Scored]:
        good = [row for row in rows if not row.fault]
        views = await lookup.features_at(self.inputs.readings, [(row.inputs, row.at) for row in good])
        features = [self.inputs.values(row.inputs, read.features) for row, read in zip(good, views, strict=True)]
        answers = iter(await self._answers(features))
        degraded = iter([read.degraded or self.inputs.degraded for read in views])
        known = iter(features)
        return [
            Scored({}, False, {}, row.fault) if row.fault else self._scored(next(known), next(degraded), next(answers))
            for row in rows
        ]

    async def _answers(self, features: Sequence[Mapping[str, Value]]) -> list[Any]:
        """An answer a row, or the error that stands in its place."""
        try:
            return await answers_of(self.scorer, features)
        except ServiceError:
            raise
        except EverfitError:
            return [await self._one(row) for row in features]

    async def _one(self, features: Mapping[str, Value]) -> Any:
        try:
            return (await answers_of(self.scorer, [features]))[0]
        except ServiceError:
            raise
        except EverfitError as error:
            return error

    def _scored(self, features: Mapping[str, Value], degraded: bool, answer: Any) -> Scored:
        if isinstance(answer, EverfitError):
            return Scored(features, degraded, {}, str(answer))
        try:
            return Scored(features, degraded, answer_fields(self.model, self.number, answer))
        except EverfitError as error:
            return Scored(features, degraded, {}, str(error))


def open_batch_scorer(runtime: Runtime, model: Model, version: int | None = None) -> BatchScorer:
    """The champion, or the version of that number; declared views that are not built yet are built first.

    Raises:
        ServiceError: when there is no champion, or the registry does not answer.
        LostVersionError: when there is no such version.
    """
    build(runtime.engine, runtime.models, wait=True)
    with runtime.engine.connect() as connection:
        champion = ledger.champion(connection, model.name)
        registered = Registered(view_versions.registered(view_versions.cursor_of(connection)), schemas.uses(connection))
    if version is None and champion is None:
        raise ServiceError(f"{model.name} has no champion yet; train and promote one: `everfit train {model.name}`")
    number = version if version is not None or champion is None else champion.version
    assert number is not None
    artifact = LedgerVersions(runtime.engine, runtime.registry, runtime.lake).fetch(model.name, number)
    scorer = open_scorer(artifact.content, artifact.signature)
    return BatchScorer(model, number, scorer, inputs_of(model, scorer.signature, registered))


def score_table(runtime: Runtime, model: Model, table: "pl.DataFrame", version: int | None = None) -> "pl.DataFrame":
    """A table of requests with a version's answers.

    Returns:
        The table with ``_version``, ``_score`` (a number; a struct of classes or quantiles where the task answers several),
        ``_degraded``, and ``_problem``: why a row has no score, null where it has one.

    Raises:
        SourceError: when a field of the request has no column, or a column has one of these names.
        ServiceError: as :func:`open_batch_scorer`; also when the online features cannot be read.
    """
    import polars as pl

    if taken := [name for name in (VERSION, SCORE, DEGRADED, PROBLEM) if name in table.columns]:
        raise SourceError(f"the table has a column {taken[0]!r}, as the result has; rename it or leave it out")
    rows = table_rows(model, table, wall_clock())
    scorer = open_batch_scorer(runtime, model, version)
    scored = scorer.score(runtime, rows)
    names = model.task.score_names
    kind = pl.Struct(dict.fromkeys(names, pl.Float64)) if names else pl.Float64()
    scores = [row.fields.get("scores" if names else "score") if row.fields else None for row in scored]
    return table.with_columns(
        pl.lit(scorer.number, pl.Int64).alias(VERSION),
        pl.Series(SCORE, scores, kind),
        pl.Series(DEGRADED, [None if row.fault else row.degraded for row in scored], pl.Boolean),
        pl.Series(PROBLEM, [row.fault or None for row in scored], pl.String),
    )
