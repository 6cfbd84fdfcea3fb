"""The champion's inputs in a backtest: those of its own schema, whatever is declared now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from everfit.declaration import Model
from everfit.declaration.feature_changes import feature_changes
from everfit.declaration.input_kinds import frame_type
from everfit.declaration.reserved_columns import EVENT_TIME, REQUEST_ID, SCHEMA
from everfit.declaration.views import Features
from everfit.pipeline import manifests
from everfit.pipeline.manifests import Version
from everfit.runtime import Runtime
from everfit.store import frames
from everfit.training.artifact import Signature

if TYPE_CHECKING:
    import polars as pl

INSTANT = timedelta(microseconds=1)
_LOGGED = "_logged"


@dataclass(frozen=True, slots=True)
class ChampionInputs:
    """The champion's inputs in the order of the tested rows, and a note where they are not the declared ones."""

    signature: Signature
    rows: "pl.DataFrame"
    note: str = ""


def champion_inputs(runtime: Runtime, model: Model, champion: Version, tested: "pl.DataFrame") -> ChampionInputs:
    """The inputs of the champion in each tested row.

    A champion of an earlier schema gets the inputs that were logged by that schema. In other rows, the inputs that the
    declaration still has, by name and kind, are those computed now, and the others are null.
    """
    signature = manifests.signature_of(runtime.lake, champion)
    schema, features = signature.schema, signature.features
    if schema == model.schema_id:
        return ChampionInputs(signature, tested)
    with runtime.engine.connect() as connection:
        span = cast(datetime, tested[EVENT_TIME].min()), cast(datetime, tested[EVENT_TIME].max()) + INSTANT
        logged = frames.logged(connection, model, span, known_at=span[1], late=True, features=features)
    rows, logged_rows = _merged(model, features, logged.filter(logged[SCHEMA] == schema), tested)
    return ChampionInputs(signature, rows, _note(model, signature, logged_rows, tested.height))


def _merged(model: Model, features: Features, logged: "pl.DataFrame", tested: "pl.DataFrame") -> "tuple[pl.DataFrame, int]":
    """The inputs as logged, else as computed now, else null; and the number of logged rows."""
    import polars as pl

    once = logged.unique(REQUEST_ID, keep="first").select(
        REQUEST_ID, *(name for name, _ in features), pl.lit(True).alias(_LOGGED)
    )
    rows = tested.select(REQUEST_ID).join(once, on=REQUEST_ID, how="left", maintain_order="left")
    was_logged = rows[_LOGGED].fill_null(False)
    columns = {}
    for name, kind in features:
        kept = (name, kind) in model.features
        computed = tested[name].cast(frame_type(kind)) if kept else rows[name].clear(tested.height)
        columns[name] = rows[name].zip_with(was_logged, computed)
    return pl.DataFrame(columns), int(was_logged.sum())


def _note(model: Model, signature: Signature, logged: int, rows: int) -> str:
    gone: Sequence[str] = [name for name, kind in signature.features if (name, kind) not in model.features]
    note = f"; the champion was given the inputs of its own schema {signature.schema}, in {logged} of {rows} rows as logged"
    if changes := feature_changes(signature.features, model.features):
        note = f"{note} (declared since: {changes})"
    return f"{note}, and in the others without {', '.join(gone)}" if gone and logged < rows else note
