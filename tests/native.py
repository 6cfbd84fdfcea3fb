"""Objects that crash, hang or cannot be kept, for versions in a process of their own."""

import os
import time
from typing import Any

import numpy as np


class Faulty:
    """Answers 0.5, unless the first number of a row says otherwise: 1 crashes its process, 2 hangs it, 3 raises."""

    def __init__(self, at_start: str = "") -> None:
        self.at_start = at_start

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.at_start:
            os.abort()

    def predict(self, frame: Any) -> Any:
        what = frame["number"][0]
        if what == 1:
            os.abort()
        if what == 2:
            time.sleep(60)
        if what == 3:
            raise ValueError("an odd row")
        return np.full(frame.height, 0.5)
