"""What other installed packages add to everfit, and the log format that is chosen."""

from collections.abc import Collection, Mapping

from everfit.alerts import channels
from everfit.declaration.discovery import load_models
from everfit.doctor.connections import Check
from everfit.environment.extensions import usable
from everfit.environment.settings import models_package
from everfit.errors import DeclarationError, SettingsError
from everfit.sources import readers
from everfit.topics.log_formats import LOG_FORMAT, translator

# By group: what its members are, and the names of everfit's own.
GROUPS: Mapping[str, tuple[str, Collection[str]]] = {
    "sources": ("readers of sources", readers.OWN),
    "trackers": ("trackers", ()),
    "alert_channels": ("alert channels", channels.OWN),
}


def extension_checks(environ: Mapping[str, str]) -> list[Check]:
    """A check for each kind of extension that is installed, each member that cannot be used, and the chosen log format."""
    checks = []
    for group, (noun, own) in GROUPS.items():
        loaded, faults = usable(group, own)
        checks += [Check(noun, f"installed: {', '.join(loaded)}")] if loaded else []
        checks += [Check(noun, str(fault), "repair or uninstall the package") for fault in faults]
    return [*checks, *_log_format(environ)]


def _log_format(environ: Mapping[str, str]) -> list[Check]:
    """Nothing for everfit's own, nor while the models cannot be loaded, which their own check reports."""
    try:
        chosen = translator(load_models(models_package(environ)), environ)
    except DeclarationError:
        return []
    except SettingsError as error:
        return [Check("log format", str(error), f"install, repair or uninstall its package, or change {LOG_FORMAT}")]
    return [Check("log format", f"{chosen.name}, by {LOG_FORMAT}")] if chosen else []
