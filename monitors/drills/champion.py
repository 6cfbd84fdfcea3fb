"""A champion for a drill, by everfit's own stages but without MLflow: versions are numbered and kept in memory."""

from collections.abc import Mapping
from contextlib import closing
from functools import cached_property

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.deployment import Deployment
from everfit.registry import Registry
from everfit.replay.landing import bootstrap
from everfit.settings import Settings
from everfit.store import ledger
from everfit.training.artifact import Signature
from everfit.workflow import days, fitting, judging, manifests, promotion, training
from monitors.drills.declared.drill import drill
from monitors.drills.ground import Ground


class _Shelf(Registry):
    """Versions in memory; the ledger is the real one."""

    def __init__(self) -> None:
        self._versions: list[tuple[bytes, Signature]] = []

    def register(self, model: str, onnx: bytes, signature: Signature, tags: Mapping[str, str]) -> int:  # noqa: ARG002
        self._versions.append((onnx, signature))
        return len(self._versions)

    def fetch(self, model: str, version: int) -> tuple[bytes, Signature]:  # noqa: ARG002
        return self._versions[version - 1]

    def promote(self, connection: sa.Connection, entry: ledger.Entry) -> None:
        ledger.append(connection, entry)


class _Deployment(Deployment):
    """The ground's database and lake, and the drill's model alone."""

    @cached_property
    def registry(self) -> Registry:
        return _Shelf()

    @cached_property
    def models(self) -> Mapping[str, Model]:
        return {drill.name: drill}


def seat_champion(ground: Ground) -> None:
    """Train the drill's model on what is on record from before its go-live, and make it champion."""
    settings = Settings(ground.folder, ground.url, ground.kafka, "", "", "", ground.lake)
    with closing(_Deployment(settings)) as deployment:
        bootstrap(deployment, drill)
        on_record = days.available_days(deployment, drill)
        days.land_days(deployment, drill, on_record)
        days.compute_days(deployment, drill, on_record)
        assembled = training.assemble(deployment, drill, cutoff=drill.go_live, request=None)
        digest = manifests.put(deployment, drill, "training_set", assembled, assembled.rows)
        trained = fitting.train(deployment, drill, assembled, digest)
        digest = manifests.put(deployment, drill, "trained_model", trained, assembled.rows)
        manifests.put(deployment, drill, "evaluation", judging.evaluate(deployment, drill, trained, digest), 1)
        promotion.conclude(deployment, drill, actor="drill")
