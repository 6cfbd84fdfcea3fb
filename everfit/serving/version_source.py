"""The versions to serve: the ledger names the champion, the registry the other roles; the registry or the lake gives artifacts.

So a role that somebody moved or deleted in the registry changes nothing of what is served, nor does a version that it has lost.
"""

import logging
from collections.abc import Mapping
from typing import Protocol

import sqlalchemy as sa

from everfit.declaration.rollouts import Role
from everfit.errors import EverfitError, LostVersionError, ServiceError
from everfit.pipeline import manifests
from everfit.pipeline.manifests import Version
from everfit.pipeline.native_versions import own_artifact
from everfit.registry import MANIFEST, Artifact, Registry
from everfit.store import ledger
from everfit.store.lake import Lake

logger = logging.getLogger(__name__)


class Versions(Protocol):
    """What the model cache reads: two of a registry's verbs."""

    def roles(self, model: str) -> dict[Role, int]:
        """The version to serve in each role."""

    def fetch(self, model: str, version: int) -> Artifact:
        """The artifact of a version."""


class LedgerVersions:
    """Roles by ledger and registry; artifacts by the registry, else by the lake."""

    def __init__(self, engine: sa.Engine, registry: Registry, lake: Lake) -> None:
        self._engine = engine
        self._registry = registry
        self._lake = lake
        self._roles: dict[str, Mapping[Role, int]] = {}
        self._problems: dict[str, str] = {}

    def roles(self, model: str) -> dict[Role, int]:
        """The ledger's champion, and the other roles by the registry: as last read, where it does not answer.

        Raises:
            sqlalchemy.exc.OperationalError: when Postgres does not answer.
        """
        with self._engine.connect() as connection:
            champion = ledger.champion(connection, model)
        roles: dict[Role, int] = {role: number for role, number in self._registered(model).items() if role != "champion"}
        return roles | ({"champion": champion.version} if champion else {})

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
                promoted = ledger.promoted(connection, model, version)
            if promoted is None:
                raise
            logger.warning("version %d of %s is loaded from the lake: %s", version, model, error)
            described = manifests.get(self._lake, promoted.manifest, Version)
            content, signature = manifests.content_of(self._lake, described), manifests.signature_of(self._lake, described)
            return Artifact(content, signature, {MANIFEST: promoted.manifest})

    def _registered(self, model: str) -> Mapping[Role, int]:
        try:
            self._roles[model] = self._registry.roles(model)
        except EverfitError as error:
            if self._problems.get(model) != str(error):
                logger.warning("the roles of %s stay as they were: %s", model, error)
            self._problems[model] = str(error)
        else:
            self._problems.pop(model, None)
        return self._roles.get(model, {})
