"""The ASGI application: routes, errors and the life of what they need."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from everfit.alerts.channels import installed_channels
from everfit.alerts.watchdog import Watchdog, silence
from everfit.declaration import Model
from everfit.errors import EverfitError, MissingObjectError, ProcessEndedError, RequestError, ServiceError, UnknownModelError
from everfit.runtime import Runtime
from everfit.serving.access import TokenRequired
from everfit.serving.announcements import Announcements
from everfit.serving.exposition import exposition
from everfit.serving.parts_endpoint import USES, Using
from everfit.serving.protocol import inferred, model_metadata, predicted, server_metadata
from everfit.serving.reports import REPORTS, Reports
from everfit.serving.request_schema import CheckedRequest, read_infer, read_predict
from everfit.serving.responses import as_json
from everfit.serving.service import Answered, Service
from everfit.store.lake import Lake

FLUSH_SECONDS = 10.0
STATUSES: tuple[tuple[type[EverfitError], int], ...] = (
    (UnknownModelError, 404),
    (MissingObjectError, 404),
    (RequestError, 422),
    (ServiceError, 503),
    (ProcessEndedError, 503),
)

Read = Callable[[Model, bytes], CheckedRequest]
Write = Callable[[Model, CheckedRequest, Answered], dict[str, Any]]

logger = logging.getLogger(__name__)


def create_app(service: Service, lake: Lake, token: str | None = None, runtime: Runtime | None = None) -> Starlette:
    """The application over a service that it starts and stops. Where a token is set, all but health asks for it.

    Of a ``runtime`` it also follows the announced deployments, watches whether the loop passes, and says which parts it works
    with.
    """
    watchdog = Watchdog(runtime.engine, installed_channels(), silence(), list(runtime.models)) if runtime else None
    endpoints = _Endpoints(service, watchdog)
    routes = [
        Route("/predict/{name}", endpoints.predict, methods=["POST"]),
        Route("/v2/models/{name}/infer", endpoints.infer, methods=["POST"]),
        Route("/v2/models/{name}/ready", endpoints.model_ready),
        Route("/v2/models/{name}", endpoints.model),
        Route("/v2/health/live", endpoints.live),
        Route("/v2/health/ready", endpoints.ready),
        Route("/v2", endpoints.server),
        Route("/refresh/{name}", endpoints.refresh, methods=["POST"]),
        Route("/flush", endpoints.flush, methods=["POST"]),
        Route("/metrics", endpoints.metrics),
        Route(REPORTS + "{digest}", Reports(lake).report),
        *([Route(USES, Using(runtime.settings, runtime.models).answer)] if runtime else []),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(TokenRequired, token=token)] if token else [],
        exception_handlers={EverfitError: _refused, HTTPException: _no_such_route},
        lifespan=lambda _: _running(service, watchdog, runtime.settings.kafka if runtime else None),
    )


@asynccontextmanager
async def _running(service: Service, watchdog: Watchdog | None, kafka: str | None) -> AsyncIterator[None]:
    """Follow the ledger and the views while serving; at the end no answered prediction is left in memory."""
    loop = asyncio.get_running_loop()

    def wake(model: str) -> None:
        loop.call_soon_threadsafe(service.cache.wake, model)

    announcements = Announcements(kafka, wake) if kafka else None
    threads = [thread for thread in (watchdog, announcements) if thread]
    watching = [asyncio.create_task(watch) for watch in (service.cache.watch(), service.views.watch())]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            await asyncio.to_thread(thread.close)
        for watch in watching:
            watch.cancel()
        for ended in await asyncio.gather(*watching, return_exceptions=True):
            if isinstance(ended, Exception):
                logger.error("a task of serving ended early: %r", ended)
        await service.close()  # last, so that every answer is logged


class _Endpoints:
    def __init__(self, service: Service, watchdog: Watchdog | None) -> None:
        self._service = service
        self._watchdog = watchdog

    async def predict(self, request: Request) -> Response:
        """One row in the plain form."""
        return await self._answer(request, read_predict, predicted)

    async def infer(self, request: Request) -> Response:
        """N rows in the form of V2."""
        return await self._answer(request, read_infer, inferred)

    async def _answer(self, request: Request, read: Read, write: Write) -> Response:
        name = request.path_params["name"]
        try:
            model = self._service.model(name)
            checked = read(model, await request.body())
            response = as_json(write(model, checked, await self._service.answer(model, checked)))
        except EverfitError as error:
            response = _refused(request, error)
        label = name if name in self._service.models else "unknown"
        self._service.metrics.requests.add(1, model=label, status=str(response.status_code))
        return response

    async def model(self, request: Request) -> Response:
        """A model's metadata: inputs, output, versions and roles."""
        model = self._service.model(request.path_params["name"])
        return as_json(model_metadata(model, self._service.cache.active[model.name]))

    async def model_ready(self, request: Request) -> Response:
        """200 when a champion answers."""
        model = self._service.model(request.path_params["name"])
        ready = self._service.cache.active[model.name].champion is not None
        return as_json({"name": model.name, "ready": ready}, 200 if ready else 503)

    async def live(self, _: Request) -> Response:
        """200 while the process answers."""
        return as_json({"live": True})

    async def ready(self, _: Request) -> Response:
        """200 when the champion of every declared model that has one is loaded; else 503 with what is waited for, by model."""
        awaited = self._service.cache.awaited()
        return as_json({"ready": False, "awaited": awaited}, 503) if awaited else as_json({"ready": True})

    async def server(self, _: Request) -> Response:
        """The server's metadata."""
        return as_json(server_metadata(version("everfit")))

    async def refresh(self, request: Request) -> Response:
        """Read the registry now; the roles that serve then."""
        model = self._service.model(request.path_params["name"])
        return as_json({"name": model.name, "roles": (await self._service.cache.refresh(model.name, insist=True)).roles})

    async def flush(self, _: Request) -> Response:
        """200 when Kafka has acknowledged every prediction answered so far, the shadows' included."""
        await self._service.settled()
        await asyncio.to_thread(self._service.log.flush, FLUSH_SECONDS)
        return as_json({"acknowledged": self._service.log.acknowledged})

    async def metrics(self, _: Request) -> Response:
        """Prometheus' text format."""
        dog = self._watchdog
        shown = exposition(self._service, dog.loop_age_seconds if dog else None, dog.unanswered if dog else ())
        return PlainTextResponse(shown, media_type="text/plain; version=0.0.4")


def _refused(_: Request, error: Exception) -> Response:
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), 500)
    if status == 500:
        logger.error("%s", error)
    return as_json({"error": str(error)}, status)


def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return as_json({"error": f"{request.method} {request.url.path}: {error.detail}"}, error.status_code)
