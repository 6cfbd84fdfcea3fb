"""The card of a version: one page of Markdown, for whoever has to judge or to answer for it."""

import logging
from collections.abc import Sequence

from everfit.declaration import Model
from everfit.errors import EverfitError
from everfit.pipeline.card_figures import figures
from everfit.pipeline.card_sections import decided, features, hashes, limits, made_from, recipe, rules, trained_on
from everfit.pipeline.manifests import TrainingSet, Version
from everfit.pipeline.version_records import version_record
from everfit.runtime import Runtime
from everfit.store import ledger
from everfit.timing import format_time

logger = logging.getLogger(__name__)


def model_card(runtime: Runtime, model: Model, version: int) -> str:
    """The card of a version on record, with all that the ledger says of it by now.

    Raises:
        LostVersionError: when the ledger does not know it.
        LakeError: when the lake lacks something of it.
    """
    described = version_record(runtime, model, version)
    with runtime.engine.connect() as connection:
        steps = ledger.of_version(connection, model.name, version)
    return card(runtime, model, version, described, steps)


def card(runtime: Runtime, model: Model, version: int, described: Version, steps: Sequence[ledger.VersionStep]) -> str:
    """The card, of what is known."""
    given, replaced = described.training_set, described.evaluation.champion
    before = f"It was compared with version {replaced}." if replaced else "It was the first."
    head = [
        f"# {model.name}, version {version}",
        model.description,
        f"Recipe `{described.candidate.name}`, trained on what was known by {format_time(given.cutoff)}, which "
        f"{_asked(given)}. {before} Owners: {', '.join(model.owners) or 'none declared'}.",
    ]
    sections = {
        "How good it is": figures(runtime.lake, model, described),
        "What the gate asked": rules(described),
        "Who decided": decided(steps),
        "What it was trained on": trained_on(model, given),
        "Limits": limits(runtime.lake, model, described),
        "Recipe and settings": recipe(described),
        "Features": features(model, described),
        "Where it comes from": made_from(model, version, described),
        "Days and their hashes": hashes(given),
    }
    body = [part for title, text in sections.items() if text for part in (f"## {title}", text)]
    return "\n\n".join(filter(None, [*head, *body])) + "\n"


def _asked(given: TrainingSet) -> str:
    return "a person asked for" if given.cause == "person" else f"{given.cause} caused: {given.reason}"


def shown_card(runtime: Runtime, model: Model, version: int) -> str:
    """The card for a page, which is shown whatever happens; where it cannot be made, why."""
    try:
        return model_card(runtime, model, version)
    except EverfitError as error:
        return f"No card can be made of version {version}: {error}"


def publish_card(runtime: Runtime, model: Model, version: int) -> None:
    """Give the registry the card of a version as it is by now.

    It never raises, as what it tells of has happened: where the card cannot be made, or the registry does not take it, that
    is logged with the reason.
    """
    try:
        runtime.registry.describe(model.name, version, model_card(runtime, model, version))
    except EverfitError as error:
        logger.warning("the registry has no new card of version %s of %s: %s", version, model.name, error)
    except Exception:
        logger.exception("the registry has no new card of version %s of %s", version, model.name)
