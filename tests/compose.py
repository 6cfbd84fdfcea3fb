"""docker-compose.yml as the tests read it, and its commands as processes of this machine, where no engine runs."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
SECRETS = {
    "EVERFIT_POSTGRES_PASSWORD": "p'ost \"gres",  # quoted by whoever writes it anywhere
    "EVERFIT_OWNER_PASSWORD": "@wner's/:?",
    "EVERFIT_DAGSTER_PASSWORD": "d@gster/:?",
    "EVERFIT_MLFLOW_PASSWORD": "ml%flow",
    "EVERFIT_SERVING_TOKEN": "a-token-of-its-own",
}
DEADLINE_SECONDS = 240.0

_VARIABLE = re.compile(r"\$\{(\w+):([-?])([^{}]*)\}")
_DEFAULT_OF_A_DEFAULT = re.compile(r"\$\{(\w+):-([^${}]*)(\$\{[^}]*\})([^}]*)\}")
_ENV = re.compile(r"^ENV ((?:.*\\\n)*.*)", re.MULTILINE)


def binary() -> str | None:
    """Compose itself, where it is installed."""
    return shutil.which("docker-compose") or shutil.which(ROOT.parent / "shared" / "bin" / "docker-compose")


def required() -> set[str]:
    """The variables without which the file is refused."""
    return {name for name, kind, _ in _VARIABLE.findall(FILE.read_text()) if kind == "?"}


def composed(environ: Mapping[str, str] = SECRETS) -> dict[str, Any]:
    """The file, its variables filled in."""
    document = yaml.safe_load(FILE.read_text())
    filled: dict[str, Any] = _filled(document, environ)
    return filled


def _filled(part: Any, environ: Mapping[str, str]) -> Any:
    """Filled in after parsing, as Compose does it, so that no value can be read as YAML."""
    match part:
        case dict():
            return {key: _filled(value, environ) for key, value in part.items()}
        case list():
            return [_filled(value, environ) for value in part]
        case str():
            flat = _DEFAULT_OF_A_DEFAULT.sub(lambda v: environ.get(v[1]) or f"{v[2]}{v[3]}{v[4]}", part)
            return _VARIABLE.sub(lambda v: environ.get(v[1]) or (v[3] if v[2] == "-" else ""), flat)
    return part


def image_environment() -> dict[str, str]:
    """What the image sets in its last stage."""
    (told,) = _ENV.findall(DOCKERFILE.read_text().rpartition("\nFROM ")[2])
    return dict(pair.split("=", 1) for pair in told.replace("\\\n", " ").split())


def ours(services: Mapping[str, Any]) -> dict[str, Any]:
    """The services that run everfit's image."""
    return {name: service for name, service in services.items() if "build" in service}


@dataclass
class Here:
    """Services as processes. ``places`` says what stands here for an address or a folder of the containers, ``words`` for a
    host or a port that stands alone."""

    folder: Path
    places: Mapping[str, str]
    words: Mapping[str, str]
    services: dict[str, Any] = field(default_factory=lambda: ours(composed()["services"]))
    running: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)

    def environment(self, name: str) -> dict[str, str]:
        """What the service is given: the image's, then its own; of this machine the PATH alone."""
        own = {key: str(value) for key, value in self.services[name].get("environment", {}).items()}
        given = {key: self.translated(value) for key, value in {**image_environment(), **own}.items()}
        return {**given, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}

    def up(self) -> None:
        """Start each service once those it waits for are healthy, or ended well, until all are."""
        done: set[str] = set()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while done != self.services.keys():
            for name in self.services.keys() - self.running.keys():
                if set(self.services[name].get("depends_on", {})) & self.services.keys() <= done:
                    self.running[name] = self._start(name)
            done |= {name for name in self.running.keys() - done if self._ready(name)}
            assert time.monotonic() < deadline, f"{self.services.keys() - done} did not become healthy; see {self.folder}"
            threading.Event().wait(0.2)

    def run(self, name: str, *command: str) -> "subprocess.CompletedProcess[str]":
        """A command with the environment of a service."""
        given = [self.translated(part) for part in command]
        return subprocess.run(given, env=self.environment(name), cwd=self.folder, capture_output=True, text=True, check=False)

    def down(self) -> None:
        """End them all, with what they started."""
        for process in self.running.values():
            with _gone():
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.running.values():
            with _gone():
                process.wait(timeout=15)
            with _gone():
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self, name: str) -> "subprocess.Popen[bytes]":
        command = [self.translated(part) for part in self.services[name]["command"]]
        with (self.folder / f"{name}.log").open("wb") as log:
            options: dict[str, Any] = {"stdout": log, "stderr": subprocess.STDOUT, "start_new_session": True}
            return subprocess.Popen(command, env=self.environment(name), cwd=self.folder, **options)

    def _ready(self, name: str) -> bool:
        ended = self.running[name].poll()
        assert ended in {None, 0}, f"{name} ended with {ended}: {(self.folder / f'{name}.log').read_text()[-2000:]}"
        if "healthcheck" not in self.services[name]:
            return ended == 0
        kind, *command = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        return self.run(name, *command).returncode == 0

    def translated(self, value: str) -> str:
        """What a value of the containers is on this machine."""
        if value in self.words:
            return self.words[value]
        for there, here in self.places.items():
            value = value.replace(there, here)
        return value


@contextmanager
def _gone() -> Iterator[None]:
    """What has ended by itself need not be ended; what does not end in time is killed next."""
    try:
        yield
    except (ProcessLookupError, subprocess.TimeoutExpired):
        return
