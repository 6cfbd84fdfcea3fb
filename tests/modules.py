"""Modules of PyTorch as users bring them, small."""

from typing import Any

import torch
from torch import nn


def vectors(inputs: Any) -> nn.Module:
    """A module with an embedding and a vector, with dropout and statistics of batches."""

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.carriers = nn.Embedding(inputs.categories["carrier"], 3)
            width = 2 * len(inputs.numbers) + 3 + inputs.vectors["embedding"]
            self.first, self.norm, self.drop = nn.Linear(width, 8), nn.BatchNorm1d(8), nn.Dropout(0.2)
            self.last = nn.Linear(8, inputs.outputs)

        def forward(self, numbers: Any, missing: Any, categories: Any, embedding: Any) -> Any:
            given = torch.cat([numbers, missing, self.carriers(categories[:, 0]), embedding], dim=1)
            return self.last(self.drop(self.norm(self.first(given)).relu())).squeeze(1)

    return Network()


def linear(inputs: Any) -> nn.Module:
    """A linear model of the numbers alone."""

    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(len(inputs.numbers), inputs.outputs)

        def forward(self, numbers: Any, **others: Any) -> Any:
            return self.layer(numbers)

    return Linear()


def momentum(parameters: Any, learning_rate: float) -> torch.optim.Optimizer:
    """An optimizer of one's own."""
    return torch.optim.SGD(parameters, lr=learning_rate, momentum=0.9)


def falling(done: float) -> float:
    """A learning rate that falls to 0."""
    return 1 - done


def huber(raw: Any, labels: Any) -> Any:
    """A loss of one's own."""
    return nn.functional.huber_loss(raw, labels, reduction="none")
