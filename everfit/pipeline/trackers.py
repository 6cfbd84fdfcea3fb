"""Trackers: what a run is recorded with, its tags, parameters, metrics and documents.

The default tracker is MLflow. A package adds another beside it by an entry point of the group ``everfit.trackers``
(:mod:`everfit.environment.extensions`): a class that is called with the :class:`TrackedRun` when a run first records something.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from logging import Logger
from typing import Any, Protocol

from everfit.environment.extensions import extensions
from everfit.errors import SettingsError

Number = int | float


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

    What an installed one raises is logged with its name, and the run goes on; what the default raises is raised.
    """

    def __init__(self, default: Tracker, run: TrackedRun, logger: Logger) -> None:
        self._default = default
        self._run = run
        self._logger = logger

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """As :meth:`Tracker.log_tags`, to each."""
        self._each("log_tags", lambda tracker: tracker.log_tags(tags))

    def log_params(self, params: Mapping[str, Any]) -> None:
        """As :meth:`Tracker.log_params`, to each."""
        self._each("log_params", lambda tracker: tracker.log_params(params))

    def log_metrics(self, metrics: Mapping[str, Number]) -> None:
        """As :meth:`Tracker.log_metrics`, to each."""
        self._each("log_metrics", lambda tracker: tracker.log_metrics(metrics))

    def log_document(self, document: Mapping[str, Any], name: str) -> None:
        """As :meth:`Tracker.log_document`, to each."""
        self._each("log_document", lambda tracker: tracker.log_document(document, name))

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
        try:
            makers = extensions("trackers")
        except SettingsError as error:
            self._logger.warning("the run is tracked by the default tracker alone: %s", error)
            return {}
        made = {name: self._attempt(name, "begin", partial(make, self._run)) for name, make in makers.items()}
        return {name: tracker for name, tracker in made.items() if tracker is not None}

    def _attempt(self, name: str, call: str, do: Callable[[], Any]) -> Any:
        """What the call returns; None, and the reason in the log, where it raises."""
        try:
            return do()
        except Exception as error:  # noqa: BLE001 - whatever a tracker raises, the training goes on
            self._logger.warning("tracker %s fails at %s: %s: %s; the run goes on", name, call, type(error).__name__, error)
            return None
