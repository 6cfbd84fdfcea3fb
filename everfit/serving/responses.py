"""The form of every response of serving, refusals included."""

from typing import Any

import msgspec
from starlette.responses import Response


def as_json(body: dict[str, Any], status: int = 200) -> Response:
    """A JSON document."""
    return Response(msgspec.json.encode(body), status, media_type="application/json")
