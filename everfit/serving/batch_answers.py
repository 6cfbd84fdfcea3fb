"""The rows of a table of requests as the records that the log takes of them, or why a row has none."""

from collections.abc import Iterator, Sequence, Set
from datetime import datetime
from typing import TYPE_CHECKING

import narwhals.stable.v2 as nw

from everfit.declaration import Model, Source
from everfit.declaration.reserved_columns import DEGRADED, EVENT_TIME, REQUEST_ID, VERSION
from everfit.errors import EventError, SettingsError
from everfit.features.labelled_rows import request_id
from everfit.features.running_sums import key_of
from everfit.runtime import Runtime
from everfit.serving.batch_scoring import PROBLEM, BatchScorer, Scored
from everfit.serving.request_table import TableRow, table_rows
from everfit.topics.contract import Contract, require_size
from everfit.topics.events import Prediction, encode

if TYPE_CHECKING:
    import polars as pl

ENTITY, RECORD = "_entity", "_record"


def nothing_answered() -> "pl.DataFrame":
    """No row: REQUEST_ID, EVENT_TIME, VERSION, DEGRADED, ENTITY, RECORD (JSON; null without an answer) and PROBLEM."""
    import polars as pl

    texts: dict[str, pl.DataType] = dict.fromkeys((ENTITY, RECORD, PROBLEM), pl.String())
    own = {REQUEST_ID: pl.String(), EVENT_TIME: pl.Datetime("us", "UTC"), VERSION: pl.Int64(), DEGRADED: pl.Boolean()}
    return pl.DataFrame(schema={**own, **texts})


def answer_rows(runtime: Runtime, scorer: BatchScorer, rows: "pl.DataFrame", known: Set[str], now: datetime) -> "pl.DataFrame":
    """The answers to the rows whose ids are not ``known``, as of each row's event time.

    Args:
        runtime: whose online features are read.
        scorer: the version that answers.
        rows: landed rows of the model's table of requests.
        known: ids of requests that have an answer.
        now: the wall clock.

    Returns:
        One row each, with the columns of :func:`nothing_answered`; a second row of one id has a problem.

    Raises:
        ServiceError: when the online features cannot be read.
    """
    import polars as pl

    model = scorer.model
    table = nw.from_native(rows)
    at = nw.col(requests_of(model).event_time)
    asked = table.with_columns(request_id(model, table, at).alias(REQUEST_ID), at.alias(EVENT_TIME)).to_native()
    answered_before = pl.col(REQUEST_ID).is_in(list(known)).fill_null(value=False) & pl.col(REQUEST_ID).is_first_distinct()
    asked = asked.filter(~answered_before)
    ids = asked[REQUEST_ID].to_list()
    requests = list(_distinct(model, ids, table_rows(model, asked, now), known))
    signature = scorer.scorer.signature
    contract = Contract({model.name: model}, {model.name: {signature.schema: signature.features}})
    answered = zip(ids, asked[EVENT_TIME], requests, scorer.score(runtime, requests), strict=True)
    made = [(name, moment, *_answer(scorer, contract, now, name, row, scored)) for name, moment, row, scored in answered]
    return pl.DataFrame(made, schema=nothing_answered().schema, orient="row")


def requests_of(model: Model) -> Source:
    """The table of the model's requests.

    Raises:
        SettingsError: when it declares none.
    """
    if model.batch is None:
        raise SettingsError(f"{model.name} declares no table to score; give it batch=BatchScoring(at=…, requests=SOURCE)")
    return model.batch.requests


def _distinct(model: Model, ids: Sequence[str | None], rows: Sequence[TableRow], known: Set[str]) -> Iterator[TableRow]:
    """The rows; one whose id is not its own has a fault."""
    columns, seen = ", ".join(model.identity or [model.entity]), set(known)
    for name, row in zip(ids, rows, strict=True):
        if name is None and not row.fault:
            yield row._replace(fault=f"its id is made of {columns}, and one of these is null; correct the row")
        elif name in seen:
            yield row._replace(
                fault=f"{name} is the id of another row, too; name in identity=[…] the columns that tell them apart"
            )
        else:
            yield row
        if name is not None:
            seen.add(name)


def _answer(
    scorer: BatchScorer, contract: Contract, now: datetime, name: str, row: TableRow, scored: Scored
) -> tuple[int | None, bool | None, str | None, str | None, str | None]:
    """VERSION, DEGRADED, ENTITY, RECORD and PROBLEM; a record is as serving's, and one that the log would refuse is none."""
    if scored.fault:
        return None, None, None, None, scored.fault
    entity = key_of(row.inputs[scorer.model.entity])
    try:
        prediction = Prediction(
            request_id=name,
            model=scorer.model.name,
            version=scorer.number,
            role="champion",
            entity=entity,
            event_time=row.at,
            features=dict(scored.features),
            degraded=scored.degraded,
            schema=scorer.scorer.signature.schema,
            **scored.fields,
        )
        record = encode(prediction)
        require_size(entity.encode(), record)
        contract.prediction(record, now)
    except EventError as error:
        return None, None, None, None, f"the answer cannot be logged, and is not given: {error}"
    return scorer.number, scored.degraded, entity, record.decode(), None
