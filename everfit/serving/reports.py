"""Evidently's reports of alarms, for a browser: HTML of the lake, by its digest."""

import asyncio
import re

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from everfit.errors import MissingObjectError
from everfit.store.lake import Lake

REPORTS = "/reports/"
DIGEST = re.compile(r"[0-9a-f]{64}")
# What a report shows came in by requests: its scripts run in an origin of their own, and reach nothing of serving's.
# Its name is that of its content, so that a browser may keep it.
HEADERS = {
    "Content-Security-Policy": "sandbox allow-scripts allow-downloads",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, max-age=31536000, immutable",
}


class Reports:
    """The endpoint over a lake; of its objects it shows HTML alone."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    async def report(self, request: Request) -> Response:
        """A report.

        Raises:
            MissingObjectError: when the path is no digest, or the lake holds no HTML of that name.
        """
        digest = request.path_params["digest"]
        if not DIGEST.fullmatch(digest):
            raise MissingObjectError(f"{digest!r} names no report: a name is a SHA-256, 64 digits of 0-9 and a-f")
        try:
            return HTMLResponse(await asyncio.to_thread(self._lake.get, digest, "html"), headers=HEADERS)
        except MissingObjectError as error:
            raise MissingObjectError(f"no report {digest} in the lake; does serving read the sensor's EVERFIT_LAKE?") from error
