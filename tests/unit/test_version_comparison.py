"""What differs between two versions, by what is on record of them."""

from pathlib import Path
from typing import Any

import msgspec

from everfit.evaluation.rules import Rule
from everfit.pipeline.document_changes import Change
from everfit.pipeline.manifests import Compared, Version
from everfit.pipeline.version_comparison import VersionComparison, compare_versions, told
from everfit.store.lake import Lake
from tests.events import MODEL
from tests.versions import described


def version(lake: Lake, bias: float, **given: Any) -> Version:
    made = described(lake, MODEL, bias)
    rules = [Rule(name="latency", figure=1.0 + bias, allowed=20.0, passed=True, words="")]
    fields: dict[str, Any] = dict.fromkeys(["mean", "lower", "upper"]) | {
        "days": 28,
        "rows": 9,
        "loss": 0.5,
        "champion_loss": 0.6,
    }
    judged = Compared(name="gradient_boosting", passed=True, reason="", rules=rules, **fields)
    evaluation = msgspec.structs.replace(made.evaluation, compared=[judged])
    training_set = msgspec.structs.replace(made.training_set, **given)
    return msgspec.structs.replace(made, evaluation=evaluation, training_set=training_set)


def compared(tmp_path: Path, monkeypatch: Any, before: Version, after: Version) -> VersionComparison:
    records = {1: before, 2: after}
    monkeypatch.setattr("everfit.pipeline.version_comparison.version_record", lambda _runtime, _model, number: records[number])
    return compare_versions(None, MODEL, 1, 2)  # type: ignore[arg-type] # only the records are read


def test_what_differs_is_told_by_what_it_belongs_to(tmp_path: Path, monkeypatch: Any) -> None:
    lake = Lake(tmp_path)
    days = {f"1996-09-{day:02}": "a" for day in range(1, 9)}
    before = version(lake, 0.0, days={"1996-08-31": "a", "1996-09-01": "b"}, rows=10)
    found = compared(tmp_path, monkeypatch, before, version(lake, 1.0, days=days, rows=80))
    assert [name for name, differing in found.differences.items() if differing] == ["data", "rules", "weights"]
    assert [*told(found.differences["data"])] == [
        "days: 7 new (1996-09-02 to 1996-09-08); 1 gone (1996-08-31); 1 different (1996-09-01)",
        "rows: 10 → 80",
    ]
    assert [*told(found.differences["rules"])] == ["latency.figure: 1.0 → 2.0"]
    assert found.unrecorded[0] == (
        "version 1: an older everfit did not record with which packages, commit and declaration it was made nor which labels "
        "and quarantines its rows are made of"
    )


def test_a_version_does_not_differ_from_itself(tmp_path: Path, monkeypatch: Any) -> None:
    same = version(Lake(tmp_path), 0.0)
    assert not any(compared(tmp_path, monkeypatch, same, same).differences.values())


def test_few_changes_are_listed_one_by_one() -> None:
    assert [*told([Change(at="epochs", before=40, after=60), Change(at="leaves", before=None, after=8)])] == [
        "epochs: 40 → 60",
        "leaves: none → 8",
    ]
