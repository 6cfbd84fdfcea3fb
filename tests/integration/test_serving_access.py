"""Who may ask serving: tokens, and the reports that a browser opens."""

from pathlib import Path

import httpx

from everfit.store.lake import Lake
from tests.serving_over_http import INPUTS, NAME, Serve, predict


def test_a_token_is_asked_for_where_one_is_set(serve: Serve, kafka: str) -> None:
    client = serve(kafka, token="secret")
    assert client.get("/v2/health/live").status_code == 200
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}):
        refused = client.post(f"/predict/{NAME}", json={"inputs": INPUTS}, headers=headers)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert "no valid bearer token" in refused.json()["error"]
    client.headers["Authorization"] = "Bearer secret"
    client.post(f"/refresh/{NAME}").raise_for_status()
    assert predict(client).status_code == 200


def test_a_report_is_html_of_the_lake_in_an_origin_of_its_own(client: httpx.Client, tmp_path: Path) -> None:
    digest = Lake(tmp_path / "lake").put(b"<p>drift</p>", "html")
    shown = client.get(f"/reports/{digest}")
    assert (shown.status_code, shown.text) == (200, "<p>drift</p>")
    assert shown.headers["Content-Type"] == "text/html; charset=utf-8"
    assert shown.headers["Content-Security-Policy"] == "sandbox allow-scripts allow-downloads"
    assert shown.headers["X-Content-Type-Options"] == "nosniff"


def test_what_is_no_report_is_not_found(client: httpx.Client, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    digest, manifest = lake.put(b"<p>drift</p>", "html"), lake.put_json({"of": "a version"})
    for name in (digest.upper(), digest[:-1], f"{digest}.html", f"{digest}%0a", "..%2f..%2fspool.jsonl", "%D9%A3" * 64):
        refused = client.get(f"/reports/{name}")
        assert refused.status_code == 404, name
        assert "error" in refused.json()
    for name in (manifest, "0" * 64):
        refused = client.get(f"/reports/{name}")
        assert (refused.status_code, refused.json()["error"].partition(" in ")[0]) == (404, f"no report {name}")
    lake.path(digest, "html").write_bytes(b"<p>none</p>")
    assert client.get(f"/reports/{digest}").status_code == 500


def test_a_browser_gives_the_token_as_a_password_to_reports_alone(serve: Serve, kafka: str, tmp_path: Path) -> None:
    digest = Lake(tmp_path / "lake").put(b"<p>drift</p>", "html")
    client = serve(kafka, token="sec:ret")
    for headers in ({}, {"Authorization": "Basic sec:ret"}, {"Authorization": "Bearer ret"}):
        refused = client.get(f"/reports/{digest}", headers=headers)
        assert refused.status_code == 401
        assert refused.headers.get_list("WWW-Authenticate") == ['Basic realm="everfit"', "Bearer"]
    assert client.get(f"/reports/{digest}", auth=("ann", "wrong")).status_code == 401
    assert client.get(f"/reports/{digest}", auth=("ann", "sec:ret")).status_code == 200
    assert client.get(f"/reports/{digest}", auth=("", "sec:ret")).status_code == 200
    assert client.get(f"/reports/{digest}", headers={"Authorization": "Bearer sec:ret"}).status_code == 200
    elsewhere = client.get("/metrics", auth=("ann", "sec:ret"))
    assert (elsewhere.status_code, elsewhere.headers.get_list("WWW-Authenticate")) == (401, ["Bearer"])
