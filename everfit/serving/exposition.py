"""What ``/metrics`` shows, in the text format of Prometheus.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

from everfit.serving.counters import Labels
from everfit.serving.model_cache import ModelCache
from everfit.serving.service import Service
from everfit.store.unanswered import NEWEST, Unanswered, What


def exposition(service: Service, loop_age_seconds: float | None = None, unanswered: Sequence[Unanswered] = ()) -> str:
    """Figures of answers, the versions that serve, how full the prediction log is, how long ago the loop passed, and what of it
    ended without an answer."""
    log, cache = service.log, service.cache
    shown = [_render(figure.name, figure.kind, figure.help, figure.samples()) for figure in service.metrics.figures()]
    for name, kind, help_text, samples in (
        ("everfit_load_failures_total", "counter", "Roles not read and versions not loaded.", _failures(cache)),
        ("everfit_version", "gauge", "1 for each version that serves, with its role.", _versions(cache)),
        ("everfit_challenger_share", "gauge", "Share of units that get the challenger's answers.", _shares(cache)),
    ):
        shown.append(_render(name, kind, help_text, [(name, labels, value) for labels, value in samples]))
    for name, kind, help_text, value in (
        ("everfit_log_acknowledged_total", "counter", "Predictions that Kafka has taken.", log.acknowledged),
        ("everfit_log_rejected_total", "counter", "Predictions set aside: they can never be sent.", log.rejected),
        ("everfit_log_buffered", "gauge", "Predictions that wait in memory.", log.buffered),
        ("everfit_log_spooled", "gauge", "Predictions that wait on the disk.", log.spooled),
    ):
        shown.append(_render(name, kind, help_text, [(name, (), value)]))
    if loop_age_seconds is not None:
        name = "everfit_loop_age_seconds"
        help_text = "Seconds since a pass of the loop last succeeded, or since this process began where none did."
        shown.append(_render(name, "gauge", help_text, [(name, (), round(loop_age_seconds, 3))]))
    return "".join([*shown, *_unanswered(unanswered)])


def _unanswered(found: Sequence[Unanswered]) -> Iterator[str]:
    """A gauge for each kind of thing that may end without an answer."""
    for what in get_args(What):
        name = f"everfit_{what.replace(' ', '_')}"
        samples = [(name, (("model", each.model),), each.count) for each in found if each.what == what]
        if samples:
            yield _render(name, "gauge", f"Of the newest {NEWEST} of a model, {what}.", samples)


def _failures(cache: ModelCache) -> list[tuple[Labels, float]]:
    return [((("model", name),), count) for name, count in cache.failures.items()]


def _versions(cache: ModelCache) -> list[tuple[Labels, float]]:
    return [
        ((("model", name), ("role", role), ("version", str(version.number))), 1)
        for name, active in cache.active.items()
        for role, version in active
    ]


def _shares(cache: ModelCache) -> list[tuple[Labels, float]]:
    return [((("model", name),), active.share) for name, active in cache.active.items()]


def _render(name: str, kind: str, help: str, samples: Iterable[tuple[str, Labels, float]]) -> str:
    """One metric: its help, its type and a line for each sample."""
    lines = [f"# HELP {name} {help}", f"# TYPE {name} {kind}"]
    for sample, labels, value in samples:
        inner = ",".join(f'{key}="{text}"' for key, text in labels)
        lines.append(f"{sample}{{{inner}}} {value}" if inner else f"{sample} {value}")
    return "\n".join(lines) + "\n"
