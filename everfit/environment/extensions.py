"""What other installed packages add to everfit: entry points of the groups ``everfit.<group>``.

A package adds a member in its ``pyproject.toml``, for example an alert channel by
``[project.entry-points."everfit.alert_channels"]`` and ``pager = "my_package.alerts:Pager"``.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from everfit.errors import SettingsError


@cache
def extensions(group: str) -> Mapping[str, Any]:
    """What installed packages add to the group, loaded, by name in the order of the names.

    Args:
        group: its name without ``everfit.``, such as ``log_formats``.

    Raises:
        SettingsError: when a member cannot be imported, or two packages add one of the same name.
    """
    return MappingProxyType(_all_of(group, ()))


def members(group: str, own: Mapping[str, Any]) -> Mapping[str, Any]:
    """The group's members by name: everfit's own, then what installed packages add.

    Raises:
        SettingsError: as :func:`extensions`, and when an installed member has the name of one of everfit's own.
    """
    return {**own, **_all_of(group, own)}


def usable(group: str, own: Collection[str] = ()) -> tuple[dict[str, Any], list[SettingsError]]:
    """The installed members that can be used, by name, and for each of the others the reason, which names its package.

    Args:
        group: as for :func:`extensions`.
        own: the names of everfit's own members, which no package may take.
    """
    points: dict[str, list[EntryPoint]] = {}
    for point in sorted(set(entry_points(group=f"everfit.{group}")), key=lambda point: (point.name, point.value)):
        points.setdefault(point.name, []).append(point)
    loaded, faults = {}, []
    for name, of_name in points.items():
        try:
            loaded[name] = _loaded(of_name, own)
        except SettingsError as error:
            faults.append(error)
    return loaded, faults


def origin(group: str, name: str) -> str:
    """The group's member of that name, for a message: with its package, unless that was uninstalled since it was loaded."""
    points = entry_points(group=f"everfit.{group}", name=name)
    return _described(next(iter(points))) if points else f"everfit.{group} {name!r}"


def _all_of(group: str, own: Collection[str]) -> dict[str, Any]:
    loaded, faults = usable(group, own)
    if faults:
        raise faults[0]
    return loaded


def _loaded(points: Sequence[EntryPoint], own: Collection[str]) -> Any:
    """The member of a name, of which there should be one.

    Raises:
        SettingsError: when the name is taken, or the member cannot be imported.
    """
    point, *others = points
    if others:
        raise SettingsError(f"{_described(others[0])} and {_described(point)} have one name; uninstall one of the packages")
    if point.name in own:
        raise SettingsError(f"{_described(point)} has the name of everfit's own; rename it, or uninstall the package")
    try:
        return point.load()
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise SettingsError(f"{_described(point)} cannot be imported ({reason}); repair or uninstall the package") from error


def _described(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else "an installed package"
    return f"{point.group} {point.name!r} of {package} ({point.value})"
