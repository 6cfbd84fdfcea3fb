"""What is registered and served: an ONNX graph and the signature that describes its inputs; where no graph can be, a file of
skops in its place: see :mod:`everfit.training.native_file`.

Input ``numbers`` double[N, Dn] (flags among them as 0 and 1; NaN for null, and for what lies beyond ±1e37), input
``categories`` string[N, Dc] (null is ""), each absent where it would be empty; by its feature's name each text string[N] (null
is "") and each vector float[N, size] (null is NaN). Output of the task's answers, ``score`` double[N] or ``scores``
double[N, K]. Encodings are inside the graph.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from everfit.declaration import Model
from everfit.declaration.input_kinds import NUMERIC, size_of
from everfit.declaration.number_range import LARGEST
from everfit.declaration.values import Value
from everfit.declaration.views import Kind
from everfit.environment.formats import Kept
from everfit.errors import FeatureError, NotServableError
from everfit.training.arrays import Arrays, Floats, names_of, split

if TYPE_CHECKING:
    import polars as pl
    from onnxruntime import InferenceSession


class Signature(Kept, frozen=True):
    """The inputs of a version: the model's features in order, and the id of that schema (``Model.schema_id``).

    ``native`` is None for a graph; for a file of skops, the types that it may hold, as its declaration named them.
    """

    model: str
    features: list[tuple[str, Kind]]
    schema: str
    native: list[str] | None = None

    @classmethod
    def of(cls, model: Model, trusted: Sequence[str] | None = None) -> "Signature":
        """The inputs of a version that is trained by the declaration as it is, by a recipe that trusts these types."""
        native = None if trusted is None else list(trusted)
        return cls(model=model.name, features=model.features, schema=model.schema_id, native=native)

    @property
    def kind(self) -> str:
        """What the version is kept as: ``onnx`` or ``skops``."""
        return "onnx" if self.native is None else "skops"


class Scorer:
    """Answers of one exported model.

    Raises:
        NotServableError: when the bytes are no graph that the runtime loads.
    """

    def __init__(self, onnx: bytes, signature: Signature) -> None:
        self.signature = signature
        self._numbers = names_of(signature.features, *NUMERIC)
        self._categories = names_of(signature.features, "category")
        self._texts = names_of(signature.features, "text")
        self._vectors = {name: size_of(kind) for name, kind in signature.features if size_of(kind)}
        self._session = open_session(onnx)

    def score(self, frame: "pl.DataFrame") -> Floats:
        """Score rows; columns are taken by name and others ignored.

        Returns:
            answers float64[N], or float64[N, K], of the model's task.

        Raises:
            FeatureError: when a feature's column is missing or holds values of another kind than the signature declares.
        """
        return run_session(self._session, split(self.signature.features, frame))

    def score_one(self, features: Mapping[str, Value]) -> float | list[float]:
        """The answer to one row, a number or K numbers, without building a frame.

        Raises:
            FeatureError: when a feature is missing or a number is none.
        """
        import numpy as np

        try:
            values = [features[name] for name in self._numbers]
            numbers = np.array([[np.nan if value is None else value for value in values]], dtype=np.float64)
            numbers[np.abs(numbers) > LARGEST] = np.nan
            categories = np.array([[features[name] or "" for name in self._categories]], dtype=object)
            texts = {name: np.array([features[name] or ""], dtype=object) for name in self._texts}
            vectors = {name: _row(features[name], size) for name, size in self._vectors.items()}
        except KeyError as error:
            raise FeatureError(f"no feature {error.args[0]!r}; {self.signature.model} takes {', '.join(self._all)}") from error
        except (TypeError, ValueError) as error:
            taken = ", ".join([*self._numbers, *self._vectors])
            raise FeatureError(f"{self.signature.model} takes numbers for {taken}: {error}") from error
        answer: float | list[float] = run_session(self._session, Arrays(numbers, categories, texts, vectors))[0].tolist()
        return answer

    @property
    def _all(self) -> list[str]:
        return [name for name, _ in self.signature.features]


def open_session(onnx: bytes) -> "InferenceSession":
    """A session on one thread, as serving runs it.

    Raises:
        NotServableError: when the bytes are no graph that the runtime loads.
    """
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as states

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    broken = (states.Fail, states.InvalidArgument, states.InvalidGraph, states.InvalidProtobuf, states.NotImplemented)
    try:
        return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
    except broken as error:
        raise NotServableError(f"{len(onnx)} bytes are no ONNX graph that the runtime loads: {error}") from error


def run_session(session: "InferenceSession", arrays: Arrays) -> Floats:
    """Answers float64[N], or float64[N, K], to the inputs of N rows."""
    inputs: dict[str, Any] = {**arrays.texts, **arrays.vectors}
    if arrays.numbers.shape[1]:
        inputs["numbers"] = arrays.numbers
    if arrays.categories.shape[1]:
        inputs["categories"] = arrays.categories
    answers: Floats = session.run(None, inputs)[0]
    return answers


def _row(vector: Any, size: int) -> Any:
    """One vector float32[1, size], NaN for null."""
    import numpy as np

    values = np.full(size, np.nan) if vector is None else np.asarray(vector)
    if values.shape != (size,):
        raise ValueError(f"a vector of shape {list(values.shape)} in place of {size} components")
    return values.astype(np.float32)[None]
