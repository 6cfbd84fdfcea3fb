"""What has changed between two provenances in that which decides what a training makes."""

from collections.abc import Iterator

import msgspec

from everfit.pipeline.document_changes import changes
from everfit.pipeline.provenance import Environment, Provenance

DECIDING_STAGES = ("training_set", "trained_model")  # what rows are put together with, and what is fitted with
DECIDING_PARTS = ("python", "system", "machine", "threads", "packages")  # of an environment; not how many cores there are
SHOWN = 5


def obstacles(then: Provenance, now: Provenance) -> list[str]:
    """Why a training of now may come to something else: code and environment that differ, each in a sentence."""
    return [*_code(then, now), *_environment(then.environment, now.environment)]


def _code(then: Provenance, now: Provenance) -> Iterator[str]:
    stages = [stage for stage in DECIDING_STAGES if then.stages.get(stage) != now.stages.get(stage)]
    if not stages:
        return
    causes = [f"module {change.at}" for change in changes(then.modules, now.modules)]
    causes += [f"declaration, {change.words}" for change in changes(then.declaration, now.declaration)]
    if not causes:
        causes = ["code of everfit's own"]
    yield f"the code of {' and '.join(stages)} differs: {_listed(causes)}; it was made at commit {then.commit.words}"


def _environment(then: Environment, now: Environment) -> Iterator[str]:
    before, after = msgspec.to_builtins(then), msgspec.to_builtins(now)
    for part in DECIDING_PARTS:
        differing = [change.words for change in changes(before[part], after[part], part)]
        if differing:
            yield f"the environment differs: {_listed(differing)}"


def _listed(parts: list[str]) -> str:
    more = f" and {len(parts) - SHOWN} more" if len(parts) > SHOWN else ""
    return f"{'; '.join(parts[:SHOWN])}{more}"
