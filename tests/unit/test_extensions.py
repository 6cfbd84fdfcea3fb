"""Members that other packages add by entry points."""

import re

import pytest

from everfit.doctor.extension_checks import GROUPS
from everfit.environment.extensions import extensions, origin, usable
from everfit.errors import SettingsError
from tests.extensions import ROOT, Install


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


def test_what_can_be_used_is_given_beside_the_reasons_why_the_rest_cannot(install: Install) -> None:
    install("class Pager: ...\nclass Webhook: ...\n", alert_channels="Pager")
    install("import sys\nsys.exit(3)\n", alert_channels="Mail")
    install("class Webhook: ...\n", alert_channels="Webhook")
    loaded, faults = usable("alert_channels", own=["webhook"])
    assert list(loaded) == ["pager"]
    mail, webhook = map(str, faults)
    assert "'mail' of extension_1_" in mail
    assert mail.endswith("cannot be imported (SystemExit: 3); repair or uninstall the package")
    assert "'webhook' of extension_2_" in webhook
    assert webhook.endswith("has the name of everfit's own; rename it, or uninstall the package")


def test_a_member_is_named_with_its_package_as_long_as_that_is_installed(install: Install) -> None:
    install("class Pager:\n    pass\n", alert_channels="Pager")
    assert re.fullmatch(r"everfit.alert_channels 'pager' of (extension_0_\w+) \(\1:Pager\)", origin("alert_channels", "pager"))
    assert origin("alert_channels", "other") == "everfit.alert_channels 'other'"


def test_the_doctor_reports_every_group_that_is_read() -> None:
    code = "".join(file.read_text() for file in (ROOT / "everfit").rglob("*.py"))
    assert set(re.findall(r"(?:extensions|members|usable)\(\"(\w+)\"", code)) == GROUPS.keys()
