"""Training of a PyTorch module by passes over the rows in mini-batches, which goes on where a checkpoint was saved.

All that decides the next step is in the checkpoint: weights and buffers, the optimizer's moments, the states of both random
generators, the position in the pass, and what early stopping remembers. So a training that was interrupted ends with the same
bits as one that was not.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from everfit.declaration.fit_context import Report, silent
from everfit.training.checkpoint import Checkpoint
from everfit.training.early_stopping import EarlyStopping

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(slots=True, kw_only=True)
class Epochs:
    """A training: what is minimised, how, and how far it is.

    Attributes:
        loss_of: the mean loss of rows int64[B], with its gradient.
        rows: how many there are.
        least_rows: of a pass's last batch; fewer are added to the batch before.
        generator: draws the order of each pass. What a module draws itself, as dropout does, it draws globally.
        schedule: of the share of steps that are done, from 0 to 1, makes what the learning rate is multiplied by.
        checkpoint_seconds: at least so long between two checkpoints; None for one after each pass.
        epoch: passes that are done; ``batch`` are those of the next that are.
    """

    module: "torch.nn.Module"
    optimizer: "torch.optim.Optimizer"
    loss_of: "Callable[[Tensor], Tensor]"
    rows: int
    epochs: int
    batch_rows: int
    least_rows: int = 1
    generator: "torch.Generator"
    schedule: Callable[[float], float] | None = None
    stopping: EarlyStopping | None = None
    checkpoint: Checkpoint | None = None
    checkpoint_seconds: float | None = None
    report: Report = silent
    epoch: int = 0
    batch: int = 0
    _rates: list[float] = field(init=False)
    _drawn_from: "Tensor" = field(init=False)
    _saved: float = field(init=False)

    def run(self) -> None:
        """Train to the end, from the last checkpoint where there is one."""
        import torch

        self._rates = [group["lr"] for group in self.optimizer.param_groups]
        self._drawn_from = self.generator.get_state()
        self._saved = time.monotonic()
        with torch.random.fork_rng(devices=[]):
            self._restore()
            while not self._is_over():
                self._pass()
        if self.stopping:
            self.stopping.restore(self.module)

    def _is_over(self) -> bool:
        return self.epoch >= self.epochs or bool(self.stopping and self.stopping.is_over(self.epoch))

    def _pass(self) -> None:
        import torch

        order = torch.randperm(self.rows, generator=self.generator)
        batches = [*torch.split(order, self.batch_rows)]
        if len(batches) > 1 and len(batches[-1]) < self.least_rows:
            batches[-2:] = [torch.cat(batches[-2:])]
        steps, losses = self.epochs * len(batches), 0.0
        for taken, rows in enumerate(batches[self.batch :], start=1):
            done = self.epoch * len(batches) + self.batch
            losses += self._step(rows, done / steps)
            self.batch += 1
            if self.batch == len(batches):
                self._end_pass()
            elif self.checkpoint_seconds is not None:
                self._save_when_old(self.checkpoint_seconds)
            self.report(done + 1, steps, losses / taken)

    def _step(self, rows: "Tensor", done: float) -> float:
        if self.schedule:
            for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
                group["lr"] = rate * self.schedule(done)
        self.optimizer.zero_grad()
        loss = self.loss_of(rows)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.item()

    def _end_pass(self) -> None:
        self.epoch, self.batch = self.epoch + 1, 0
        self._drawn_from = self.generator.get_state()
        if self.stopping:
            self.stopping.look(self.module, self.epoch)
        self._save_when_old(0.0 if self.checkpoint_seconds is None or self._is_over() else self.checkpoint_seconds)

    def _save_when_old(self, seconds: float) -> None:
        if self.checkpoint and time.monotonic() - self._saved >= seconds:
            self._save(self.checkpoint)
            self._saved = time.monotonic()

    def _save(self, checkpoint: Checkpoint) -> None:
        import torch

        moments = self.optimizer.state_dict()["state"]
        tensors = {f"module.{name}": value for name, value in self.module.state_dict().items()}
        tensors |= {"order": self._drawn_from, "drawn": torch.get_rng_state()}
        state: dict[str, Any] = {"epoch": self.epoch, "batch": self.batch, "moments": {}}
        for at, named in moments.items():
            held = {name: value for name, value in named.items() if torch.is_tensor(value)}
            tensors |= {f"moments.{at}.{name}": value for name, value in held.items()}
            state["moments"][str(at)] = {name: value for name, value in named.items() if name not in held}
        if self.stopping:
            tensors |= {f"best.{name}": value for name, value in self.stopping.best.items()}
            state |= {"best_loss": self.stopping.best_loss, "best_epoch": self.stopping.best_epoch}
        checkpoint.save(tensors, state)

    def _restore(self) -> None:
        import torch

        found = self.checkpoint.load() if self.checkpoint else None
        if found is None:
            return
        tensors, state = found
        self.module.load_state_dict(_under(tensors, "module."))
        moments = {int(at): dict(plain) for at, plain in state["moments"].items()}
        for name, value in _under(tensors, "moments.").items():
            at, _, moment = name.partition(".")
            moments[int(at)][moment] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        self._drawn_from = tensors["order"]
        self.generator.set_state(self._drawn_from)
        torch.set_rng_state(tensors["drawn"])
        self.epoch, self.batch = state["epoch"], state["batch"]
        if self.stopping:
            self.stopping.best = _under(tensors, "best.")
            self.stopping.best_loss, self.stopping.best_epoch = state["best_loss"], state["best_epoch"]


def _under(tensors: "dict[str, Tensor]", prefix: str) -> "dict[str, Tensor]":
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
