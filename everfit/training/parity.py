"""Does the exported graph answer as the fitted model does? It is checked in a process of its own.

A runtime that crashes on a graph takes only that process with it. ``python -m everfit.training.parity FOLDER`` reads
``model.onnx`` and the inputs there, writes ``scores.npy`` and prints the latency of one-row answers as JSON.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from everfit.declaration.input_kinds import size_of
from everfit.errors import NotServableError, RecipeError
from everfit.training.arrays import Arrays, Features, Floats, names_of, split
from everfit.training.artifact import Signature, open_session, run_session
from everfit.training.latency import ROWS, WIDTH, Latency, measure, reference_session

if TYPE_CHECKING:
    import polars as pl

TIMEOUT_SECONDS = 120
UNKNOWN = "\N{SNOWMAN} never seen"
CLOSE, FAR, ROWS_A_SPLIT = 1e-5, 1e-3, 10_000
NATIVE_ROWS = 10  # that are timed of a process of its own, which takes milliseconds for each
HOSTILE_ROWS = 50  # rows of the holdout that are answered again, each feature in turn null or unknown


@dataclass(frozen=True, slots=True)
class Parity:
    """``difference`` is the largest over ``rows`` answers; ``latency`` is that of one-row answers."""

    rows: int
    difference: float
    latency: Latency


class _Words(msgspec.Struct):
    """The categories by row, the texts by their names, and the names of the vectors."""

    categories: list[list[str]]
    texts: dict[str, list[str]]
    vectors: list[str]


def check_parity(
    content: bytes,
    signature: Signature,
    frame: "pl.DataFrame",
    predict: "Callable[[pl.DataFrame], Floats]",
    spread: float = 1.0,
) -> Parity:
    """Compare ``content`` on all rows of ``frame`` and on rows derived from it with nulls and unknown categories.

    They may be at most :data:`CLOSE` apart, in one row of :data:`ROWS_A_SPLIT` at most :data:`FAR`: there rounding to float32
    moved a value across a tree's split. Both are in units of ``spread``; see :meth:`everfit.declaration.tasks.Task.spread`.

    Raises:
        NotServableError: when the graph does not load, crashes, or answers differently; the message has the worst row.
        RecipeError: when its output is not of the answers' shape.
    """
    import polars as pl

    tested = pl.concat([frame.select(name for name, _ in signature.features), *hostile(signature.features, frame)])
    native = predict(tested)
    scores, latency = _answers(content, signature, tested)
    return Parity(tested.height, largest_difference(signature, tested, scores, native, spread), latency)


def largest_difference(
    signature: Signature, tested: "pl.DataFrame", scores: Floats, native: Floats, spread: float = 1.0
) -> float:
    """How far the answers of what is exported are from the native ones, at the most; bounded as :func:`check_parity` says.

    Raises:
        NotServableError: when they are further apart; the message has the worst row.
        RecipeError: when they are not of the same shape.
    """
    import numpy as np

    if scores.shape != native.shape or scores.dtype.kind != "f":
        got, wanted = f"{scores.dtype}{list(scores.shape)}", f"float64{list(native.shape)}"
        raise RecipeError(
            f"{signature.model}: the exported graph answers {got} to {len(native)} rows; its output must be {wanted}"
        )
    differences = np.where(np.isfinite(scores) & np.isfinite(native), np.abs(scores - native), np.inf)
    differences = differences.reshape(len(native), -1).max(axis=1)
    worst = int(differences.argmax())
    apart = int((differences > CLOSE * spread).sum())
    if differences[worst] > FAR * spread or apart * ROWS_A_SPLIT > len(native):
        got, wanted = _shown(scores[worst]), _shown(native[worst])
        raise NotServableError(
            f"{signature.model}: the exported graph answers {got} where the model answers {wanted} "
            f"(row {worst} of {len(native)}: {tested.row(worst, named=True)}); {apart} rows differ by more than "
            f"{CLOSE * spread:g}, allowed are one in {ROWS_A_SPLIT:,} and {FAR * spread:g} at most; it must not serve"
        )
    return float(differences[worst])


def _shown(answer: Any) -> str:
    """An answer of one number or several, for a message."""
    numbers = answer.reshape(-1).tolist()
    return ", ".join(f"{number:.6f}" for number in numbers)


def hostile(features: Features, frame: "pl.DataFrame") -> "list[pl.DataFrame]":
    """The first rows once more: each feature null, each category and text unknown, each vector 0, and everything null."""
    return [*hostile_blocks(features, frame).values()]


def hostile_blocks(features: Features, frame: "pl.DataFrame") -> "dict[str, pl.DataFrame]":
    """As :func:`hostile`, by what is unusual in each, in words."""
    import polars as pl

    head = frame.select(name for name, _ in features).head(HOSTILE_ROWS)
    null = {name: pl.lit(None, dtype=head.schema[name]).alias(name) for name, _ in features}
    blocks = {f"where {name} is null": head.with_columns(expression) for name, expression in null.items()}
    for name in names_of(features, "category", "text"):
        blocks[f"where {name} was never seen"] = head.with_columns(pl.lit(UNKNOWN).alias(name))
    for name, kind in features:
        if size := size_of(kind):
            blocks[f"where {name} is 0"] = head.with_columns(_zeros(name, size))
    return blocks | {"where everything is null": head.head(1).with_columns(*null.values())}


def _zeros(name: str, size: int) -> "pl.Expr":
    import polars as pl

    return pl.lit([0.0] * size, dtype=pl.Array(pl.Float32, size)).alias(name)


def _answers(content: bytes, signature: Signature, frame: "pl.DataFrame") -> tuple[Floats, Latency]:
    """What is exported answers, and its latency."""
    if signature.native is None:
        return _graph_answers(content, signature.features, frame)
    from everfit.training.native_scorer import NativeScorer

    scorer = NativeScorer(content, signature)
    rows = frame.head(NATIVE_ROWS).to_dicts()
    answers, reference = scorer.score(frame), _reference()
    return answers, measure(lambda row: scorer.score_one(rows[row]), reference, rows=len(rows))


def _graph_answers(onnx: bytes, features: Features, frame: "pl.DataFrame") -> tuple[Floats, Latency]:
    """Answers float64[N], or float64[N, K], of the graph and its latency, from a process of its own."""
    import numpy as np

    arrays = split(features, frame)
    with tempfile.TemporaryDirectory(prefix="everfit-parity-") as folder:
        (Path(folder) / "model.onnx").write_bytes(onnx)
        write_inputs(Path(folder), arrays)
        command = [sys.executable, "-m", __name__, folder]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise NotServableError(
                f"the exported graph gave no answer to {frame.height} rows in {TIMEOUT_SECONDS} s"
            ) from error
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise NotServableError(f"the exported graph ended its process with exit code {done.returncode}: {last}")
        return np.load(Path(folder) / "scores.npy", allow_pickle=False), Latency(**json.loads(done.stdout))


def write_inputs(folder: Path, arrays: Arrays) -> None:
    """Leave the inputs for :func:`read_inputs`.

    Texts are written at their own length: an array of numpy's texts gives each as much room as the longest of all needs.
    """
    import numpy as np

    np.savez(folder / "floats.npz", arrays.numbers, *arrays.vectors.values())
    texts = {name: column.tolist() for name, column in arrays.texts.items()}
    words = _Words(arrays.categories.tolist(), texts, list(arrays.vectors))
    (folder / "words.json").write_bytes(msgspec.json.encode(words))


def read_inputs(folder: Path) -> Arrays:
    """What :func:`write_inputs` left."""
    import numpy as np

    words = msgspec.json.decode((folder / "words.json").read_bytes(), type=_Words)
    with np.load(folder / "floats.npz", allow_pickle=False) as floats:
        numbers, *vectors = floats.values()
    categories = np.empty((len(numbers), len(words.categories[0]) if words.categories else 0), dtype=object)
    for at, row in enumerate(words.categories):
        categories[at] = row
    texts = {name: np.array(column, dtype=object) for name, column in words.texts.items()}
    return Arrays(numbers, categories, texts, dict(zip(words.vectors, vectors, strict=True)))


def _row(arrays: Arrays, row: int) -> Arrays:
    one = slice(row, row + 1)
    texts, vectors = ({name: column[one] for name, column in named.items()} for named in (arrays.texts, arrays.vectors))
    return Arrays(arrays.numbers[one], arrays.categories[one], texts, vectors)


def _reference() -> Callable[[], Floats]:
    """The fixed work beside which a latency is measured."""
    import numpy as np

    session, fixed = reference_session(), Arrays(np.ones((1, WIDTH)), np.empty((1, 0), dtype=object))
    return lambda: run_session(session, fixed)


def _main(folder: Path) -> None:
    import numpy as np

    session = open_session((folder / "model.onnx").read_bytes())
    arrays = read_inputs(folder)
    np.save(folder / "scores.npy", run_session(session, arrays))
    rows = [_row(arrays, row) for row in range(min(ROWS, len(arrays.numbers)))]
    latency = measure(lambda row: run_session(session, rows[row]), _reference(), rows=len(rows))
    sys.stdout.write(json.dumps(asdict(latency)))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
