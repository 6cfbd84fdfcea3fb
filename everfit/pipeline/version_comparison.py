"""Two versions of a model side by side: what differs between them in data, recipe, declaration, code, environment, figures."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec

from everfit.declaration import Model
from everfit.pipeline.document_changes import Change, changes
from everfit.pipeline.manifests import TrainingSet, Version
from everfit.pipeline.version_records import unrecorded_of, version_record
from everfit.runtime import Runtime

LISTED = 6  # changes of one parent, such as days; more are counted
DATA = ("cutoff", "rows", "rows_hash", "days", "sources", "outcomes", "quarantined", "unusable")


class VersionComparison(msgspec.Struct, frozen=True, kw_only=True):
    """What differs, by what it belongs to: ``data``, ``recipe``, ``declaration``, ``code``, ``environment``, ``metrics``,
    ``rules`` of the gate and ``weights``, each of them empty where nothing does.

    ``unrecorded`` is what an older everfit did not record of a version, and which therefore cannot be compared.
    """

    model: str
    before: int
    after: int
    differences: dict[str, list[Change]]
    unrecorded: list[str]


def compare_versions(runtime: Runtime, model: Model, before: int, after: int) -> VersionComparison:
    """Compare two versions by what is on record of them.

    Raises:
        LostVersionError: when the ledger does not know one of them.
        MissingObjectError: when the lake lacks a manifest.
    """
    numbers = (before, after)
    records = [version_record(runtime, model, number) for number in numbers]
    old, new = map(_parts, records)
    return VersionComparison(
        model=model.name,
        before=before,
        after=after,
        differences={name: list(changes(old[name], new[name])) for name in old},
        unrecorded=[
            f"version {number}: {why}" for number, each in zip(numbers, records, strict=True) for why in unrecorded_of(each)
        ],
    )


def _parts(described: Version) -> dict[str, dict[str, Any]]:
    made, candidate = described.made_with, described.candidate
    judged = next((each for each in described.evaluation.compared if each.name == candidate.name), None)
    searched = {"searched": candidate.searched} if candidate.searched else {}
    return {
        "data": _data(described.training_set),
        "recipe": {"name": candidate.name, "parameters": candidate.config, "parent": described.parent} | searched,
        "declaration": made.declaration if made else {},
        "code": {"commit": made.commit.words, "modules": made.modules, "stages": made.stages} if made else {},
        "environment": msgspec.to_builtins(made.environment) if made else {},
        "metrics": dict(candidate.metrics),
        "rules": {rule.name: {"figure": rule.figure, "allowed": rule.allowed} for rule in judged.rules} if judged else {},
        "weights": {"artifact": candidate.artifact},
    }


def _data(given: TrainingSet) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(given)
    return {name: document[name] for name in DATA}


def told(differing: Sequence[Change]) -> Iterator[str]:
    """A line a change; where many belong to one thing, such as the days of a data set, a line for all of them."""
    for parent, group in groupby(differing, key=lambda change: change.at.rpartition(".")[0]):
        changed = list(group)
        if len(changed) > LISTED:
            yield f"{parent}: {'; '.join(_counted(changed))}"
        else:
            yield from (change.words for change in changed)


def _counted(changed: Sequence[Change]) -> Iterator[str]:
    kinds = {
        "new": [change for change in changed if change.before is None],
        "gone": [change for change in changed if change.after is None],
        "different": [change for change in changed if change.before is not None and change.after is not None],
    }
    for kind, each in kinds.items():
        names = [change.at.rpartition(".")[2] for change in each]
        if names:
            yield f"{len(names)} {kind} ({names[0]}{f' to {names[-1]}' if len(names) > 1 else ''})"
