"""Trackers: what a run is recorded with, its tags, parameters, metrics and documents.

The default tracker is MLflow. A package adds another beside it by an entry point of the group ``everfit.trackers``
(:mod:`everfit.environment.extensions`): a class that is called with the :class:`TrackedRun` when a run first records something.
"""

import operator
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, partial
from logging import Logger
from typing import Any, Protocol

from everfit.environment.extensions import usable
from everfit.environment.member_thread import MemberThread
from everfit.errors import ServiceError

Number = int | float
DEADLINE_SECONDS = 60.0  # of one call of an installed tracker


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """The run that is tracked: its id in Dagster, and the model whose assets it makes (``everfit`` where it makes none)."""

    id: str
    model: str


class Tracker(Protocol):
    """Where a run is recorded. Values of one name that come twice replace those before."""

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Record what the run is: data version, code version, cause."""

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record the settings of the candidates, as ``{candidate}.{setting}``."""

    def log_metrics(self, metrics: Mapping[str, Number]) -> None:
        """Record figures, as ``{candidate}.{metric}``, or by name where they are the run's own."""

    def log_document(self, document: Mapping[str, Any], name: str) -> None:
        """Record a document that JSON can hold, as a file of that name."""

    def end(self, *, failed: bool) -> None:
        """The run has ended; nothing more is recorded."""


class Trackers:
    """The default tracker and the installed ones, as one tracker.

    Each gets copies. Where an installed one raises, or takes longer than a minute for a call, that is logged with its name, and
    the run goes on; what the default raises is raised.
    """

    def __init__(self, default: Tracker, run: TrackedRun, logger: Logger) -> None:
        self._default = default
        self._run = run
        self._logger = logger
        self._threads: dict[str, MemberThread] = {}

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """As :meth:`Tracker.log_tags`, to each."""
        self._each("log_tags", lambda tracker: tracker.log_tags(deepcopy(tags)))

    def log_params(self, params: Mapping[str, Any]) -> None:
        """As :meth:`Tracker.log_params`, to each."""
        self._each("log_params", lambda tracker: tracker.log_params(deepcopy(params)))

    def log_metrics(self, metrics: Mapping[str, Number]) -> None:
        """As :meth:`Tracker.log_metrics`, to each."""
        self._each("log_metrics", lambda tracker: tracker.log_metrics(deepcopy(metrics)))

    def log_document(self, document: Mapping[str, Any], name: str) -> None:
        """As :meth:`Tracker.log_document`, to each."""
        self._each("log_document", lambda tracker: tracker.log_document(deepcopy(document), name))

    def end(self, *, failed: bool) -> None:
        """End each that has begun."""
        if "_installed" in self.__dict__:
            self._each_installed("end", lambda tracker: tracker.end(failed=failed))
        self._default.end(failed=failed)

    def _each(self, call: str, do: Callable[[Tracker], None]) -> None:
        do(self._default)
        self._each_installed(call, do)

    def _each_installed(self, call: str, do: Callable[[Tracker], None]) -> None:
        for name, tracker in self._installed.items():
            self._attempt(name, call, partial(do, tracker))

    @cached_property
    def _installed(self) -> dict[str, Tracker]:
        """The installed trackers that could be made, by name."""
        makers, faults = usable("trackers")
        for fault in faults:
            self._logger.warning("%s; the run goes on without it", fault)
        made = {name: self._attempt(name, "begin", partial(operator.call, make, self._run)) for name, make in makers.items()}
        return {name: tracker for name, tracker in made.items() if tracker is not None}

    def _attempt(self, name: str, call: str, do: Callable[[], Any]) -> Any:
        """What the call returns; None, and the reason in the log, where it raises or takes too long."""
        thread = self._threads.setdefault(name, MemberThread(f"tracker {name}"))
        try:
            return thread.call(call, do, DEADLINE_SECONDS)
        except ServiceError as error:
            self._logger.warning("%s; the run goes on", error)
            return None
