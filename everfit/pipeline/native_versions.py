"""Versions that ONNX cannot hold: what is told of them, and what they are loaded from."""

from everfit.errors import NotServableError
from everfit.pipeline import manifests
from everfit.pipeline.manifests import Version
from everfit.registry import MANIFEST, Artifact
from everfit.store.lake import Lake
from everfit.training.artifact import Signature
from everfit.training.version_scorer import open_scorer

NOT_PORTABLE = "everfit.not_portable"  # tag of a registered version


def not_portable(signature: Signature) -> str:
    """What is told of such a version; empty of one that is a graph."""
    if signature.native is None:
        return ""
    trusted = ", ".join(signature.native) or "none but those that skops trusts by itself"
    return f"not portable: no ONNX but a file of skops, which answers from a process of its own; types trusted: {trusted}"


def own_artifact(lake: Lake, registered: Artifact) -> Artifact:
    """The artifact that a registered version was made of: a file of skops and the types to trust come from the lake alone.

    Whoever can write to the registry names no type by it, nor another file.

    Raises:
        NotServableError: when such a version has no manifest.
        LakeError: when the lake does not have what its manifest names.
    """
    if registered.signature.native is None:
        return registered
    if MANIFEST not in registered.tags:
        raise NotServableError(
            f"a version of {registered.signature.model} is a file of skops without the tag {MANIFEST}: it is not loaded, "
            "for only what was trained here serves"
        )
    described = manifests.get(lake, registered.tags[MANIFEST], Version)
    return Artifact(manifests.content_of(lake, described), manifests.signature_of(lake, described), registered.tags)


def require_loading(lake: Lake, registered: Artifact) -> None:
    """Let a version be loaded, and answer nulls where it has a process of its own: what cannot never becomes champion.

    Raises:
        NotServableError: when it cannot.
    """
    artifact = own_artifact(lake, registered)
    scorer = open_scorer(artifact.content, artifact.signature)
    if artifact.signature.native is not None:
        scorer.score_one(dict.fromkeys(name for name, _ in artifact.signature.features))
