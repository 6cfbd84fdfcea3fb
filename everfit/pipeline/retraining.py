"""From raw data to champion in one process: what a run of the assets does, without Dagster."""

import getpass
import os
from datetime import datetime
from functools import partial

from everfit.declaration import Model
from everfit.pipeline import daily_partitions, evaluation, manifests, training, training_set
from everfit.pipeline.day_isolation import make_isolated
from everfit.pipeline.lineage import Lineage, stale_days
from everfit.pipeline.promotion import Conclusion, conclude
from everfit.pipeline.unfinished_training import forget
from everfit.runtime import Runtime
from everfit.store.requests import RetrainRequest


def retrain(
    runtime: Runtime,
    model: Model,
    request: RetrainRequest | None = None,
    *,
    cutoff: datetime | None = None,
    actor: str | None = None,
) -> Conclusion:
    """Make the days that are out of date, train on what was known by the cutoff, and promote what passes the gate.

    Args:
        runtime: where the model's data and versions are.
        model: which is trained.
        request: the request that caused it, which ends with the result; None where a person does.
        cutoff: nothing known later is trained on; by default the request's, or the last midnight that the model's clock passed.
        actor: who promotes, as the ledger records it; by default the person who runs this process.

    Raises:
        DeclarationError: when the declaration has changed where it may not.
        EmptyPartitionError: when nothing has landed before the cutoff.
        StaleChampionError: when another version became champion meanwhile.
    """
    until = cutoff or training_set.default_cutoff(runtime, model, request)
    make_days(runtime, model, until)
    assembled = training_set.assemble(runtime, model, cutoff=until, request=request)
    digest = manifests.put(runtime, model, "training_set", assembled, assembled.rows)
    trained = training.train(runtime, model, assembled, digest)
    digest = manifests.put(runtime, model, "trained_model", trained, assembled.rows)
    forget(runtime.lake, model, assembled, trained.champion)
    verdict = evaluation.evaluate(runtime, model, trained, digest)
    digest = manifests.put(runtime, model, "evaluation", verdict, sum(compared.rows for compared in verdict.compared))
    return conclude(runtime, model, actor=actor or _person(), digest=digest)


def make_days(runtime: Runtime, model: Model, cutoff: datetime) -> None:
    """Make the days before the cutoff that are out of date."""
    lineage = Lineage.up_to_date(runtime, model)
    days = stale_days(runtime, model, before=cutoff, lineage=lineage)
    if days:
        make_isolated(runtime, model, "raw_data", days, partial(daily_partitions.land_days, runtime, model))
        cut = lineage.after_cut(runtime)
        make_isolated(runtime, model, "features", days, partial(daily_partitions.compute_days, runtime, model, lineage=cut))


def _person() -> str:
    """The user of this process, as the ledger names an actor."""
    try:
        return f"person {getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return f"person {os.getuid()}"
