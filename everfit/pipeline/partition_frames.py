"""Days that were made, as frames: landed rows of the sources, and features."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from everfit.declaration import Model, Source
from everfit.declaration.input_kinds import frame_type
from everfit.declaration.reserved_columns import EVENT_TIME, REQUEST_ID, renewed
from everfit.errors import LakeError
from everfit.pipeline.lineage import raw_dataset
from everfit.runtime import Runtime
from everfit.store import partitions

if TYPE_CHECKING:
    import polars as pl


def load_raw(runtime: Runtime, model: Model, *, since: date | None = None, before: datetime) -> "Mapping[str, pl.DataFrame]":
    """The newest versions of the raw partitions of ``[since, before)``, one frame a source."""
    with runtime.engine.connect() as connection:
        versions = {
            source.name: partitions.newest(connection, raw_dataset(model, source.name), since=since, before=before.date())
            for source in model.sources
        }
    return {source.name: load_source(runtime, source, list(versions[source.name].values())) for source in model.sources}


def load_features(runtime: Runtime, model: Model, hashes: Sequence[str]) -> "pl.DataFrame":
    """Days of features one after the other: REQUEST_ID, EVENT_TIME and the declared features, in their order.

    Raises:
        LakeError: when a day was made by an earlier declaration, which lacks a feature or has it of another kind.
    """
    import polars as pl

    kinds = {name: frame_type(kind) for name, kind in model.features}
    parts = [renewed(runtime.lake.get_frame(digest), model.label) for digest in hashes]
    for part in parts:
        lacking = [name for name, kind in kinds.items() if part.columns and part.schema.get(name) != kind]
        if lacking:
            raise LakeError(
                f"{model.name}: days of features made by an earlier declaration lack {', '.join(lacking)}; "
                "make them anew by `everfit backfill`"
            )
    filled = [part.select(REQUEST_ID, EVENT_TIME, *kinds) for part in parts if part.columns]
    return pl.concat(filled) if filled else pl.DataFrame()


def load_source(runtime: Runtime, source: Source, hashes: Sequence[str]) -> "pl.DataFrame":
    """Days of a source one after the other, by its declared columns; one that a day was cut without is null in it."""
    import polars as pl

    columns = {column.name: column.frame_type() for column in source.columns}
    parts = [pl.DataFrame(schema=columns)]
    for part in map(runtime.lake.get_frame, hashes):
        shared = {name: kind for name, kind in columns.items() if name in part.columns}
        for name, kind in shared.items():
            if part.schema[name] != kind and not (part.schema[name].is_numeric() and kind.is_numeric()):
                raise LakeError(
                    f"{source.name}: days cut by an earlier declaration hold {name} as {part.schema[name]}, not {kind}; "
                    "cut them anew by `everfit backfill`"
                )
        parts.append(part.select(pl.col(name).cast(kind) for name, kind in shared.items()))
    return pl.concat(parts, how="diagonal")
