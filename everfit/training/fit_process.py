"""A fit in a process of its own: one that hangs, eats memory or crashes ends alone, and several run side by side."""

import multiprocessing
import os
import signal
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import psutil

from everfit.declaration.recipes import Recipe
from everfit.errors import RecipeError
from everfit.training import fit_worker
from everfit.training.arrays import Floats
from everfit.training.fit_failure import raised
from everfit.training.fit_worker import Reply, Request

if TYPE_CHECKING:
    import polars as pl

LOADED: tuple[str, ...] = ("polars", "pyarrow.ipc", "everfit.training.recipe_fit", "everfit.environment.project_folder")
LOOK_SECONDS = 0.25  # between two looks at the memory
START_SECONDS = 120.0  # at least this much for a process to start, which says nothing of the fit


class FitLimits(NamedTuple):
    """What fits may take: ``seconds`` for each of fit, predict and export, and ``memory_bytes`` for all at once."""

    seconds: float
    memory_bytes: int


class FitProcess:
    """A fitted recipe in its process, which answers and exports as :class:`everfit.training.checked_fit.CheckedFit` does.

    Every call raises what the recipe raises, and :class:`RecipeError` where it takes too long or too much memory, or ends its
    process.
    """

    def __init__(
        self, recipe: Recipe, content: bytes, folder: Path, limits: FitLimits, beside: "Collection[FitProcess]" = ()
    ) -> None:
        """Start it.

        Args:
            recipe: what is fitted.
            content: of :func:`packed`.
            folder: for the rows that it is to answer.
            limits: what it may take, the memory together with those ``beside`` it.
            beside: the processes that run now.
        """
        self._recipe = recipe
        self._folder = folder
        self._limits = limits
        self._beside = beside
        self.used_bytes = 0
        self.notes: Sequence[str] = ()
        self.parent: int | None = None
        context = multiprocessing.get_context("forkserver")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=fit_worker.serve, args=(theirs, content), name=f"fit of {recipe.name}")
        self._process.start()
        theirs.close()

    def unread(self) -> str:
        """Why the recipe cannot be imported there; empty where it is."""
        return self._reply("start").unread

    def fit(self, rows: Path) -> None:
        """Fit on the rows of a file, as :func:`everfit.training.recipe_fit.fit_recipe` does."""
        reply, _ = self._ask(Request("fit", str(rows)))
        self.notes, self.parent = reply.notes, reply.parent

    def predict(self, frame: "pl.DataFrame") -> Floats:
        """The answers, as a checked fit gives them."""
        import numpy as np

        file = self._folder / f"{self._process.pid}.arrow"
        frame.write_ipc(file)
        reply, content = self._ask(Request("predict", str(file)))
        file.unlink()
        answers: Floats = np.frombuffer(bytearray(content), dtype=np.float64).reshape(reply.shape or ())
        return answers

    def export(self) -> bytes:
        """What is registered and served."""
        return self._ask(Request("export"))[1]

    def end(self) -> None:
        """End the process, and all that it has started."""
        self.kill()
        self._process.join()
        self._connection.close()

    def kill(self) -> None:
        """End it while another thread awaits an answer, which learns that the process has ended."""
        pid = self._process.pid
        assert pid is not None
        with suppress(ProcessLookupError):  # it has ended, or has no group of its own yet
            os.killpg(pid, signal.SIGKILL)
        self._process.kill()

    def _ask(self, request: Request) -> tuple[Reply, bytes]:
        try:
            self._connection.send_bytes(msgspec.json.encode(request))
        except BrokenPipeError:
            raise self._ended(request.call) from None
        reply = self._reply(request.call)
        if reply.failure and reply.failure.is_of_memory:
            asked = f"{request.call} asks for more memory than there is: {reply.failure.message}"
            raise self._error(f"{asked}; let it take less, or train on a shorter history")
        if reply.failure:
            raise raised(reply.failure)
        return reply, self._received(request.call)

    def _reply(self, call: str) -> Reply:
        began = time.monotonic()
        while not self._connection.poll(LOOK_SECONDS):
            self._require_within(call, time.monotonic() - began)
        return msgspec.json.decode(self._received(call), type=Reply)

    def _received(self, call: str) -> bytes:
        try:
            return self._connection.recv_bytes()
        except (EOFError, ConnectionResetError):
            raise self._ended(call) from None

    def _require_within(self, call: str, seconds: float) -> None:
        """Refuse what takes longer, or more memory, than a fit may."""
        limit = max(self._limits.seconds, START_SECONDS) if call == "start" else self._limits.seconds
        if seconds > limit:
            raise self._error(
                f"{call} is not done after {limit:g} s and was ended; make it faster, or declare "
                "TrainingWindow(max_fit=…) longer"
            )
        self.used_bytes = resident_bytes(self._process.pid)
        running = [self.used_bytes, *(process.used_bytes for process in list(self._beside) if process is not self)]
        if sum(running) > self._limits.memory_bytes and self.used_bytes == max(running):
            raise self._error(
                f"{call} takes {self.used_bytes / 2**20:,.0f} MiB of memory, where all fits may take "
                f"{self._limits.memory_bytes / 2**20:,.0f} MiB, and was ended; let it take less, "
                "train on a shorter history, or declare TrainingWindow(max_fit_memory=…) higher"
            )

    def _ended(self, call: str) -> RecipeError:
        self._process.join(1)
        code = self._process.exitcode or 0
        if code >= 0:
            return self._error(f"{call} ended its process with exit code {code}; a recipe returns or raises")
        name = signal.Signals(-code).name
        memory = "; the machine may have been out of memory" if -code == signal.SIGKILL else ""
        return self._error(f"{call} ended its process by {name}{memory}; look for the fault in what it calls")

    def _error(self, what: str) -> RecipeError:
        return RecipeError(f"recipe {self._recipe.name}: {what}")


def load(recipes: Iterable[Recipe]) -> None:
    """Let the process whose forks the fits are start now, and load what they need. The first call in a process counts."""
    packages = dict.fromkeys([*LOADED, *(package for recipe in recipes for package in recipe.packages)])
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(packages))
    forkserver.ensure_running()


def resident_bytes(pid: int | None) -> int:
    """The resident memory of a process and its children; 0 where it has ended."""
    try:
        process = psutil.Process(pid)
        return sum(_resident(each) for each in [process, *process.children(recursive=True)])
    except psutil.NoSuchProcess:
        return 0


def _resident(process: psutil.Process) -> int:
    memory = process.memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))  # rows that are mapped from a file are no memory of its own


def packed(recipe: Recipe, arguments: Mapping[str, Any]) -> bytes:
    """The recipe and the arguments of its fit, for the process that fits it.

    Raises:
        Exception: when one of them is no object of a module that can be imported, such as a lambda.
    """
    return bytes(ForkingPickler.dumps((recipe, dict(arguments))))
