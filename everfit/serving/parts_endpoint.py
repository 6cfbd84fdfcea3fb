"""``GET /uses``: the parts that this process uses, so that processes can be compared."""

from collections.abc import Mapping

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from everfit.declaration import Model
from everfit.declaration.recipe_imports import lacking
from everfit.environment.settings import Settings
from everfit.serving.responses import as_json
from everfit.stack.parts_in_use import uses

USES = "/uses"


class Using:
    """The endpoint over the settings that this process was started with, and the models that it serves."""

    def __init__(self, settings: Settings, models: Mapping[str, Model]) -> None:
        self._settings = settings
        self._models = models

    async def answer(self, _: Request) -> Response:
        """Addresses without passwords, the identities of the parts, and the packages that this process lacks."""
        used = await run_in_threadpool(uses, self._settings)
        lacks = {f"{each.recipe} of {each.model}": each.package for each in lacking(self._models) if each.answering}
        return as_json(msgspec.to_builtins(msgspec.structs.replace(used, lacks=lacks)))
