"""What may become the champion: recipes."""

from typing import Annotated

from pydantic import Field

from everfit.declaration.part import Name, Part


class Candidate(Part):
    """A recipe that may become the champion. ``seed`` makes its fits repeatable."""

    name: Name
    seed: int = 0


class GradientBoosting(Candidate):
    """scikit-learn's ``HistGradientBoostingClassifier``."""

    name: Name = "gradient_boosting"
    trees: int = Field(100, ge=1, le=5_000)
    leaves: int = Field(15, ge=2, le=255)
    learning_rate: float = Field(0.1, gt=0, le=1)
    min_leaf_rows: int = Field(20, ge=1)
    l2: float = Field(0.0, ge=0)


class TorchMLP(Candidate):
    """A multilayer perceptron of PyTorch on standardised inputs, trained by AdamW."""

    name: Name = "mlp"
    hidden: tuple[Annotated[int, Field(ge=1, le=4_096)], ...] = (64, 32)
    epochs: int = Field(20, ge=1, le=1_000)
    batch_rows: int = Field(512, ge=1)
    learning_rate: float = Field(2e-3, gt=0, le=1)
    weight_decay: float = Field(1e-3, ge=0)
