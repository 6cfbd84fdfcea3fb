"""Trackers: what a run is recorded with, its tags, parameters, metrics, curves, plots and documents.

everfit's own are MLflow and Weights & Biases; :mod:`everfit.pipeline.chosen_trackers` says which record. A package adds one
by an entry point of the group ``everfit.trackers``: a class on :class:`Tracker` that is called with the :class:`TrackedRun`
when a run first records something.
"""

import operator
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, partial
from logging import Logger
from typing import Any

from everfit.environment.member_thread import MemberThread
from everfit.errors import ServiceError

Number = int | float
DEADLINE_SECONDS = 60.0  # of one call of a tracker


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """The run that is tracked: its id in Dagster, and the model whose assets it makes (``everfit`` where it makes none)."""

    id: str
    model: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows that a run learns from: their hash, where they lie, how many they are, and the type of each column."""

    name: str
    digest: str
    source: str
    rows: int
    columns: Mapping[str, str]


class Tracker:
    """Where a run is recorded. Values of one name that come twice replace those before; what is not overridden is not kept."""

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Record what the run is: data version, code version, cause."""

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record the settings of the candidates, as ``{candidate}.{setting}``."""

    def log_metrics(self, metrics: Mapping[str, Number], step: int | None = None) -> None:
        """Record figures, as ``{candidate}.{metric}``, by name where they are the run's own; a step makes points of curves."""

    def log_document(self, document: Mapping[str, Any], name: str) -> None:
        """Record a document that JSON can hold, as a file of that name."""

    def log_plot(self, svg: str, name: str) -> None:
        """Record a drawing, as a file of that name."""

    def log_file(self, content: bytes, name: str) -> None:
        """Record a file, such as the artifact of a candidate that was rejected; its name may have folders in it."""

    def log_dataset(self, dataset: Dataset) -> None:
        """Record what the run learns from."""

    def log_trial(self, name: str, params: Mapping[str, Any], metrics: Mapping[str, Number]) -> None:
        """Record a trial of a search as a run of its own beneath this one."""

    def end(self, *, failed: bool) -> None:
        """The run has ended; nothing more is recorded."""

    @property
    def page(self) -> str:
        """Where a person sees the run: a URL or a folder; empty where there is none."""
        return ""


Makers = Mapping[str, Callable[[TrackedRun], Tracker]]


class Trackers(Tracker):
    """Several trackers, by name, as one.

    Each is called with the run when it first records something, and gets copies in a thread of its own. Where one raises, or
    takes longer than a minute for a call, that is logged with its name, and the run goes on. The one that is ``here`` is called
    in the caller's thread, which MLflow's active run belongs to; after a call of more than a minute it is left out.
    """

    def __init__(self, makers: Makers, run: TrackedRun, logger: Logger, here: str = "") -> None:
        self._makers = makers
        self._run = run
        self._logger = logger
        self._here = here
        self._here_is_slow = False
        self._threads: dict[str, MemberThread] = {}

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """As :meth:`Tracker.log_tags`, to each."""
        self._each("log_tags", tags)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """As :meth:`Tracker.log_params`, to each."""
        self._each("log_params", params)

    def log_metrics(self, metrics: Mapping[str, Number], step: int | None = None) -> None:
        """As :meth:`Tracker.log_metrics`, to each."""
        self._each("log_metrics", metrics, *([] if step is None else [step]))

    def log_document(self, document: Mapping[str, Any], name: str) -> None:
        """As :meth:`Tracker.log_document`, to each."""
        self._each("log_document", document, name)

    def log_plot(self, svg: str, name: str) -> None:
        """As :meth:`Tracker.log_plot`, to each."""
        self._each("log_plot", svg, name)

    def log_file(self, content: bytes, name: str) -> None:
        """As :meth:`Tracker.log_file`, to each."""
        self._each("log_file", content, name)

    def log_dataset(self, dataset: Dataset) -> None:
        """As :meth:`Tracker.log_dataset`, to each."""
        self._each("log_dataset", dataset)

    def log_trial(self, name: str, params: Mapping[str, Any], metrics: Mapping[str, Number]) -> None:
        """As :meth:`Tracker.log_trial`, to each."""
        self._each("log_trial", name, params, metrics)

    def end(self, *, failed: bool) -> None:
        """End each that has begun."""
        if "_begun" in self.__dict__:
            for name, tracker in self._begun.items():
                self._attempt(name, "end", partial(operator.methodcaller("end", failed=failed), tracker))

    def pages(self) -> dict[str, str]:
        """Where a person sees the run, by tracker; those that have a page."""
        found = {name: self._attempt(name, "page", partial(getattr, each, "page", "")) for name, each in self._begun.items()}
        return {name: page for name, page in found.items() if page}

    def _each(self, call: str, *values: Any) -> None:
        for name, tracker in self._begun.items():
            self._attempt(name, call, partial(operator.methodcaller(call, *deepcopy(values)), tracker))

    @cached_property
    def _begun(self) -> dict[str, Tracker]:
        """The trackers that could be made, by name."""
        calls = {name: partial(operator.call, make, self._run) for name, make in self._makers.items()}
        made = {name: self._attempt(name, "begin", call) for name, call in calls.items()}
        return {name: tracker for name, tracker in made.items() if tracker is not None}

    def _attempt(self, name: str, call: str, do: Callable[[], Any]) -> Any:
        """What the call returns; None, and the reason in the log, where it raises or takes too long."""
        try:
            if name == self._here:
                return None if self._here_is_slow else self._call_here(f"tracker {name}", call, do)
            return self._threads.setdefault(name, MemberThread(f"tracker {name}")).call(call, do, DEADLINE_SECONDS)
        except ServiceError as error:
            self._logger.warning("%s; the run goes on", error)
            return None

    def _call_here(self, name: str, call: str, do: Callable[[], Any]) -> Any:
        began = time.monotonic()
        try:
            return do()
        except Exception as error:
            raise ServiceError(f"{name} fails at {call}: {type(error).__name__}: {error}") from error
        finally:
            if time.monotonic() - began > DEADLINE_SECONDS:
                self._logger.warning("%s took more than %g s for %s; it is left out from here on", name, DEADLINE_SECONDS, call)
                self._here_is_slow = True
