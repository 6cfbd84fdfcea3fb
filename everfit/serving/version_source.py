"""Who serves, and what: the ledger names the champion, MLflow's aliases the other roles; MLflow or the lake gives the artifact.

So an alias that somebody moved or deleted changes nothing of what is served, nor does a version that MLflow has lost.
"""

import logging
from collections.abc import Mapping

import sqlalchemy as sa

from everfit.errors import EverfitError, LostVersionError, ServiceError
from everfit.pipeline import manifests
from everfit.pipeline.manifests import Version
from everfit.registry import MANIFEST, Artifact, Registry
from everfit.store import ledger
from everfit.store.lake import Lake
from everfit.topics.events import Role

logger = logging.getLogger(__name__)


class LedgerVersions:
    """What the roster reads: roles by ledger and aliases, artifacts by MLflow, else by the lake."""

    def __init__(self, engine: sa.Engine, registry: Registry, lake: Lake) -> None:
        self._engine = engine
        self._registry = registry
        self._lake = lake
        self._others: dict[str, Mapping[Role, int]] = {}
        self._told: dict[str, str] = {}

    def roles(self, model: str) -> dict[Role, int]:
        """The ledger's champion, and the other roles by alias: as last read, where MLflow does not answer.

        Raises:
            sqlalchemy.exc.OperationalError: when Postgres does not answer.
        """
        with self._engine.connect() as connection:
            champion = ledger.champion(connection, model)
        others = self._by_alias(model)
        roles: dict[Role, int] = {role: number for role, number in others.items() if role != "champion"}
        return roles | ({"champion": champion.version} if champion else {})

    def fetch(self, model: str, version: int) -> Artifact:
        """The artifact of a version.

        Raises:
            LostVersionError: when MLflow does not have it, and the ledger names none in the lake either.
            ServiceError: when MLflow does not answer, and the ledger names none in the lake.
            LakeError: when what the ledger names is missing there.
        """
        try:
            return self._registry.fetch(model, version)
        except (ServiceError, LostVersionError) as error:
            with self._engine.connect() as connection:
                promoted = ledger.promoted(connection, model, version)
            if promoted is None:
                raise
            logger.warning("version %d of %s is loaded from the lake: %s", version, model, error)
            described = manifests.get(self._lake, promoted.manifest, Version)
            onnx = self._lake.get(described.candidate.onnx, "onnx")
            return Artifact(onnx, manifests.signature_of(self._lake, described), {MANIFEST: promoted.manifest})

    def _by_alias(self, model: str) -> Mapping[Role, int]:
        try:
            self._others[model] = self._registry.roles(model)
        except EverfitError as error:
            if self._told.get(model) != str(error):
                logger.warning("the aliases of %s stay as they were: %s", model, error)
            self._told[model] = str(error)
        else:
            self._told.pop(model, None)
        return self._others.get(model, {})
