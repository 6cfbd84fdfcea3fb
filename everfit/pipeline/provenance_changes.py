"""What has changed between two provenances in that which decides what a training makes."""

from collections.abc import Iterator
from typing import Any

import msgspec

from everfit.pipeline.document_changes import changes
from everfit.pipeline.provenance import Environment, Provenance

DECIDING_PARTS = ("python", "system", "machine", "threads", "packages")  # of an environment; not how many cores there are
SHOWN = 5


def obstacles(then: Provenance, now: Provenance, candidate: str) -> list[str]:
    """Why a fit of this candidate may come to something else now: code and environment that differ, each in a sentence."""
    return [*_code(then, now, candidate), *_environment(then.environment, now.environment)]


def _code(then: Provenance, now: Provenance, candidate: str) -> Iterator[str]:
    """What its rows are put together with, and what it is fitted with: no other candidate, and no rule of the gate."""
    differing = ["training_set"] if then.stages.get("training_set") != now.stages.get("training_set") else []
    differing += ["trained_model"] if then.fits.get(candidate) != now.fits.get(candidate) else []
    if not differing:
        return
    causes = [f"module {change.at}" for change in changes(then.modules, now.modules)]
    declared = changes(_about(then.declaration, candidate), _about(now.declaration, candidate))
    causes += [f"declaration, {change.words}" for change in declared]
    if not causes:
        causes = ["code of everfit's own"]
    yield f"the code of {' and '.join(differing)} differs: {_listed(causes)}; it was made at commit {then.commit.words}"


def _about(declaration: dict[str, Any], candidate: str) -> dict[str, Any]:
    """What of a declaration a fit of this candidate may rest on."""
    own = [each for each in declaration["candidates"] if each["name"] == candidate]
    return {name: value for name, value in declaration.items() if name not in ("gate", "rollout")} | {"candidates": own}


def _environment(then: Environment, now: Environment) -> Iterator[str]:
    before, after = msgspec.to_builtins(then), msgspec.to_builtins(now)
    for part in DECIDING_PARTS:
        differing = [change.words for change in changes(before[part], after[part], part)]
        if differing:
            yield f"the environment differs: {_listed(differing)}"


def _listed(parts: list[str]) -> str:
    more = f" and {len(parts) - SHOWN} more" if len(parts) > SHOWN else ""
    return f"{'; '.join(parts[:SHOWN])}{more}"
