"""Members that other packages add by entry points."""

import pytest

from everfit.environment.extensions import extensions
from everfit.errors import SettingsError
from tests.extensions import Install


def test_what_a_package_adds_is_loaded_by_its_name(install: Install) -> None:
    install("class Pager:\n    pass\n", alert_channels="Pager")
    assert [(name, member.__name__) for name, member in extensions("alert_channels").items()] == [("pager", "Pager")]


def test_a_group_to_which_nobody_adds_is_empty() -> None:
    assert not extensions("nothing")


def test_a_member_that_cannot_be_imported_is_named_with_its_package(install: Install) -> None:
    install("raise RuntimeError('no licence')", alert_channels="Pager")
    with pytest.raises(SettingsError, match=r"'pager' of extension_0_.* cannot be imported \(RuntimeError: no licence\)"):
        extensions("alert_channels")


def test_two_members_of_one_name_are_refused_with_both(install: Install) -> None:
    for _ in range(2):
        install("class Pager:\n    pass\n", alert_channels="Pager")
    with pytest.raises(SettingsError, match=r"extension_0_.* have one name; uninstall one of the packages"):
        extensions("alert_channels")
