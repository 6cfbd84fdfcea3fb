"""What other installed packages add to everfit, and the log format that is chosen."""

from collections.abc import Mapping

from everfit.declaration.discovery import load_models
from everfit.doctor.connections import Check
from everfit.environment.extensions import extensions
from everfit.environment.settings import models_package
from everfit.errors import DeclarationError, SettingsError
from everfit.topics.log_formats import LOG_FORMAT, translator

GROUPS = {"sources": "readers of sources", "trackers": "trackers", "alert_channels": "alert channels"}


def extension_checks(environ: Mapping[str, str]) -> list[Check]:
    """A check for each kind of extension that is installed, or cannot be imported, and one for the chosen log format."""
    checks = []
    for group, noun in GROUPS.items():
        try:
            names = ", ".join(extensions(group))
        except SettingsError as error:
            checks.append(Check(noun, str(error), "repair or uninstall the package"))
        else:
            checks += [Check(noun, f"installed: {names}")] if names else []
    return [*checks, *_log_format(environ)]


def _log_format(environ: Mapping[str, str]) -> list[Check]:
    """Nothing for everfit's own, nor while the models cannot be loaded, which their own check reports."""
    try:
        chosen = translator(load_models(models_package(environ)), environ)
    except DeclarationError:
        return []
    except SettingsError as error:
        return [Check("log format", str(error), f"install the package of {environ[LOG_FORMAT]}, or unset {LOG_FORMAT}")]
    return [Check("log format", f"{chosen.name}, by {LOG_FORMAT}")] if chosen else []
