"""What other installed packages add to everfit: entry points of the groups ``everfit.<group>``.

A package adds a member in its ``pyproject.toml``, for example an alert channel by
``[project.entry-points."everfit.alert_channels"]`` and ``pager = "my_package.alerts:Pager"``.
"""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from everfit.errors import SettingsError


@cache
def extensions(group: str) -> Mapping[str, Any]:
    """What installed packages add to the group, loaded, by name in the order of the names.

    Args:
        group: its name without ``everfit.``, such as ``alert_channels``.

    Raises:
        SettingsError: when a member cannot be imported, or two packages add one of the same name.
    """
    members: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=f"everfit.{group}"), key=lambda point: (point.name, point.value)):
        if point.name in members and point != members[point.name]:
            other = members[point.name]
            raise SettingsError(f"{_described(point)} and {_described(other)} have one name; uninstall one of the packages")
        members[point.name] = point
    return MappingProxyType({name: _loaded(point) for name, point in members.items()})


def members(group: str, own: Mapping[str, Any]) -> Mapping[str, Any]:
    """The group's members by name: everfit's own, then what installed packages add.

    Raises:
        SettingsError: as :func:`extensions`, and when an installed member has the name of one of everfit's own.
    """
    added = extensions(group)
    if taken := sorted(own.keys() & added.keys()):
        raise SettingsError(f"everfit.{group} {taken[0]!r} of an installed package has the name of everfit's own; rename it")
    return {**own, **added}


def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise SettingsError(f"{_described(point)} cannot be imported ({reason}); repair or uninstall the package") from error


def _described(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else "an installed package"
    return f"{point.group} {point.name!r} of {package} ({point.value})"
