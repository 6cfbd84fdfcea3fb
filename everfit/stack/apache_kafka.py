"""Apache Kafka as the broker: one KRaft node from ``KAFKA_HOME`` (a folder with ``libs/``); its log is kept on disk.

It needs Java 17 or later; the broker from the wheel needs nothing, and loses its log when it stops.
"""

import os
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from everfit.errors import StackError
from everfit.stack.ports import LOCAL, any_free

HEAP = ("-Xms256m", "-Xmx512m")

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""
_LOGGING = """\
Configuration:
  Appenders:
    Console: {name: out, target: SYSTEM_OUT, PatternLayout: {pattern: "[%d] %p %m (%c)%n"}}
  Loggers:
    Root: {level: WARN, AppenderRef: {ref: out}}
"""


def prepare(folder: Path, port: int, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Write the node's settings, format its storage the first time, and return the command that runs it.

    Raises:
        StackError: when ``KAFKA_HOME`` or Java is missing, or the storage cannot be formatted.
    """
    java = _java(environ)
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "server.properties"
    listener = f"listeners=PLAINTEXT://{LOCAL}:{port},"
    if not settings.exists() or listener not in settings.read_text():
        values = {"host": LOCAL, "port": port, "controller": any_free(), "data": folder / "data"}
        settings.write_text(_PROPERTIES.format(**values))
    (folder / "log4j2.yaml").write_text(_LOGGING)
    if not (folder / "data" / "meta.properties").exists():
        _format(java, settings)
    return [*java[:1], *HEAP, f"-Dlog4j2.configurationFile={folder / 'log4j2.yaml'}", *java[1:], "kafka.Kafka", str(settings)]


def _java(environ: Mapping[str, str]) -> list[str]:
    """Java with Kafka's libraries on its class path."""
    home = environ.get("KAFKA_HOME", "")
    libraries = Path(home).resolve() / "libs"
    if not home or not libraries.is_dir():
        raise StackError(f"KAFKA_HOME={home!r} is not a folder with libs/; set it to an unpacked Apache Kafka 4")
    java = shutil.which("java")
    if java is None:
        raise StackError("Apache Kafka needs Java 17 or later, and no `java` is on PATH; install it, or use --broker embedded")
    return [java, "-cp", f"{libraries}/*"]


def _format(java: list[str], settings: Path) -> None:
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"Kafka's storage cannot be formatted: {(done.stderr or done.stdout).strip()}")
