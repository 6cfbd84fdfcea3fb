"""A champion for a drill, by everfit's own stages with a registry in memory instead of MLflow."""

from everfit.drills.models.drill import drill
from everfit.drills.test_bed import TestBed
from everfit.environment.settings import Settings
from everfit.pipeline import daily_partitions, evaluation, manifests, promotion, training, training_set
from everfit.registry import InMemoryRegistry
from everfit.replay.bootstrap import bootstrap
from everfit.runtime import Runtime


def install_champion(bed: TestBed) -> None:
    """Train the drill's model on the rows recorded from before its go-live, and make it champion."""
    settings = Settings(bed.folder, bed.url, bed.kafka, "", "", "", bed.lake)
    with Runtime(settings, {drill.name: drill}, InMemoryRegistry()) as runtime:
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
