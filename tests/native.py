"""An object that crashes, hangs or raises, for versions in a process of their own."""

import os
import time
from typing import Any

import numpy as np

from everfit import Model
from everfit.registry import Artifact
from everfit.training.artifact import Signature
from everfit.training.native_file import dumped

FAULTY = "tests.native.Faulty"


class Faulty:
    """Answers 0.5, unless a row's ``column`` says otherwise: 1 crashes its process, 2 hangs it, 3 raises."""

    def __init__(self, column: str, *, loads: bool = True) -> None:
        self.column, self.loads = column, loads

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if not self.loads:
            os.abort()

    def predict(self, frame: Any) -> Any:
        what = frame[self.column][0]
        if what == 1:
            os.abort()
        if what == 2:
            time.sleep(60)
        if what == 3:
            raise ValueError("an odd row")
        return np.full(frame.height, 0.5)


def faulty_artifact(model: Model, column: str, *, loads: bool = True) -> Artifact:
    """A version of what the model declares now that is such an object."""
    content = dumped(Faulty(column, loads=loads), [FAULTY], "faulty")
    return Artifact(content, Signature.of(model, [FAULTY]), {})
