"""The model cache: which versions answer, which take over, and that a version that fails to load changes nothing."""

import asyncio
import math
import threading
from collections.abc import Callable

import pytest

from everfit.declaration.rollouts import Role
from everfit.registry import Artifact
from everfit.serving.model_cache import ActiveVersions, ModelCache
from models.electricity_price import electricity_price
from tests.serving import WatchedRegistry, graph

NAME = electricity_price.name
MODELS = {NAME: electricity_price}


@pytest.fixture(scope="module")
def graphs() -> dict[int, bytes]:
    """Three versions that can be loaded, one that is no graph and one that answers no probability."""
    good = {number: graph(electricity_price, float(number)) for number in (1, 2, 3)}
    return good | {8: b"no graph", 9: graph(electricity_price, math.nan)}


@pytest.fixture
def registry(graphs: dict[int, bytes]) -> WatchedRegistry:
    """The versions, none of them with a role."""
    return WatchedRegistry(electricity_price, graphs, {})


Follow = Callable[..., list[dict[Role, int]]]


@pytest.fixture
def follow(registry: WatchedRegistry) -> Follow:
    """The roles served after each of these states of the registry."""

    def follow(*states: dict[Role, int], insist: bool = False) -> list[dict[Role, int]]:
        async def run() -> list[dict[Role, int]]:
            seen = []
            for state in states:
                registry.assign(state)
                seen.append((await cache.refresh(NAME, insist=insist)).roles)
            return seen

        cache = ModelCache(MODELS, registry)
        return asyncio.run(run())

    return follow


def test_a_promotion_swaps_and_loads_once(registry: WatchedRegistry, follow: Follow) -> None:
    assert follow({}, {"champion": 1}, {"champion": 1}, {"champion": 2}) == [
        {},
        {"champion": 1},
        {"champion": 1},
        {"champion": 2},
    ]
    assert registry.fetched == [1, 2]


def test_a_shadow_that_is_the_champion_is_left_out(follow: Follow) -> None:
    shadowed: dict[Role, int] = {"champion": 2, "shadow": 1}
    assert follow({"champion": 1, "shadow": 1}, shadowed, {"champion": 2}) == [{"champion": 1}, shadowed, {"champion": 2}]


def test_a_version_that_changes_its_role_is_not_loaded_again(registry: WatchedRegistry, follow: Follow) -> None:
    follow({"champion": 1, "shadow": 2}, {"champion": 2, "shadow": 1})
    assert sorted(registry.fetched) == [1, 2]


@pytest.mark.parametrize("broken", [8, 9, 404])
def test_a_version_that_cannot_be_loaded_leaves_the_old_one(registry: WatchedRegistry, follow: Follow, broken: int) -> None:
    first: dict[Role, int] = {"champion": 1, "shadow": 2}
    assert follow(first, {"champion": broken, "shadow": 2}, {"champion": broken, "shadow": 3}, {"champion": 3})[1:] == [
        {"champion": 1, "shadow": 2},
        {"champion": 1, "shadow": 3},
        {"champion": 3},
    ]
    assert registry.fetched.count(broken) == 1  # tried again after a while, not every second


def test_who_insists_tries_a_failed_version_again(registry: WatchedRegistry, follow: Follow) -> None:
    follow({"champion": 8}, {"champion": 8}, insist=True)
    assert registry.fetched == [8, 8]


def test_a_registry_that_is_away_changes_nothing(registry: WatchedRegistry, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> tuple[ActiveVersions, ActiveVersions, int]:
        cache = ModelCache(MODELS, registry)
        registry.assign({"champion": 1})
        before = await cache.refresh(NAME)
        registry.away = True
        after = [await cache.refresh(NAME) for _ in range(3)][-1]
        return before, after, cache.failures[NAME]

    before, after, failures = asyncio.run(run())
    assert (after, failures) == (before, 3)
    assert [record.message for record in caplog.records] == [
        f"{NAME}: its roles cannot be read: ServiceError('the registry is away, as the test wants it')"
    ]


@pytest.mark.parametrize(
    ("roles", "awaited"),
    [
        ({}, None),  # never promoted: nothing to wait for
        ({"shadow": 1}, None),
        ({"champion": 1}, None),
        ({"champion": 8}, None),  # no graph: it is set aside, and the others serve
        ({"champion": 404}, "its champion, version 404, is not loaded yet"),  # its bytes did not come
    ],
)
def test_serving_is_ready_once_every_champion_is_loaded(
    registry: WatchedRegistry, roles: dict[Role, int], awaited: str | None
) -> None:
    async def run() -> tuple[dict[str, str], dict[str, str]]:
        cache = ModelCache(MODELS, registry)
        before = cache.awaited()
        registry.assign(roles)
        await cache.refresh(NAME)
        return before, cache.awaited()

    assert asyncio.run(run()) == ({NAME: "its roles were not read yet"}, {NAME: awaited} if awaited else {})


def test_serving_is_not_ready_while_its_champion_loads(registry: WatchedRegistry) -> None:
    fetch, fetching, go_on = registry.fetch, threading.Event(), threading.Event()

    def slowly(model: str, version: int) -> Artifact:
        fetching.set()
        assert go_on.wait(10)
        return fetch(model, version)

    async def run() -> list[dict[str, str]]:
        cache = ModelCache(MODELS, registry)
        refreshing = asyncio.create_task(cache.refresh(NAME))
        assert await asyncio.to_thread(fetching.wait, 10)
        seen = [cache.awaited()]
        go_on.set()
        await refreshing
        return [*seen, cache.awaited()]

    registry.assign({"champion": 1})
    registry.fetch = slowly  # type: ignore[method-assign]
    assert asyncio.run(run()) == [{NAME: "its champion, version 1, is not loaded yet"}, {}]
