"""``GET /uses``: the parts that this process uses, so that processes can be compared."""

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from everfit.environment.settings import Settings
from everfit.serving.responses import as_json
from everfit.stack.parts_in_use import uses

USES = "/uses"


class Using:
    """The endpoint over the settings that this process was started with."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def answer(self, _: Request) -> Response:
        """Addresses without passwords, and the identities of the parts."""
        return as_json(msgspec.to_builtins(await run_in_threadpool(uses, self._settings)))
