"""The versions that answer the rows of a table, by the roles that they have in serving: champion, challenger, shadows."""

import logging
from collections.abc import Iterator
from typing import NamedTuple

from everfit.declaration import Model
from everfit.errors import EverfitError, ServiceError
from everfit.features.running_sums import key_of
from everfit.runtime import Runtime
from everfit.serving.assignment import is_challenged
from everfit.serving.batch_scoring import BatchScorer, open_batch_scorer
from everfit.serving.request_table import TableRow
from everfit.store import served_roles

logger = logging.getLogger(__name__)


class BatchRoles(NamedTuple):
    """The loaded versions; ``share`` of the values of ``unit`` gets the challenger's answers."""

    champion: BatchScorer
    challenger: BatchScorer | None = None
    share: float = 0.0
    unit: str = ""
    shadows: tuple[BatchScorer, ...] = ()

    def is_challenged(self, row: TableRow) -> bool:
        """Whether the row's unit is the challenger's; one that is null is the champion's."""
        if self.challenger is None or row.fault:
            return False
        model, value = self.champion.model, row.inputs[self.unit or self.champion.model.entity]
        return value is not None and is_challenged(model.name, self.challenger.number, self.share, key_of(value))


def open_roles(runtime: Runtime, model: Model, opened: dict[int, BatchScorer]) -> BatchRoles:
    """Who answers now; ``opened`` are versions that are loaded, by number, and gets those that are loaded for it.

    A version beside the champion that cannot be loaded is logged and left out: the champion answers in its place.

    Raises:
        ServiceError: when there is no champion, or the registry does not answer.
    """
    with runtime.engine.connect() as connection:
        served = served_roles.served(connection, model.name)
    champion = opened.get(served.champion or 0) or open_batch_scorer(runtime, model, served.champion)
    opened[champion.number] = champion
    shadows = dict.fromkeys((*_persons_shadow(runtime, model), *served.shadows))
    others = [number for number in shadows if number not in (champion.number, served.challenger)]
    challenger = served.challenger and _beside(runtime, model, served.challenger, opened)
    loaded = (_beside(runtime, model, number, opened) for number in others)
    return BatchRoles(champion, challenger or None, served.share, served.unit, tuple(filter(None, loaded)))


def _persons_shadow(runtime: Runtime, model: Model) -> Iterator[int]:
    try:
        number = runtime.registry.roles(model.name).get("shadow")
    except ServiceError as error:
        logger.warning("%s: a shadow that a person has set, if any, answers no rows of the table: %s", model.name, error)
        return
    if number is not None:
        yield number


def _beside(runtime: Runtime, model: Model, number: int, opened: dict[int, BatchScorer]) -> BatchScorer | None:
    try:
        opened[number] = opened.get(number) or open_batch_scorer(runtime, model, number)
    except EverfitError as error:
        logger.warning("%s: version %d answers no rows of the table: %s", model.name, number, error)
        return None
    return opened[number]
