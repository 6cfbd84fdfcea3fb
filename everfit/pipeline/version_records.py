"""The manifest of a version by its number, and what an older everfit left out of it."""

from everfit.declaration import Model
from everfit.errors import LostVersionError
from everfit.pipeline import manifests
from everfit.pipeline.manifests import Version
from everfit.runtime import Runtime
from everfit.store import ledger


def version_record(runtime: Runtime, model: Model, version: int) -> Version:
    """What was recorded of a version.

    Raises:
        LostVersionError: when the ledger does not know it.
        MissingObjectError: when the lake lacks its manifest.
    """
    with runtime.engine.connect() as connection:
        found = ledger.recorded(connection, model.name, version)
        newest = ledger.highest(connection, model.name)
    if found is None:
        known = f"the newest is {newest}" if newest else f"it has none yet: `everfit train {model.name}` makes the first"
        raise LostVersionError(
            f"the ledger knows no version {version} of {model.name}; {known}; see `everfit history {model.name}`"
        )
    return manifests.get(runtime.lake, found.manifest, Version)


def unrecorded_of(described: Version) -> list[str]:
    """What an older everfit did not record of a version, in a sentence; empty where all is there."""
    lacking = [] if described.made_with else ["with which packages, commit and declaration it was made"]
    lacking += ["which labels and quarantines its rows are made of"] if described.training_set.outcomes is None else []
    return [f"an older everfit did not record {' nor '.join(lacking)}"] if lacking else []
