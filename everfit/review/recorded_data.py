"""The recorded rows of a model as they would land, the requests that its history makes of them, and their features."""

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from everfit.declaration import Model, Source
from everfit.errors import EverfitError
from everfit.features.labelled_rows import labelled
from everfit.features.offline import compute
from everfit.replay.timeline import recorded
from everfit.review.remark import Remark
from everfit.sources.validation import check, frame_of
from everfit.timing import wall_clock

if TYPE_CHECKING:
    import polars as pl

SAMPLE_ROWS = 20_000  # requests of which features are computed


class RecordedData(NamedTuple):
    """``rows`` by source as they would land; ``requests`` with labels, in event order; ``features`` of a sample of these."""

    rows: "dict[str, pl.DataFrame]"
    requests: "pl.DataFrame"
    features: "pl.DataFrame"


def read(model: Model) -> tuple[RecordedData | None, list[Remark]]:
    """The data, as far as they can be read, and remarks on what is wrong with them; None where there is an error."""
    remarks: list[Remark] = []
    rows: dict[str, pl.DataFrame] = {}
    for source in model.sources:
        if source.recorded is None:
            rows[source.name] = frame_of(source, [])
            if (
                model.batch
                and source == model.batch.requests
                and source.name not in inspect.signature(model.history).parameters
            ):
                continue  # requests come after the go-live; nothing is learnt from the table
            todo = "give it recorded=… where rows exist: the first version learns from them"
            remarks.append(Remark("warning", f"source {source.name}", "has no recorded rows to be held against", todo))
            continue
        try:
            given = recorded(source)
            rows[source.name] = frame_of(source, [row.values for row in check(source, given, wall_clock())])
            remarks += _repeated(source, given)
        except Exception as error:  # noqa: BLE001 - a user's function may raise anything
            remarks.append(_unread(f"source {source.name}", error))
    if len(rows) < len(model.sources):
        return None, remarks
    try:
        requests = labelled(model, rows)
        sample = requests.gather_every(max(1, -(-requests.height // SAMPLE_ROWS)))
        return RecordedData(rows, requests, compute(model.views, rows, sample)), remarks
    except Exception as error:  # noqa: BLE001 - so may its history
        return None, [*remarks, _unread("history and views", error)]


def _unread(subject: str, error: Exception) -> Remark:
    known = isinstance(error, EverfitError)
    what = str(error) if known else f"{type(error).__name__}: {error}"
    return Remark("error", subject, what, "correct the rows or the declaration" if known else "correct the function")


def _repeated(source: Source, given: "pl.DataFrame") -> Iterator[Remark]:
    """Rows that share an identity: of several the last counts."""
    again = given.filter(given.select(source.identity).is_duplicated())
    if again.is_empty():
        return
    distinct = again.unique().select(source.identity)
    identity, extra = ", ".join(source.identity), again.height - again.select(source.identity).n_unique()
    if not distinct.is_duplicated().any():
        what = f"{extra} rows are exact copies of another"
        yield Remark("note", f"source {source.name}", what, "nothing: an equal row changes nothing")
        return
    example = ", ".join(map(str, distinct.filter(distinct.is_duplicated()).row(0)))
    what = f"{extra} rows have the {identity} of another and differ, such as {example}: only the last of them counts"
    todo = "name in identity=[…] the column that tells them apart, or take the superseded rows out"
    yield Remark("warning", f"source {source.name}", what, todo)
