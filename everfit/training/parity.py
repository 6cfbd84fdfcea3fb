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

from everfit.errors import NotServableError, RecipeError
from everfit.training.arrays import Features, Floats, split
from everfit.training.artifact import Signature, open_session, run_session
from everfit.training.latency import ROWS, WIDTH, Latency, measure, reference_session

if TYPE_CHECKING:
    import polars as pl

TIMEOUT_SECONDS = 120
UNKNOWN = "\N{SNOWMAN} never seen"
HOSTILE_ROWS = 50  # rows of the holdout that are answered again, each feature in turn null or unknown


@dataclass(frozen=True, slots=True)
class Parity:
    """``difference`` is the largest over ``rows`` answers; ``latency`` is that of one-row answers."""

    rows: int
    difference: float
    latency: Latency


def check_parity(
    onnx: bytes,
    signature: Signature,
    frame: "pl.DataFrame",
    predict: "Callable[[pl.DataFrame], Floats]",
    tolerance: float = 1e-5,
    spread: float = 1.0,
) -> Parity:
    """Compare on all rows of ``frame`` and on rows derived from it with nulls and unknown categories.

    ``tolerance`` is in units of ``spread``; see :meth:`everfit.declaration.tasks.Task.spread`.

    Raises:
        NotServableError: when the graph does not load, crashes, or answers differently; the message has the worst row.
        RecipeError: when its output is not of the answers' shape.
    """
    import numpy as np
    import polars as pl

    tested = pl.concat([frame.select(name for name, _ in signature.features), *hostile(signature.features, frame)])
    native = predict(tested)
    scores, latency = _answers(onnx, signature.features, tested)
    if scores.shape != native.shape or scores.dtype.kind != "f":
        got, wanted = f"{scores.dtype}{list(scores.shape)}", f"float64{list(native.shape)}"
        raise RecipeError(
            f"{signature.model}: the exported graph answers {got} to {len(native)} rows; its output must be {wanted}"
        )
    allowed = tolerance * spread
    differences = np.where(np.isfinite(scores) & np.isfinite(native), np.abs(scores - native), np.inf)
    worst = int(differences.argmax())
    if differences[worst] > allowed:
        raise NotServableError(
            f"{signature.model}: the exported graph answers {scores[worst]:.6f} where the model answers {native[worst]:.6f} "
            f"(row {worst} of {len(native)}: {tested.row(worst, named=True)}); allowed are {allowed:g}; it must not serve"
        )
    return Parity(tested.height, float(differences[worst]), latency)


def hostile(features: Features, frame: "pl.DataFrame") -> "list[pl.DataFrame]":
    """The first rows once more: with each feature null, each category unknown, and everything null."""
    import polars as pl

    head = frame.select(name for name, _ in features).head(HOSTILE_ROWS)
    null = {name: pl.lit(None, dtype=head.schema[name]).alias(name) for name, _ in features}
    blocks = [head.with_columns(expression) for expression in null.values()]
    blocks += [head.with_columns(pl.lit(UNKNOWN).alias(name)) for name, kind in features if kind == "category"]
    return [*blocks, head.head(1).with_columns(*null.values())]


def _answers(onnx: bytes, features: Features, frame: "pl.DataFrame") -> tuple[Floats, Latency]:
    """Scores float64[N] of the graph and its latency, from a process of its own."""
    import numpy as np

    numbers, categories = split(features, frame)
    with tempfile.TemporaryDirectory(prefix="everfit-parity-") as folder:
        (Path(folder) / "model.onnx").write_bytes(onnx)
        write_inputs(Path(folder), numbers, categories)
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


def write_inputs(folder: Path, numbers: Floats, categories: Any) -> None:
    """Leave numbers float64[N, Dn] and categories str[N, Dc] for :func:`read_inputs`.

    Texts are written at their own length: an array of numpy's texts gives each as much room as the longest of all needs.
    """
    import numpy as np

    np.save(folder / "numbers.npy", numbers)
    (folder / "categories.json").write_bytes(msgspec.json.encode(categories.tolist()))


def read_inputs(folder: Path) -> tuple[Floats, Any]:
    """What :func:`write_inputs` left."""
    import numpy as np

    numbers = np.load(folder / "numbers.npy", allow_pickle=False)
    rows = msgspec.json.decode((folder / "categories.json").read_bytes(), type=list[list[str]])
    categories = np.empty((len(rows), len(rows[0]) if rows else 0), dtype=object)
    for at, row in enumerate(rows):
        categories[at] = row
    return numbers, categories


def _main(folder: Path) -> None:
    import numpy as np

    session = open_session((folder / "model.onnx").read_bytes())
    numbers, categories = read_inputs(folder)
    np.save(folder / "scores.npy", run_session(session, numbers, categories))
    reference, fixed = reference_session(), np.ones((1, WIDTH))
    latency = measure(
        lambda row: run_session(session, numbers[row : row + 1], categories[row : row + 1]),
        lambda: run_session(reference, fixed, categories[:1, :0]),
        rows=min(ROWS, len(numbers)),
    )
    sys.stdout.write(json.dumps(asdict(latency)))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
