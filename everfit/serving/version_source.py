"""The versions to serve: ledger and rollout name them, a person may add a shadow; registry or lake gives artifacts.

So a role that somebody moved or deleted in the registry changes nothing of who answers, nor does a version that it has lost.
"""

import logging
from typing import Protocol

import sqlalchemy as sa

from everfit.errors import LostVersionError, ServiceError
from everfit.pipeline import manifests
from everfit.pipeline.manifests import Version
from everfit.pipeline.native_versions import own_artifact
from everfit.registry import MANIFEST, Artifact, Registry
from everfit.store import ledger, served_roles
from everfit.store.lake import Lake
from everfit.store.served_roles import Served

logger = logging.getLogger(__name__)


class Versions(Protocol):
    """What the model cache reads."""

    def served(self, model: str) -> Served:
        """The versions to serve."""

    def shadow(self, model: str) -> int | None:
        """The shadow that a person set; None where nobody did."""

    def fetch(self, model: str, version: int) -> Artifact:
        """The artifact of a version."""


class LedgerVersions:
    """Roles by the ledger and its rollout, a person's shadow by the registry; artifacts by the registry, else by the lake."""

    def __init__(self, engine: sa.Engine, registry: Registry, lake: Lake) -> None:
        self._engine = engine
        self._registry = registry
        self._lake = lake

    def served(self, model: str) -> Served:
        """The versions to serve; the registry is not asked, so that one that hangs delays no promotion.

        Raises:
            sqlalchemy.exc.OperationalError: when Postgres does not answer.
        """
        with self._engine.connect() as connection:
            return served_roles.served(connection, model)

    def shadow(self, model: str) -> int | None:
        """The version of the registry's role ``shadow``; None where none has it.

        Raises:
            ServiceError: when the registry does not answer.
        """
        return self._registry.roles(model).get("shadow")

    def fetch(self, model: str, version: int) -> Artifact:
        """The artifact of a version.

        Raises:
            LostVersionError: when the registry does not have it, and the ledger names none in the lake either.
            ServiceError: when the registry does not answer, and the ledger names none in the lake.
            LakeError: when the artifact that the ledger names is missing in the lake.
        """
        try:
            return own_artifact(self._lake, self._registry.fetch(model, version))
        except (ServiceError, LostVersionError) as error:
            with self._engine.connect() as connection:
                promoted = ledger.recorded(connection, model, version)
            if promoted is None:
                raise
            logger.warning("version %d of %s is loaded from the lake: %s", version, model, error)
            described = manifests.get(self._lake, promoted.manifest, Version)
            content, signature = manifests.content_of(self._lake, described), manifests.signature_of(self._lake, described)
            return Artifact(content, signature, {MANIFEST: promoted.manifest})
