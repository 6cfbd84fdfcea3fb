"""Serving for tests: a registry in memory, ONNX graphs with a known answer, and a server on a port of its own."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import uvicorn
from onnx import TensorProto, helper, numpy_helper
from starlette.types import ASGIApp

from everfit import Model
from everfit.declaration.rollouts import Role
from everfit.errors import RefusedError, ServiceError
from everfit.registry import Artifact, InMemoryRegistry, Registry
from everfit.serving.producer import Record
from everfit.store.served_roles import STANDBY, Served
from everfit.training.artifact import Signature


def graph(model: Model, bias: float) -> bytes:
    """An ONNX model of the contract's inputs; its score is the sigmoid of ``bias`` plus the first number, null as 0."""
    numbers = [name for name, kind in model.features if kind == "number"]
    categories = [name for name, kind in model.features if kind == "category"]
    inputs = [helper.make_tensor_value_info("numbers", TensorProto.DOUBLE, [None, len(numbers)])]
    if categories:
        inputs.append(helper.make_tensor_value_info("categories", TensorProto.STRING, [None, len(categories)]))
    constants = {"first": np.array(0), "bias": np.array(bias), "zero": np.array(0.0)}
    nodes = [
        helper.make_node("Gather", ["numbers", "first"], ["column"], axis=1),
        helper.make_node("IsNaN", ["column"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "column"], ["known"]),
        helper.make_node("Add", ["known", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["score"]),
    ]
    output = helper.make_tensor_value_info("score", TensorProto.DOUBLE, [None])
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    made = helper.make_graph(nodes, "test", inputs, [output], tensors)
    proto = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(proto.SerializeToString())


def artifact(model: Model, onnx: bytes) -> Artifact:
    """A version of what the model declares now, without tags."""
    return Artifact(onnx, Signature.of(model), {})


class WatchedRegistry(InMemoryRegistry):
    """Versions of one model by number; it lists what was fetched, and while ``away`` is set it does not answer."""

    def __init__(self, model: Model, graphs: Mapping[int, bytes], roles: Mapping[Role, int]) -> None:
        super().__init__()
        self._model = model.name
        self.artifacts = {(model.name, number): artifact(model, onnx) for number, onnx in graphs.items()}
        self.fetched: list[int] = []
        self.away = False
        self._champions: list[int] = []  # the latest first
        self.assign(roles)

    def assign(self, roles: Mapping[Role, int], *, share: float = 0.0, unit: str = "", guards: Sequence[int] = ()) -> None:
        """Give these roles and no others, also to versions that are not there; ``guards`` are shadows that no person set."""
        self.pointers = {(self._model, role): version for role, version in roles.items()}
        champion = roles.get("champion")
        former = [number for number in self._champions if number != champion]
        self._champions = [champion, *former] if champion else former
        self._served = Served(champion, roles.get("challenger"), share, unit, tuple(guards), standby=tuple(former[:STANDBY]))

    def served(self, model: str) -> Served:
        """The roles that were assigned, without the person's shadow."""
        if self.away:
            raise ServiceError("the registry is away, as the test wants it")
        return self._served if model == self._model else Served()

    def shadow(self, model: str) -> int | None:
        """The shadow that was assigned."""
        return self.roles(model).get("shadow")

    def roles(self, model: str) -> dict[Role, int]:
        """The roles that were assigned."""
        if self.away:
            raise ServiceError("the registry is away, as the test wants it")
        return super().roles(model)

    def fetch(self, model: str, version: int) -> Artifact:
        """A version; one that is not there may come later."""
        self.fetched.append(version)
        if (model, version) not in self.artifacts:
            raise ServiceError(f"version {version} does not come, as the test wants it")
        return super().fetch(model, version)


class AsRegistered:
    """Who serves by the roles of a registry alone; no ledger is asked."""

    def __init__(self, registry: Registry) -> None:
        self.shadow = lambda model: registry.roles(model).get("shadow")
        self.fetch = registry.fetch
        self._roles = registry.roles

    def served(self, model: str) -> Served:
        """The champion and the challenger of the registry, the latter without a share."""
        roles = self._roles(model)
        return Served(roles.get("champion"), roles.get("challenger"))


class MemoryProducer:
    """Keeps what is sent.

    While ``away`` is set it takes nothing, while ``open`` is cleared it takes its time, while ``broken`` is set it fails as
    nobody expects; a batch with one of ``refused`` is taken up to that.
    """

    def __init__(self) -> None:
        self.taken: list[Record] = []
        self.away = threading.Event()
        self.open = threading.Event()
        self.open.set()
        self.tried = threading.Event()
        self.broken = threading.Event()
        self.refused: set[bytes] = set()
        self.grown = threading.Condition()

    def send(self, batch: Sequence[Record]) -> None:
        """Keep the batch."""
        self.tried.set()
        self.open.wait()
        if self.broken.is_set():
            raise RuntimeError("as the test wants it")
        if self.away.is_set():
            raise ServiceError("the broker is away, as the test wants it")
        for record in batch:
            if record.value in self.refused:
                raise RefusedError("too large, as the test wants it")
            self.taken.append(record)
        with self.grown:
            self.grown.notify_all()

    def close(self) -> None:
        """Nothing is held."""


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """URL of the application, served by uvicorn in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="on"))
    socket = server.config.bind_socket()
    started = threading.Event()
    startup = server.startup

    async def announced(sockets: list[object] | None = None) -> None:
        await startup(sockets)  # type: ignore[arg-type]
        started.set()

    server.startup = announced  # type: ignore[method-assign, assignment]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    assert started.wait(10)
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        socket.close()
