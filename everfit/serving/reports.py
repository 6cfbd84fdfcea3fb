"""Evidently's reports of alarms for a browser: HTML objects of the lake by their digest."""

import asyncio
import re

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from everfit.errors import MissingObjectError
from everfit.store.lake import Lake

REPORTS = "/reports/"
DIGEST = re.compile(r"[0-9a-f]{64}")
# A report contains data from requests: its scripts run in an origin of their own, and cannot reach serving.
# Its name is the hash of its content, so a browser may cache it.
HEADERS = {
    "Content-Security-Policy": "sandbox allow-scripts allow-downloads",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, max-age=31536000, immutable",
}


class Reports:
    """The endpoint over a lake; it serves only HTML objects."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    async def report(self, request: Request) -> Response:
        """A report.

        Raises:
            MissingObjectError: when the path is not a digest, or the lake has no HTML of that name.
        """
        digest = request.path_params["digest"]
        if not DIGEST.fullmatch(digest):
            raise MissingObjectError(f"{digest!r} is not the name of a report: a name is a SHA-256, 64 digits of 0-9 and a-f")
        try:
            return HTMLResponse(await asyncio.to_thread(self._lake.get, digest, "html"), headers=HEADERS)
        except MissingObjectError as error:
            raise MissingObjectError(f"no report {digest} in the lake; does serving read the sensor's EVERFIT_LAKE?") from error
