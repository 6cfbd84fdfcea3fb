"""A kind of evidence that another package adds: judged on a real window, stored, shown as a check, decided on."""

from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from assets.checks import check_result, newest_evidence
from everfit.environment.extensions import extensions
from everfit.store import requests
from everfit.store.tables import decisions, evidence, quarantines
from tests.examples import electricity
from tests.extensions import Install
from tests.loop import Loop

WEEK = timedelta(days=7)
KIND = """
from everfit.evidence import Evidence, EvidenceKind


class Confidence(EvidenceKind):
    name = "confidence"
    describes = "Share of the newest window's answers that are nearer to 0 or 1 than a tenth."
    triggers = "{}"

    def judge(self, window):
        share = float(((window.rows["_score"] - 0.5).abs() > 0.4).mean())
        reason = f"{{share:.0%}} of {{window.row_count}} answers are confident"
        return Evidence(verdict="alarm", statistic=share, threshold=0.0, reason=reason, report="<p>confident</p>")
"""


def judged(loop: Loop) -> None:
    loop.bootstrap()
    loop.play(loop.model.go_live, loop.model.go_live + WEEK)
    loop.judge(loop.model.go_live)


def test_a_kind_that_triggers_a_retraining_is_judged_stored_shown_and_decided_on(
    engine: sa.Engine, tmp_path: Path, install: Install
) -> None:
    install(KIND.format("retraining"), evidence="Confidence")
    model = electricity().model
    at_once = model.model_copy(update={"drift": model.drift.model_copy(update={"settle": timedelta()})})
    loop = Loop(engine, tmp_path, at_once, electricity().recorded)
    judged(loop)

    with engine.connect() as connection:
        kinds = connection.execute(sa.select(evidence.c.kind, evidence.c.id)).all()
        (decision,) = connection.execute(sa.select(decisions)).all()
        (request,) = requests.in_status(connection, "pending")
    assert {row.kind for row in kinds} == {"quality", "drift", "performance", "freshness", "regret", "confidence"}
    assert (decision.action, decision.cause) == ("retrain", "confidence")
    assert decision.evidence == [row.id for row in kinds if row.kind == "confidence"]
    assert (request.cause, request.reason) == ("confidence", decision.reason)
    newest = {judgement.kind: judgement for judgement in newest_evidence(loop.runtime, loop.model)}
    check = check_result(newest["confidence"], "http://pages")
    assert (check.check_name, check.passed, check.description) == ("confidence", False, decision.reason)
    assert loop.runtime.lake.get(newest["confidence"].detail["html"], "html") == b"<p>confident</p>"
    assert check.metadata["report"].value == f"http://pages/reports/{newest['confidence'].detail['html']}"


def test_a_kind_that_triggers_a_quarantine_sets_the_window_aside_and_retrains_nothing(
    engine: sa.Engine, tmp_path: Path, install: Install
) -> None:
    install(KIND.format("quarantine"), evidence="Confidence")
    loop = Loop(engine, tmp_path, electricity().model, electricity().recorded)
    judged(loop)

    with engine.connect() as connection:
        rows = connection.execute(sa.select(quarantines.c.column, quarantines.c.reason)).all()
        assert connection.execute(sa.select(decisions.c.action)).scalars().all() == ["none"]
    assert {row.column for row in rows} == {"*"}
    assert all("answers are confident" in row.reason for row in rows)


def test_the_evidence_of_a_package_that_was_uninstalled_stays_readable_and_decides_nothing(
    engine: sa.Engine, tmp_path: Path, install: Install
) -> None:
    install(KIND.format("nothing"), evidence="Confidence")
    loop = Loop(engine, tmp_path, electricity().model, electricity().recorded)
    judged(loop)
    for folder in tmp_path.glob("*.dist-info"):
        (folder / "entry_points.txt").write_text("")
    extensions.cache_clear()
    loop.play(loop.model.go_live + WEEK, loop.model.go_live + 2 * WEEK)
    assert {judgement.kind for judgement in loop.judge(loop.model.go_live + WEEK).judgements} == {
        "quality",
        "drift",
        "performance",
        "freshness",
        "regret",
    }
    assert "confidence" in {judgement.kind for judgement in newest_evidence(loop.runtime, loop.model)}
    with engine.connect() as connection:
        assert "confidence" not in connection.execute(sa.select(decisions.c.reason)).scalars().all()[-1]
