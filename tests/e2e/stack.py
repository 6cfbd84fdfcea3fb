"""The embedded stack as a user has it: brought up, driven and taken down by the command line, in a home of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from everfit.environment.settings import Settings
from everfit.stack import ports, processes


@dataclass(slots=True)
class Stack:
    """A running stack and the environment that its commands want."""

    environment: Mapping[str, str]
    home: Path

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command of ``everfit``, whatever becomes of it."""
        command = [sys.executable, "-m", "everfit.cli.main", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def json(self, *arguments: str) -> Any:
        """A command that must succeed, and its one document."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def settings(self) -> Settings:
        """Where its services answer."""
        return Settings.load({"EVERFIT_HOME": str(self.home)})


@contextmanager
def running(home: Path, *, models: str, **environment: str) -> Iterator[Stack]:
    """A stack on free ports with the models of a package; nothing of it is left afterwards."""
    free = {variable: str(ports.any_free()) for variable in ports.VARIABLES.values()}
    own = {"EVERFIT_HOME": str(home), "EVERFIT_MODELS": models}
    stack = Stack({**os.environ, **free, **own, **environment}, home)
    try:
        up = stack.run("up")
        assert up.returncode == 0, up.stderr
        yield stack
    finally:
        assert stack.run("down").returncode == 0
        assert processes.stack_processes(home) == []
