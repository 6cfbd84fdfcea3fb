"""Who it is that a command acts for, and how long that one waits for MLflow."""

import getpass
import os

import typer


def person(by: str | None) -> str:
    """The name given by ``--by``, or that of the system's user.

    Raises:
        typer.BadParameter: when neither is there, as in a container that runs under a number.
    """
    try:
        return by or getpass.getuser()
    except (KeyError, OSError):
        raise typer.BadParameter("this system does not know who you are; name yourself by --by NAME") from None


def in_a_hurry() -> None:
    """Let this process wait seconds for an MLflow that is away or hangs, where its own client would wait for minutes."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
