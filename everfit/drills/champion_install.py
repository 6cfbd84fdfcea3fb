"""A champion for a drill, by everfit's own stages but without MLflow: versions are numbered and kept in memory."""

from collections.abc import Mapping
from functools import cached_property

import sqlalchemy as sa

from everfit.declaration import Model
from everfit.drills.models.drill import drill
from everfit.drills.test_bed import TestBed
from everfit.environment.settings import Settings
from everfit.pipeline import daily_partitions, evaluation, manifests, promotion, training, training_set
from everfit.registry import Registry
from everfit.replay.bootstrap import bootstrap
from everfit.runtime import Runtime
from everfit.store import ledger
from everfit.training.artifact import Signature


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


class _Runtime(Runtime):
    """The ground's database and lake, and the drill's model alone."""

    @cached_property
    def registry(self) -> Registry:
        return _Shelf()

    @cached_property
    def models(self) -> Mapping[str, Model]:
        return {drill.name: drill}


def install_champion(bed: TestBed) -> None:
    """Train the drill's model on the rows recorded from before its go-live, and make it champion."""
    settings = Settings(bed.folder, bed.url, bed.kafka, "", "", "", bed.lake)
    with _Runtime(settings) as runtime:
        bootstrap(runtime, drill)
        on_record = daily_partitions.available_days(runtime, drill)
        daily_partitions.land_days(runtime, drill, on_record)
        daily_partitions.compute_days(runtime, drill, on_record)
        assembled = training_set.assemble(runtime, drill, cutoff=drill.go_live, request=None)
        digest = manifests.put(runtime, drill, "training_set", assembled, assembled.rows)
        trained = training.train(runtime, drill, assembled, digest)
        digest = manifests.put(runtime, drill, "trained_model", trained, assembled.rows)
        manifests.put(runtime, drill, "evaluation", evaluation.evaluate(runtime, drill, trained, digest), 1)
        promotion.conclude(runtime, drill, actor="drill")
