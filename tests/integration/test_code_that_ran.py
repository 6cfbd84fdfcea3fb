"""Whatever code of everfit runs in a stage counts in its version, or is known to decide nothing."""

import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import sqlalchemy as sa

from everfit.declaration import Part
from everfit.pipeline.code_versions import NEUTRAL, ROOTS, Stage
from everfit.pipeline.source_closure import source_closure
from tests.examples import electricity
from tests.loop import Loop

MODEL = electricity().model
STAGES: dict[str, Stage] = {root: stage for stage, roots in ROOTS.items() for root in roots}
COLUMNS = [column for source in MODEL.sources for column in source.columns]
PARTS: dict[Stage, list[Part]] = {
    "raw_data": [*COLUMNS],
    "features": [*COLUMNS],  # by the versions of the raw data
    "training_set": [*COLUMNS, MODEL.task],
    "trained_model": [MODEL.task, MODEL.metric, *MODEL.candidates],
    "evaluation": [MODEL.task, MODEL.metric],
    "champion": [],
}
# What is reached by an object that is handed in: the model's values, and where the objects of the lake are.
HANDED_IN = ("everfit.declaration.model", "everfit.runtime", "everfit.store.lake")
VALUES: dict[Stage, Sequence[str]] = {"features": ("everfit.declaration.tasks",)}  # of the task its label's kind, which is held


def within(module: str, packages: Sequence[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in packages)


class Recorder:
    """What of everfit runs within the root of each stage, as (module, name); what neutral code calls is left out."""

    def __init__(self) -> None:
        self.ran: dict[Stage, set[tuple[str, str]]] = defaultdict(set)
        self._within: list[tuple[FrameType, Stage | None]] = []

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event == "return" and self._within and self._within[-1][0] is frame:
            self._within.pop()
        module, name = frame.f_globals.get("__name__", ""), frame.f_code.co_qualname.partition(".")[0]
        if event != "call" or not module.startswith("everfit.") or name in ("<module>", "__create_fn__"):
            return
        if stage := STAGES.get(f"{module}.{name}"):
            self._within.append((frame, stage))
        elif self._within and within(module, NEUTRAL):
            self._within.append((frame, None))
        if self._within and (stage := self._within[-1][1]):
            self.ran[stage].add((module, name))


def test_what_ran_in_a_stage_counts_in_its_version(engine: sa.Engine, tmp_path: Path) -> None:
    loop = Loop(engine, tmp_path, MODEL, electricity().recorded)
    loop.publish(until=MODEL.go_live)
    recorder = Recorder()
    sys.setprofile(recorder)
    try:
        assert loop.retrain(None).version == 1
    finally:
        sys.setprofile(None)
    assert recorder.ran.keys() == ROOTS.keys()
    for stage, ran in recorder.ran.items():
        parts = [f"{type(part).__module__}.{type(part).__name__}" for part in PARTS[stage]]
        counted = source_closure([*ROOTS[stage], *parts], NEUTRAL)
        known = [*HANDED_IN, *VALUES.get(stage, ())]
        missing = [place for place in ran if place not in counted and not within(place[0], known)]
        assert missing == [], f"{stage}: this ran and does not count in its version"
