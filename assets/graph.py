"""The asset graph of one declared model, read from left to right.

sources → raw_data → features → training_set → trained_model → evaluation → champion, with the prediction log beside it:
requests go into the features, outcomes into the training set. A model that scores a table has scored_requests, too.
"""

from collections.abc import Sequence

import dagster as dg

from assets.candidates import evaluation, trained_model, training_set
from assets.champion import champion
from assets.checks import evidence_checks
from assets.days import features, raw_data
from assets.pages import LOGGED, columns, declared_in, source_columns
from assets.scored_requests import scored_requests
from everfit.dagster_api.names import days_name
from everfit.declaration import Model
from everfit.pipeline.code_versions import LOOK_BACK


def days_of(model: Model) -> dg.DynamicPartitionsDefinition:
    """The days of a model, added as its rows land, up to the model's clock."""
    return dg.DynamicPartitionsDefinition(name=days_name(model.name))


def model_assets(model: Model) -> Sequence[dg.AssetsDefinition | dg.AssetSpec]:
    """All assets of a model, in a group of its name."""
    days = days_of(model)
    return [
        *(_source(model, source.name, days) for source in model.sources),
        _log(model, "predictions", "Answers of serving, read from Kafka: one row per request and model version."),
        _log(
            model, "outcomes", "Observed outcomes, read from Kafka as they become known: one row per request and observation."
        ),
        *([scored_requests(model, model.batch)] if model.batch else []),
        raw_data(model, days),
        _look_back(model, days),
        features(model, days),
        training_set(model),
        trained_model(model),
        evaluation(model),
        champion(model),
    ]


def model_checks(model: Model) -> Sequence[dg.AssetChecksDefinition]:
    """The evidence on the champion, as checks on its asset."""
    return [evidence_checks(model)]


def _source(model: Model, name: str, days: dg.PartitionsDefinition[str]) -> dg.AssetSpec:
    return dg.AssetSpec(
        [model.name, name],
        description="Rows that the outside world publishes with `everfit publish`, or the Python function behind it.",
        group_name=model.name,
        owners=model.owners,
        kinds={"postgres"},
        partitions_def=days,
        metadata=source_columns(model.source(name).columns) | declared_in(model),
    )


def _look_back(model: Model, days: dg.PartitionsDefinition[str]) -> dg.AssetSpec:
    return dg.AssetSpec(
        [model.name, LOOK_BACK],
        description="What the features of a day look back on: the raw data of every day, earlier or later, of which a row "
        "became known in time for the day's requests and has not expired by then. Nothing is stored here; the data version is "
        "the digest of those days' versions, so that a corrected day marks every day that depends on it.",
        group_name=model.name,
        owners=model.owners,
        kinds={"parquet"},
        partitions_def=days,
        deps=[[model.name, "raw_data"]],
        metadata=declared_in(model),
    )


def _log(model: Model, name: str, description: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        [model.name, name],
        description=description,
        group_name=model.name,
        owners=model.owners,
        kinds={"kafka", "postgres"},
        metadata=columns(LOGGED[name].items()) | declared_in(model),
    )
