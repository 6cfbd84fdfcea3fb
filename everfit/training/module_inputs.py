"""What a module of PyTorch is given of the rows, and the same as nodes of an ONNX graph.

By name, each absent where it would be empty: ``numbers`` float32[N, Dn], numbers and flags standardised by the training rows,
clipped to ±10 and 0 where missing; ``missing`` float32[N, Dn], 1 where a number is missing, for modules that take it;
``categories`` int64[N, Dc], 0 for null and for what training has not seen; each vector by its feature's name, float32[N, size],
0 where missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from everfit.declaration.input_kinds import NUMERIC, size_of
from everfit.training.arrays import Arrays, Features, names_of
from everfit.training.encoding import Encoding
from everfit.training.network import standardised, standardised_in

if TYPE_CHECKING:
    import torch

MISSING = "missing"


@dataclass(frozen=True, slots=True)
class ModuleInputs:
    """The sizes that a module is made for.

    Attributes:
        numbers: names of the numbers and flags, the columns of ``numbers``.
        categories: the number of codes of each category, the columns of ``categories``; as many rows an embedding needs.
        vectors: the length of each vector.
        outputs: how many raw values the module returns for a row: float32[N] or [N, 1] where it is 1, else [N, outputs].
    """

    numbers: Sequence[str]
    categories: Mapping[str, int]
    vectors: Mapping[str, int]
    outputs: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class ModuleEncoding:
    """From arrays to a module's inputs, as learnt from training rows."""

    features: Features
    encoding: Encoding

    @classmethod
    def fit(cls, features: Features, arrays: Arrays) -> "ModuleEncoding":
        """Learn centre and scale of numbers and the vocabularies of categories."""
        learnt = Encoding.fit(arrays.numbers, arrays.categories)
        known = tuple(tuple(value for value in vocabulary if value) for vocabulary in learnt.vocabularies)
        return cls(features, Encoding(known, learnt.means, learnt.scales))

    def sizes(self, outputs: int) -> ModuleInputs:
        """What a module is made for."""
        categories = zip(names_of(self.features, "category"), self.encoding.vocabularies, strict=True)
        return ModuleInputs(
            numbers=names_of(self.features, *NUMERIC),
            categories={name: len(vocabulary) + 1 for name, vocabulary in categories},
            vectors={name: size_of(kind) for name, kind in self.features if size_of(kind)},
            outputs=outputs,
        )

    def arrays(self, arrays: Arrays) -> dict[str, Any]:
        """The inputs of N rows, by name."""
        inputs: dict[str, Any] = {}
        if arrays.numbers.shape[1]:
            numbers, missing = standardised(self.encoding, arrays.numbers)
            inputs |= {"numbers": numbers.astype(np.float32), MISSING: missing.astype(np.float32)}
        if arrays.categories.shape[1]:
            inputs["categories"] = np.nan_to_num(self.encoding.codes(arrays.categories) + 1).astype(np.int64)
        return inputs | {name: np.nan_to_num(vector) for name, vector in arrays.vectors.items()}

    def tensors(self, arrays: Arrays) -> "dict[str, torch.Tensor]":
        """As :meth:`arrays`, for PyTorch."""
        import torch

        return {name: torch.from_numpy(values) for name, values in self.arrays(arrays).items()}

    def zeros(self, rows: int) -> "dict[str, torch.Tensor]":
        """Inputs of so many rows without anything in them."""
        numbers = np.zeros((rows, len(self.encoding.means)))
        categories = np.full((rows, len(self.encoding.vocabularies)), "", dtype=object)
        vectors = {name: np.zeros((rows, size_of(kind)), np.float32) for name, kind in self.features if size_of(kind)}
        return self.tensors(Arrays(numbers, categories, {}, vectors))

    def nodes(self, graph: Any) -> dict[str, str]:
        """The same inputs in a graph: the name there of each."""
        made: dict[str, str] = {}
        if len(self.encoding.means):
            made["numbers"], made[MISSING] = standardised_in(graph, self.encoding, "numbers")
        codes = [_codes_in(graph, at, vocabulary) for at, vocabulary in enumerate(self.encoding.vocabularies)]
        if codes:
            made["categories"] = graph.add("Concat", *codes, axis=1)
        for name, kind in self.features:
            if size_of(kind):
                zero = graph.constant(np.float32(0))
                made[name] = graph.add("Where", graph.add("IsNaN", name), zero, name)
        return made


def _codes_in(graph: Any, column: int, vocabulary: tuple[str, ...]) -> str:
    codes = np.arange(1, len(vocabulary) + 1, dtype=np.int64) if vocabulary else np.zeros(1, dtype=np.int64)
    name: str = graph.category(column, vocabulary or ("",), codes, 0)
    return name
