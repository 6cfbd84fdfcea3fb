"""A version made again: its rows from the recorded parts, its fit from these, and each compared with what is on record."""

import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from everfit.declaration import Model
from everfit.declaration.recipes import Recipe
from everfit.errors import MissingObjectError
from everfit.pipeline import manifests, reproduced_parts, training
from everfit.pipeline.code_versions import code_version
from everfit.pipeline.manifests import Trained, TrainedModel, TrainingSet, Version
from everfit.pipeline.provenance import provenance
from everfit.pipeline.provenance_changes import obstacles
from everfit.pipeline.reproduced_parts import ReproducedPart
from everfit.pipeline.scratch import Scratch
from everfit.pipeline.training_parts import TrainingParts
from everfit.pipeline.training_set import collect
from everfit.pipeline.version_records import unrecorded_of, version_record
from everfit.runtime import Runtime
from everfit.store import ledger
from everfit.training.searching import Search

if TYPE_CHECKING:
    import polars as pl

State = Literal["identical", "different", "refused"]


class Reproduction(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended.

    Attributes:
        state: ``identical`` where data, metrics and weights are; ``refused`` where nothing was made, because of ``obstacles``.
        parts: data, metrics and weights, in this order; none where it was refused.
        obstacles: what of code and environment differs from what the version was made with.
        unrecorded: what an older everfit did not record of the version.
    """

    model: str
    version: int
    state: State
    parts: list[ReproducedPart]
    obstacles: list[str]
    unrecorded: list[str]
    seconds: float

    @property
    def words(self) -> str:
        """The result in a sentence; what differs first, where something does."""
        told = f"{self.model} version {self.version} is {self.state}"
        if self.state == "refused":
            todo = "make it where they are as then, or see by --anyway how far off it is"
            return f"{told}: {'; '.join([*self.obstacles, *self.unrecorded])}; {todo}"
        first = next((part for part in self.parts if not part.identical), None)
        return f"{told}; its {first.name} differ first: {first.finding}" if first else told


def reproduce(runtime: Runtime, model: Model, version: int, *, anyway: bool = False) -> Reproduction:
    """Make a version again from what was recorded of it, and compare. Nothing of the model changes, and nothing is kept.

    Args:
        runtime: where the model's data and versions are; of it only the database and the lake are read.
        model: as it is declared now.
        version: whichever the ledger knows.
        anyway: also where code or environment are not those that it was made with.

    Raises:
        LostVersionError: when the ledger does not know the version.
        MissingObjectError: when the lake lacks something of it.
    """
    began = time.monotonic()
    described = version_record(runtime, model, version)
    model = _as_then(model, described)
    hindering, unrecorded = _obstacles(model, described), unrecorded_of(described)
    parts: list[ReproducedPart] = []
    state: State = "refused"
    if anyway or not (hindering or unrecorded):
        parts = _parts(runtime, model, version, described)
        state = "identical" if all(part.identical for part in parts) else "different"
    return Reproduction(
        model=model.name,
        version=version,
        state=state,
        parts=parts,
        obstacles=hindering,
        unrecorded=unrecorded,
        seconds=time.monotonic() - began,
    )


def _as_then(model: Model, described: Version) -> Model:
    """The model as it is declared now, with the seeds of then, which a person may have chosen at the launch, and the rolling
    origins as they were laid."""
    made = described.made_with
    if made is None:
        return model
    laid = {"backtest": timedelta(seconds=made.declaration["gate"]["backtest"]), "folds": made.declaration["gate"]["folds"]}
    seeded = [each.model_copy(update={"seed": made.seeds.get(each.name, each.seed)}) for each in model.candidates]
    return model.model_copy(update={"gate": model.gate.model_copy(update=laid), "candidates": seeded})


def _obstacles(model: Model, described: Version) -> list[str]:
    """Why what is made now may differ."""
    if described.made_with is not None:
        return obstacles(described.made_with, provenance(model), described.candidate.name)
    then, now = described.training_set.code_version, code_version(model)
    return [] if then == now else [f"the code differs: its version was {then} and is {now} now"]


def _parts(runtime: Runtime, model: Model, version: int, described: Version) -> list[ReproducedPart]:
    recipe = _recipe(model, described.candidate)
    if recipe is None:
        declared = ", ".join(each.name for each in model.candidates)
        why = f"{model.name} declares no candidate {described.candidate.name} now; it declares {declared}"
        return [ReproducedPart(name="weights", recorded=described.candidate.artifact, made="", identical=False, finding=why)]
    with tempfile.TemporaryDirectory(prefix="everfit-reproduction-") as folder:
        scratch = Scratch(runtime, Path(folder))
        try:
            rows = _rows(scratch, model, described.training_set)
        except MissingObjectError as error:
            lost = f"version {version} of {model.name} cannot be made again, for a part of its rows was pruned or lost"
            raise MissingObjectError(f"{lost}: {error}") from error
        given = msgspec.structs.replace(described.training_set, rows_hash=scratch.lake.put_frame(rows), rows=rows.height)
        made = _trained(scratch, model, recipe, given, described)
        data = reproduced_parts.data(scratch.lake, described.training_set, given)
        return [data, *reproduced_parts.fit(scratch.lake, described, made)]


def _recipe(model: Model, made: Trained) -> Recipe | None:
    """The declared candidate of that name, with what its search had found; None where there is none now."""
    recipe = next((each for each in model.candidates if each.name == made.name), None)
    return recipe.with_params(made.searched["params"]) if isinstance(recipe, Search) and made.searched else recipe


def _rows(scratch: Scratch, model: Model, given: TrainingSet) -> "pl.DataFrame":
    """The training rows from the recorded days and labels; of an older record, from the labels that are known now."""
    if given.outcomes is None:
        parts = TrainingParts.newest(scratch, model, given.cutoff).of_days(given.days)
    else:
        parts = TrainingParts.recorded(scratch, given)
    return collect(scratch, model, given.cutoff, parts).rows


def _trained(scratch: Scratch, model: Model, recipe: Recipe, given: TrainingSet, described: Version) -> TrainedModel:
    """The fit on everything and those of the rolling origins, beside the champion of that time."""
    then = manifests.get(scratch.lake, described.evaluation.trained_model, TrainedModel)
    with scratch.engine.connect() as connection:
        champion = ledger.recorded(connection, model.name, then.champion) if then.champion else None
    alone = model.model_copy(update={"candidates": [recipe]})
    return training.train_beside(champion, scratch, alone, given, then.training_set)
