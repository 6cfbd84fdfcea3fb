"""The checks on a champion: what a verdict shows on its page."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from assets.checks import check_evaluation, check_result
from everfit.environment.settings import Settings
from everfit.store.judgements import Judgement

DIGEST = "ab" * 32
ADDRESSES = {
    "EVERFIT_DATABASE_URL": "postgresql://db/everfit",
    "EVERFIT_KAFKA_BOOTSTRAP": "kafka:9092",
    "MLFLOW_TRACKING_URI": "http://mlflow:5000",
    "EVERFIT_SERVING_URL": "http://serving:8000",
    "EVERFIT_DAGSTER_URL": "http://webserver:3000",
}


def judged(verdict: str, **detail: Any) -> Judgement:
    start, end = datetime(1997, 4, 30, tzinfo=UTC), datetime(1997, 5, 7, tzinfo=UTC)
    return Judgement("e1", "electricity_price", 3, start, end, "drift", verdict, 4.0, 2.0, "price moved", detail)


@pytest.mark.parametrize("shown", [check_result, check_evaluation])
def test_an_alarm_leads_to_its_report_by_a_click(shown: Any) -> None:
    told = shown(judged("alarm", html=DIGEST), "https://models.example/serving/")
    assert (told.passed, told.asset_key, told.description) == (
        False,
        dg.AssetKey(["electricity_price", "champion"]),
        "price moved",
    )
    link = told.metadata["Evidently's report"]
    assert link == dg.MetadataValue.url(f"https://models.example/serving/reports/{DIGEST}")


@pytest.mark.parametrize(
    ("verdict", "passed", "severity", "description"),
    [
        ("ok", True, dg.AssetCheckSeverity.WARN, "price moved"),
        ("alarm", False, dg.AssetCheckSeverity.ERROR, "price moved"),
        ("insufficient", False, dg.AssetCheckSeverity.WARN, "not judged: price moved"),
    ],
)
def test_what_could_not_be_judged_has_not_passed(
    verdict: str, passed: bool, severity: dg.AssetCheckSeverity, description: str
) -> None:
    told = check_result(judged(verdict), "http://127.0.0.1:8000")
    assert (told.passed, told.severity, told.description) == (passed, severity, description)


def test_a_verdict_without_a_report_has_no_link() -> None:
    told = check_result(judged("ok"), "http://127.0.0.1:8000")
    assert told.passed
    assert told.metadata is not None
    assert "Evidently's report" not in told.metadata
    assert told.metadata["window"] == dg.MetadataValue.text("1997-04-30 to 1997-05-07")


@pytest.mark.parametrize(
    ("pages", "address"),
    [({}, "http://serving:8000"), ({"EVERFIT_SERVING_PAGES": "http://127.0.0.1:8001"}, "http://127.0.0.1:8001")],
)
def test_a_persons_address_of_serving_is_its_own_where_none_is_told(pages: dict[str, str], address: str) -> None:
    assert Settings.load(ADDRESSES | pages).serving_pages == address
