"""What other installed packages add to everfit, and the log format that is chosen."""

from collections.abc import Collection, Mapping

from everfit.alerts import channels
from everfit.declaration.discovery import load_models
from everfit.doctor.connections import Check
from everfit.environment.extensions import usable
from everfit.environment.settings import models_package
from everfit.errors import DeclarationError, SettingsError
from everfit.evidence.kinds import kinds
from everfit.pipeline.chosen_trackers import OWN, TRACKERS, tracker_faults
from everfit.sources import readers
from everfit.topics import log_formats
from everfit.topics.log_formats import LOG_FORMAT, translator

# By group: what its members are, and the names of everfit's own.
GROUPS: Mapping[str, tuple[str, Collection[str]]] = {
    "sources": ("readers of sources", readers.OWN),
    "trackers": ("trackers", OWN),
    "alert_channels": ("alert channels", channels.OWN),
    "log_formats": ("log formats", (log_formats.OWN,)),
    "evidence": ("kinds of evidence", ()),
}
REMEDY = "repair or uninstall the package"


def extension_checks(environ: Mapping[str, str]) -> list[Check]:
    """A check for each kind of extension that is installed, each member that cannot be used, and the chosen log format."""
    checks = []
    for group, (noun, own) in GROUPS.items():
        loaded, faults = usable(group, own)
        checks += [Check(noun, f"installed: {', '.join(loaded)}")] if loaded else []
        checks += [Check(noun, str(fault), REMEDY) for fault in faults]
    reported = {check.message for check in checks}
    return [
        *checks,
        *(check for check in [*_kinds(), *_log_format(environ), *_trackers(environ)] if check.message not in reported),
    ]


def _kinds() -> list[Check]:
    """Whether the table of evidence can be made, without which no definitions load and no window is judged."""
    try:
        kinds()
    except SettingsError as error:
        return [Check("kinds of evidence", str(error), REMEDY)]
    return []


def _trackers(environ: Mapping[str, str]) -> list[Check]:
    """What keeps a tracker that the environment names from recording."""
    return [Check("trackers", fault, f"install it, or change {TRACKERS}") for fault in tracker_faults(environ)]


def _log_format(environ: Mapping[str, str]) -> list[Check]:
    """Nothing for everfit's own, nor while the models cannot be loaded, which their own check reports."""
    try:
        chosen = translator(load_models(models_package(environ)), environ)
    except DeclarationError:
        return []
    except SettingsError as error:
        return [Check("log format", str(error), f"install, repair or uninstall its package, or change {LOG_FORMAT}")]
    return [Check("log format", f"{chosen.name}, by {LOG_FORMAT}")] if chosen else []
