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
from everfit.store.served_roles import Served

logger = logging.getLogger(__name__)


class BatchRoles(NamedTuple):
    """The loaded versions by the roles that they were ``served`` in; a version that could not be loaded has none."""

    served: Served
    champion: BatchScorer
    challenger: BatchScorer | None = None
    shadows: tuple[BatchScorer, ...] = ()

    def is_challenged(self, row: TableRow) -> bool:
        """Whether the row's unit is the challenger's; one that is null is the champion's."""
        if self.challenger is None or row.fault:
            return False
        model, value = self.champion.model, row.inputs[self.served.unit or self.champion.model.entity]
        return value is not None and is_challenged(model.name, self.challenger.number, self.served.share, key_of(value))


class TableVersions:
    """The versions of a model that answer the rows of its table; each is loaded once."""

    def __init__(self, runtime: Runtime, model: Model) -> None:
        self.model = model
        self._runtime = runtime
        self._opened: dict[int, BatchScorer] = {}

    def roles(self) -> BatchRoles:
        """Who answers now. A version beside the champion that cannot be loaded is logged, and the champion answers.

        Raises:
            ServiceError: when there is no champion, or the registry does not answer.
        """
        with self._runtime.engine.connect() as connection:
            served = served_roles.served(connection, self.model.name)
        champion = self._open(served.champion)
        shadows = dict.fromkeys((*self._persons_shadow(), *served.shadows))
        others = [number for number in shadows if number not in (champion.number, served.challenger)]
        challenger = self._beside(served.challenger) if served.challenger else None
        return BatchRoles(served, champion, challenger, tuple(filter(None, map(self._beside, others))))

    def _persons_shadow(self) -> Iterator[int]:
        try:
            number = self._runtime.registry.roles(self.model.name).get("shadow")
        except ServiceError as error:
            what = "a shadow that a person has set, if any, answers no rows of the table"
            logger.warning("%s: %s: %s", self.model.name, what, error)
            return
        if number is not None:
            yield number

    def _beside(self, number: int) -> BatchScorer | None:
        try:
            return self._open(number)
        except EverfitError as error:
            logger.warning("%s: version %d answers no rows of the table: %s", self.model.name, number, error)
            return None

    def _open(self, number: int | None) -> BatchScorer:
        found = self._opened.get(number or 0) or open_batch_scorer(self._runtime, self.model, number)
        self._opened[found.number] = found
        return found
