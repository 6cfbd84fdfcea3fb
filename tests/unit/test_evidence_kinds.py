"""The table of the kinds of evidence: its order, what other packages may add, and what is refused."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import polars as pl
import pytest

from assets.checks import evidence_checks
from everfit.doctor.extension_checks import extension_checks
from everfit.errors import SettingsError
from everfit.evidence import Evidence
from everfit.evidence.judged_window import JudgedWindow
from everfit.evidence.kinds import kinds
from models.electricity_price import electricity_price
from orchestration.declared_assets import declared
from tests.extensions import Install, documented

KIND = """
from everfit.evidence import Evidence, EvidenceKind


class Coverage(EvidenceKind):
    name = "coverage"
    describes = "Whether every hour was answered."
    {}

    def judge(self, window):
        return Evidence(verdict="ok", reason="every hour was answered")
"""


def test_windows_are_judged_by_everfits_kinds_in_their_order() -> None:
    assert list(kinds()) == ["quality", "drift", "performance", "freshness", "regret"]
    assert {name: kind.triggers for name, kind in kinds().items()} == {
        "quality": "quarantine",
        "drift": "retraining",
        "performance": "retraining",
        "freshness": "retraining",
        "regret": "nothing",
    }


def test_a_kind_of_another_package_comes_last_and_is_a_check(install: Install) -> None:
    install(KIND.format(""), evidence="Coverage")
    assert list(kinds())[5:] == ["coverage"]
    assert kinds()["coverage"].triggers == "nothing"
    specs = {spec.name: spec.description for spec in evidence_checks(electricity_price).check_specs}
    assert specs == {name: kind.describes for name, kind in kinds().items()}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            "name = 'Coverage'",
            "its name is 'Coverage'; a kind has a lower-case name; repair or uninstall the package",
        ),
        ("name = 'drift'", "'coverage' of extension_0_.*: the name 'drift' is taken by everfit; repair or uninstall"),
        ("name = 'person'", "the name 'person' is taken by the retrainings that people request"),
        ("__init__ = lambda self: 1 / 0", r"extension_0_.*: cannot be made \(ZeroDivisionError: division by zero\)"),
        ("def __init__(self): raise SystemExit(3)", r"extension_0_.*: cannot be made \(SystemExit: 3\)"),
        ("describes = None", "coverage does not describe what it measures"),
        ("triggers = 'alarm'", "coverage triggers 'alarm'; a kind triggers one of quarantine, retraining, nothing"),
    ],
)
def test_what_is_no_kind_is_refused_with_its_package(install: Install, line: str, why: str) -> None:
    install(KIND.format(line), evidence="Coverage")
    with pytest.raises(SettingsError, match=why):
        kinds()


@pytest.mark.parametrize("base", ["", "(EvidenceKind)"])
def test_a_kind_that_cannot_judge_is_refused(install: Install, base: str) -> None:
    head = f"from everfit.evidence import EvidenceKind\nclass Mute{base}:"
    install(f"{head}\n    name = 'mute'\n    describes = 'Nothing.'\n    triggers = 'nothing'", evidence="Mute")
    with pytest.raises(SettingsError, match=r"mute has no method judge\(window\)"):
        kinds()


def test_a_kind_that_does_not_say_what_it_triggers_is_refused(install: Install) -> None:
    install("class Mute:\n    name = 'mute'\n    describes = 'Nothing.'\n    judge = print", evidence="Mute")
    with pytest.raises(SettingsError, match="mute triggers None; a kind triggers one of quarantine, retraining, nothing"):
        kinds()


def test_two_packages_with_kinds_of_one_name_are_both_named(install: Install) -> None:
    install(KIND.format(""), evidence="Coverage")
    install(KIND.format("").replace("class Coverage", "class Other"), evidence="Other")
    taken = r"'other' of extension_1_.*: the name 'coverage' is taken by everfit.evidence 'coverage' of extension_0_"
    with pytest.raises(SettingsError, match=taken):
        kinds()


@pytest.mark.parametrize(
    ("source", "why"), [("raise SystemExit(3)", "SystemExit: 3"), (KIND.format("name = 'drift'"), "is taken by everfit")]
)
def test_a_kind_that_cannot_be_used_stops_the_definitions_and_the_doctor_names_its_package(
    install: Install, source: str, why: str
) -> None:
    install(source, evidence="Coverage")
    with pytest.raises(SettingsError, match=why) as refused:
        declared.__wrapped__()
    (check,) = extension_checks({})[-1:]
    assert (check.name, check.message, check.ok) == ("kinds of evidence", str(refused.value), False)
    assert "'coverage' of extension_0_" in check.message


def test_a_verdict_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="verdict 'bad': evidence is one of ok, alarm, insufficient"):
        Evidence(verdict="bad", reason="")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"reason": None}, "reason None, report '': both are text"),
        ({"report": b"<p>"}, "report b'<p>': both are text"),
        ({"reason": " "}, "evidence without a reason"),
        ({"statistic": "high"}, "statistic 'high': give a number"),
        ({"threshold": float("nan")}, "threshold nan: give a finite number"),
        ({"statistic": np.float32("inf")}, "give a finite number"),
        ({"detail": ["a"]}, r"detail \['a'\]: give a dict"),
        ({"detail": {"a": float("nan")}}, "is no JSON"),
        ({"detail": {"a": np.int64(3)}}, "is no JSON .*; give Python's own text, finite numbers"),
    ],
)
def test_evidence_that_cannot_be_stored_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises((TypeError, ValueError), match=why):
        Evidence(**{"verdict": "ok", "reason": "fine", **given})


def test_any_finite_number_is_a_statistic() -> None:
    evidence = Evidence(verdict="ok", reason="fine", statistic=np.float32(0.5), threshold=1)  # type: ignore[arg-type]
    assert [(type(value), value) for value in (evidence.statistic, evidence.threshold)] == [(float, 0.5), (float, 1.0)]


def test_the_table_is_read_without_libraries_of_arrays() -> None:
    code = "import sys, everfit.evidence.kinds as k; k.kinds(); print({'numpy', 'polars', 'evidently'} & set(sys.modules))"
    read = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert read.stdout.strip() == "set()"


def test_the_kind_of_the_page_is_one(install: Install) -> None:
    install(documented("Kinds of evidence"), evidence="Confidence")
    rows = pl.DataFrame({"_score": [0.0, 0.5, 1.0, 0.99]})
    evidence = kinds()["confidence"].judge(cast(JudgedWindow, SimpleNamespace(rows=rows, row_count=4)))
    assert (evidence.verdict, evidence.statistic, evidence.reason) == ("ok", 0.75, "75% of 4 answers are confident")
