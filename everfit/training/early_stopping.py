"""Early stopping on the newest of the rows, which are not learnt from."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from everfit.errors import FeatureError

if TYPE_CHECKING:
    from torch import Tensor, nn


def older(rows: int) -> int:
    """How many rows are learnt from: all but the newest tenth.

    Raises:
        FeatureError: when there is but one.
    """
    if rows < 2:
        raise FeatureError(f"{rows} row is too few to stop early by the newest; leave early_stopping out")
    return rows - max(1, rows // 10)


@dataclass(slots=True)
class EarlyStopping:
    """Ends a training after ``patience`` passes without a better loss of the tail, and gives the best weights back.

    ``tail_loss`` is of the weights as they are.
    """

    tail_loss: Callable[[], float]
    patience: int
    best_loss: float | None = None
    best_epoch: int = 0
    best: "dict[str, Tensor]" = field(default_factory=dict)

    def look(self, module: "nn.Module", epoch: int) -> None:
        """Keep the weights after that many passes, where they are better than all before."""
        loss = self.tail_loss()
        if math.isfinite(loss) and (self.best_loss is None or loss < self.best_loss):
            self.best_loss, self.best_epoch = loss, epoch
            self.best = {name: value.detach().clone() for name, value in module.state_dict().items()}

    def is_over(self, epoch: int) -> bool:
        """Whether it is ``patience`` passes since the best."""
        return epoch - self.best_epoch >= self.patience

    def restore(self, module: "nn.Module") -> None:
        """Give the best weights back; the last ones stay where no loss was finite."""
        if self.best:
            module.load_state_dict(self.best)
