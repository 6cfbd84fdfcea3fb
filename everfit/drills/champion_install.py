"""A champion for a drill, by everfit's own stages with a registry in memory instead of MLflow."""

from everfit.drills.models.drill import drill
from everfit.drills.test_bed import TestBed
from everfit.environment.settings import Settings
from everfit.pipeline.retraining import retrain
from everfit.registry import InMemoryRegistry
from everfit.replay.bootstrap import bootstrap
from everfit.runtime import Runtime


def install_champion(bed: TestBed) -> None:
    """Train the drill's model on the rows recorded from before its go-live, and make it champion."""
    settings = Settings(bed.folder, bed.url, bed.kafka, "", "", "", bed.lake)
    with Runtime(settings, {drill.name: drill}, InMemoryRegistry()) as runtime:
        bootstrap(runtime, drill)
        retrain(runtime, drill, cutoff=drill.go_live, actor="drill")
