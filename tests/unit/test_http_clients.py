"""Every client goes where its address says: by TLS with certificates checked, its path kept; or it refuses."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from everfit.alerts.state import Notice
from everfit.alerts.webhook import Webhook
from everfit.dagster_api.automation import automations
from everfit.dagster_api.runs import Orchestrator
from everfit.doctor.connections import connections
from everfit.environment import http_client
from everfit.environment.variables import require_sound
from everfit.errors import ServiceError, SettingsError
from everfit.replay.serving_client import ServingClient
from everfit.stack import health
from everfit.store.alert_state import Alert
from tests.tls import Server, serving

TOKEN = "windmill"
ANSWER = {
    "roles": {"champion": 3},
    "data": {
        "version": "1",
        "instance": {"daemonHealth": {"allDaemonStatuses": [{"daemonType": "SENSOR", "lastHeartbeatTime": 7.0}]}},
        "repositoriesOrError": {"__typename": "RepositoryConnection", "nodes": []},
    },
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, json.dumps(ANSWER).encode()) as server:
        yield server


@pytest.fixture
def trusted(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("SSL_CERT_FILE", str(server.authority))
    return server


def champion(url: str) -> object:
    with closing(ServingClient(url, TOKEN)) as client:
        return client.roles("m").champion


def version(url: str) -> object:
    with closing(Orchestrator(url)) as dagster:
        return dagster.execute("{ version }")["version"]


CLIENTS: dict[str, tuple[Callable[[str], object], object, str]] = {
    "replay": (champion, 3, "/v2/models/m"),
    "Dagster": (version, "1", "/graphql"),
    "daemon": (lambda url: health.daemon(url, 5.0), True, "/graphql"),
    "automation": (lambda url: automations(url, 0.0), [], "/graphql"),
    "health": (lambda url: health.http(f"{url}/v2/health/live"), True, "/v2/health/live"),
    "MLflow's check": (
        lambda url: connections({"mlflow": url})[0].ok,
        True,
        "/api/2.0/mlflow/registered-models/search?max_results=1",
    ),
    "serving's check": (lambda url: connections({"serving": url})[0].ok, True, "/v2/health/live"),
}
RAISE = {"replay", "Dagster", "automation"}  # the others answer whether all is well


@pytest.mark.parametrize("name", CLIENTS)
def test_the_path_of_the_address_is_kept_and_the_authority_trusted(trusted: Server, name: str) -> None:
    ask, expected, path = CLIENTS[name]
    assert ask(f"{trusted.url}/behind/a/proxy") == expected
    assert trusted.asked[0][0] == f"/behind/a/proxy{path}"


def test_the_token_goes_by_tls(trusted: Server) -> None:
    champion(trusted.url)
    assert trusted.asked == [("/v2/models/m", f"Bearer {TOKEN}")]


@pytest.mark.parametrize("name", CLIENTS)
def test_a_certificate_that_nobody_known_signed_is_not_spoken_to(server: Server, name: str) -> None:
    ask, _, _ = CLIENTS[name]
    if name in RAISE:
        with pytest.raises(ServiceError, match="CERTIFICATE_VERIFY_FAILED"):
            ask(server.url)
    else:
        assert ask(server.url) is False
    assert server.asked == []


def test_an_alert_goes_where_the_webhook_says(trusted: Server) -> None:
    alert = Notice("raised", Alert("m", "stopped", "it stopped", datetime(2024, 1, 1, tzinfo=UTC)))
    Webhook(f"{trusted.url}/hooks/T0").send(alert)
    assert trusted.asked == [("/hooks/T0", None)]


@pytest.mark.parametrize(
    "url", ["ftp://host", "host:8000", "http://", "https:///path", "http://host:0", "http://host:port", ""]
)
@pytest.mark.parametrize(
    "ask", [champion, version, lambda url: http_client.get(url, timeout=1)], ids=["replay", "Dagster", "get"]
)
def test_what_is_no_address_of_a_server_is_refused(url: str, ask: Callable[[str], object]) -> None:
    with pytest.raises(SettingsError, match="is no address of a server; write http"):
        ask(url)


def test_a_webhook_that_is_no_address_is_refused_at_the_start_and_not_shown() -> None:
    with pytest.raises(SettingsError, match="EVERFIT_ALERT_WEBHOOK is no address") as refused:
        require_sound({"EVERFIT_ALERT_WEBHOOK": "hooks.example/secret"})
    assert "secret" not in str(refused.value)


def test_authorities_that_are_no_file_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    with pytest.raises(SettingsError, match=r"SSL_CERT_FILE='/nowhere.pem' .* name PEM files"):
        http_client.get("https://host", timeout=1)


def test_mlflows_own_client_trusts_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/authority.pem")
    monkeypatch.delenv(http_client.MLFLOW_AUTHORITY, raising=False)
    http_client.settle_mlflow()
    assert os.environ[http_client.MLFLOW_AUTHORITY] == "/authority.pem"
