"""What ``/metrics`` shows, in the text format of Prometheus.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from collections.abc import Iterable

from everfit.serving.counters import Labels
from everfit.serving.service import Service


def exposition(service: Service, loop_age_seconds: float | None = None) -> str:
    """Counters of requests, the versions that serve, how full the prediction log is, and how long ago the loop passed."""
    log, cache = service.log, service.cache
    shown = [_render(counter.name, "counter", counter.help, counter.values.items()) for counter in service.metrics.counters()]
    failures = [((("model", name),), count) for name, count in cache.failures.items()]
    versions: list[tuple[Labels, int]] = [
        ((("model", name), ("role", role)), number)
        for name, active in cache.active.items()
        for role, number in active.roles.items()
    ]
    shown += [
        _render(
            "everfit_load_failures_total",
            "counter",
            "Roles not read and versions not loaded.",
            failures,
        ),
        _render("everfit_version", "gauge", "The version that serves in a role.", versions),
        _render("everfit_log_acknowledged_total", "counter", "Predictions that Kafka has taken.", [((), log.acknowledged)]),
        _render(
            "everfit_log_rejected_total", "counter", "Predictions set aside: they can never be sent.", [((), log.rejected)]
        ),
        _render("everfit_log_buffered", "gauge", "Predictions that wait in memory.", [((), log.buffered)]),
        _render("everfit_log_spooled", "gauge", "Predictions that wait on the disk.", [((), log.spooled)]),
    ]
    if loop_age_seconds is not None:
        help_text = "Seconds since a pass of the loop last succeeded, or since this process began where none did."
        shown.append(_render("everfit_loop_age_seconds", "gauge", help_text, [((), round(loop_age_seconds, 3))]))
    return "".join(shown)


def _render(name: str, kind: str, help: str, values: Iterable[tuple[Labels, float]]) -> str:
    """One metric: its help, its type and a line for each set of labels."""
    lines = [f"# HELP {name} {help}", f"# TYPE {name} {kind}"]
    for labels, value in values:
        inner = ",".join(f'{key}="{text}"' for key, text in labels)
        lines.append(f"{name}{{{inner}}} {value}" if inner else f"{name} {value}")
    return "\n".join(lines) + "\n"
