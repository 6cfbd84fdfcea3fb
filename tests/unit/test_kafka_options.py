"""TLS and SASL come from the environment, make sense together or are refused, and are never shown in full."""

from pathlib import Path

import pytest

from everfit.environment import kafka_options
from everfit.errors import SettingsError

SCRAM = {
    kafka_options.PROTOCOL: "SASL_SSL",
    kafka_options.MECHANISM: "SCRAM-SHA-512",
    kafka_options.USERNAME: "everfit",
    kafka_options.PASSWORD: "hidden",
}


def test_nothing_set_is_plain_text() -> None:
    assert kafka_options.security({}) == {}
    assert "security_protocol" not in kafka_options.options("host:9092", {})


def test_what_is_set_reaches_every_client(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    told = kafka_options.consumer_options("host:9092", SCRAM | {kafka_options.CAFILE: str(authority)})
    assert told["bootstrap_servers"] == "host:9092"
    assert told["isolation_level"] == "read_committed"
    assert told["security_protocol"] == "SASL_SSL"
    assert told["ssl_cafile"] == str(authority)
    assert (told["sasl_mechanism"], told["sasl_plain_username"], told["sasl_plain_password"]) == (
        "SCRAM-SHA-512",
        "everfit",
        "hidden",
    )


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({kafka_options.PROTOCOL: "TLS"}, "='TLS' is none of PLAINTEXT, SSL"),
        (SCRAM | {kafka_options.MECHANISM: "GSSAPI"}, "='GSSAPI' is none of PLAIN, SCRAM-SHA-256"),
        ({kafka_options.PROTOCOL: "SASL_PLAINTEXT"}, "needs .*_MECHANISM and .*_USERNAME and .*_PASSWORD too"),
        (SCRAM | {kafka_options.PASSWORD: ""}, "needs EVERFIT_KAFKA_SASL_PASSWORD too; set it"),
        ({kafka_options.USERNAME: "everfit"}, "EVERFIT_KAFKA_SASL_USERNAME would be ignored under .*=PLAINTEXT"),
        (SCRAM | {kafka_options.PROTOCOL: "SSL"}, "MECHANISM, .* would be ignored under .*=SSL"),
        ({kafka_options.CAFILE: "/nowhere.pem"}, "SSL_CAFILE would be ignored"),
        (SCRAM | {kafka_options.CAFILE: "/nowhere.pem"}, "='/nowhere.pem' is no file"),
    ],
)
def test_what_makes_no_sense_is_refused(environ: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        kafka_options.options("host:9092", environ)


def test_secrets_are_masked_where_they_are_shown() -> None:
    error = kafka_options.unusable("host:9092", TimeoutError("no answer"), SCRAM)
    assert "EVERFIT_KAFKA_SASL_PASSWORD=***" in str(error)
    assert "A wrong password or certificate looks like no answer" in str(error)
    assert "hidden" not in str(error)
