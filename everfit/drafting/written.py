"""Values as they are written in a module."""

import json
from collections.abc import Collection
from typing import Any


def code(value: Any) -> str:
    """A value as Python, its texts in double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(code, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{code(key)}: {code(each)}" for key, each in value.items()) + "}"
    return repr(value)


def free(name: str, taken: Collection[str]) -> str:
    """The name, with a number behind it where it is taken."""
    number, chosen = 2, name
    while chosen in taken:
        chosen, number = f"{name}_{number}", number + 1
    return chosen
