"""Days that were made, as frames: landed rows of the sources, and features."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from everfit.declaration import Model, Source
from everfit.declaration.input_kinds import frame_type
from everfit.declaration.reserved_columns import EVENT_TIME, REQUEST_ID, renewed
from everfit.errors import LakeError
from everfit.runtime import Runtime

if TYPE_CHECKING:
    import polars as pl


def load_features(runtime: Runtime, model: Model, hashes: Sequence[str]) -> "pl.DataFrame":
    """Days of features one after the other: REQUEST_ID, EVENT_TIME and the declared features, in their order.

    Raises:
        LakeError: when a day was made by an earlier declaration, which lacks a feature or has it of another kind.
    """
    import polars as pl

    from everfit.store.frames import MOMENT

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
    none = pl.DataFrame(schema={REQUEST_ID: pl.String, EVENT_TIME: MOMENT, **kinds})
    return pl.concat([none, *filled])


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
