"""What the next fit may continue from: the champion's artifact and the last checkpoint of its fit."""

from collections.abc import Iterable
from pathlib import Path

from everfit.declaration.fit_context import Champion
from everfit.pipeline import manifests
from everfit.pipeline.manifests import Version
from everfit.store import ledger
from everfit.store.lake import Lake


def kept_checkpoint(lake: Lake, files: Iterable[Path]) -> dict[str, str]:
    """Put the files of a checkpoint into the lake; returns their objects by name."""
    return {file.name: lake.put(file.read_bytes(), _kind(file.name)) for file in files}


def champion_fit(lake: Lake, champion: ledger.Champion | None, version: Version | None) -> Champion | None:
    """The champion, whose manifest ``version`` is, as a fit is given it; None where there is none."""
    if champion is None or version is None:
        return None
    made = version.candidate
    return Champion(
        version=champion.version,
        recipe=made.name,
        artifact_file=lake.path(made.artifact, manifests.signature_of(lake, version).kind),
        checkpoint_files={name: lake.path(digest, _kind(name)) for name, digest in made.checkpoint.items()},
    )


def _kind(name: str) -> str:
    return Path(name).suffix.removeprefix(".") or "bin"
