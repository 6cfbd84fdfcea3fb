"""Requests that nobody sends: a table whose rows are scored once a day."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from everfit.declaration.part import Part
from everfit.declaration.source import Source

if TYPE_CHECKING:
    from everfit.declaration.model import Model


class BatchScoring(Part):
    """A table of requests that the champion answers once a day, at ``at`` (UTC), and whose answers are logged like serving's.

    ``requests`` is a source of the model, or becomes one: each of its rows is a request at the source's event time, and has the
    request's fields and the columns of the model's ``identity``, by which its id is made. Whole days are scored, of the go-live
    and later; a day that was missed, or on which rows have landed since, is scored the next time.
    """

    at: str = Field("03:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    requests: Source

    @field_validator("requests", mode="before")
    @classmethod
    def _requests_are_a_source(cls, requests: Any) -> Any:
        if not isinstance(requests, Source):
            raise ValueError(f"{requests!r} is no source; give the Source itself, as requests=Source(name=…, …)")  # noqa: TRY004
        return requests


def batch_fault(model: "Model") -> str:
    """Why the rows of the table cannot be requests to the model, and what to do; empty where they can."""
    return "" if model.batch is None else next(_faults(model, model.batch.requests), "")


def with_requests(batch: Any, sources: Any) -> Any:
    """The sources of a model with the table of its requests among them."""
    if not isinstance(batch, BatchScoring) or not isinstance(sources, list):
        return sources
    if any(isinstance(source, Source) and source == batch.requests for source in sources):
        return sources
    return [*sources, batch.requests]


def _faults(model: "Model", requests: Source) -> Iterator[str]:
    columns = {column.name: column for column in requests.columns}
    there = f"it has {', '.join(columns)}"
    for field in model.request:
        given = columns.get(field.name)
        if given is None:
            yield f"source {requests.name} has no column {field.name!r}, a field of the request; {there}: add it to the source"
        elif given.kind == "time" or given.input_kind != field.input_kind:
            yield (
                f"column {field.name!r} is {type(given).__name__} in source {requests.name} and {type(field).__name__} in the "
                "request; declare the same column in both"
            )
    for name in model.identity:
        if name not in columns:
            yield (
                f"source {requests.name} has no column {name!r}, which identity names and a request's id is made of; "
                f"{there}: add it to the source"
            )
