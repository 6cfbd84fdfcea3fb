"""The rows of a table of requests as the records that the log takes of them, or why a row has none."""

from collections.abc import Iterator, Sequence, Set
from datetime import datetime
from typing import TYPE_CHECKING

import narwhals.stable.v2 as nw

from everfit.declaration import Model, Source
from everfit.declaration.reserved_columns import DEGRADED, EVENT_TIME, REQUEST_ID, VERSION
from everfit.errors import SettingsError
from everfit.features.labelled_rows import request_id
from everfit.runtime import Runtime
from everfit.serving.batch_records import answer_all
from everfit.serving.batch_roles import BatchRoles
from everfit.serving.batch_scoring import PROBLEM
from everfit.serving.request_table import TableRow, table_rows

if TYPE_CHECKING:
    import polars as pl

ENTITY, RECORD, ALONG = "_entity", "_record", "_along"


def nothing_answered() -> "pl.DataFrame":
    """No row: REQUEST_ID, EVENT_TIME, VERSION, DEGRADED, ENTITY, RECORD, PROBLEM and ALONG.

    RECORD is the JSON of the answer that counts, null where there is none; ALONG holds those of other versions.
    """
    import polars as pl

    texts: dict[str, pl.DataType] = dict.fromkeys((ENTITY, RECORD, PROBLEM), pl.String())
    own = {REQUEST_ID: pl.String(), EVENT_TIME: pl.Datetime("us", "UTC"), VERSION: pl.Int64(), DEGRADED: pl.Boolean()}
    return pl.DataFrame(schema={**own, **texts, ALONG: pl.List(pl.String())})


def answer_rows(runtime: Runtime, roles: BatchRoles, rows: "pl.DataFrame", known: Set[str], now: datetime) -> "pl.DataFrame":
    """The answers to the rows whose ids are not ``known``, as of each row's event time.

    As in serving, the challenger answers its units' rows and the champion all others, and those at which the challenger fails;
    shadows answer along, and so does the champion where the challenger answered.

    Args:
        runtime: whose online features are read.
        roles: the versions that answer.
        rows: landed rows of the model's table of requests.
        known: ids of requests that have an answer.
        now: the wall clock.

    Returns:
        One row each, with the columns of :func:`nothing_answered`; a second row of one id has a problem.

    Raises:
        ServiceError: when the online features cannot be read.
    """
    import polars as pl

    model = roles.champion.model
    table = nw.from_native(rows)
    at = nw.col(requests_of(model).event_time)
    asked = table.with_columns(request_id(model, table, at).alias(REQUEST_ID), at.alias(EVENT_TIME)).to_native()
    answered_before = pl.col(REQUEST_ID).is_in(list(known)).fill_null(value=False) & pl.col(REQUEST_ID).is_first_distinct()
    asked = asked.filter(~answered_before)
    ids = asked[REQUEST_ID].to_list()
    requests = list(_distinct(model, ids, table_rows(model, asked, now), known))
    answered = answer_all(runtime, roles, ids, requests, now)
    made = [
        (name, moment, given.version, given.degraded, given.entity, given.record, given.problem, along)
        for name, moment, (given, along) in zip(ids, asked[EVENT_TIME], answered, strict=True)
    ]
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
