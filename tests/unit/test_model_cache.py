"""The model cache: which versions answer, which take over, and that a version that fails to load changes nothing."""

import asyncio
import math
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from everfit.declaration.rollouts import Role
from everfit.registry import Artifact
from everfit.serving.loaded_versions import ActiveVersions
from everfit.serving.model_cache import ModelCache
from everfit.store.served_roles import STANDBY
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


Roles = dict[str, Any]
Follow = Callable[..., list[Roles]]


@pytest.fixture
def follow(registry: WatchedRegistry) -> Follow:
    """The roles served after each of these states of the registry."""

    def follow(*states: dict[Role, int], insist: bool = False) -> list[Roles]:
        async def run() -> list[Roles]:
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
    told = [{"champion": 1}, {"champion": 2, "shadows": [1]}, {"champion": 2}]
    assert follow({"champion": 1, "shadow": 1}, {"champion": 2, "shadow": 1}, {"champion": 2}) == told


def test_a_version_that_changes_its_role_is_not_loaded_again(registry: WatchedRegistry, follow: Follow) -> None:
    follow({"champion": 1, "shadow": 2}, {"champion": 2, "shadow": 1})
    assert sorted(registry.fetched) == [1, 2]


@pytest.mark.parametrize("broken", [8, 9, 404])
def test_a_version_that_cannot_be_loaded_leaves_the_old_one(registry: WatchedRegistry, follow: Follow, broken: int) -> None:
    first: dict[Role, int] = {"champion": 1, "shadow": 2}
    assert follow(first, {"champion": broken, "shadow": 2}, {"champion": broken, "shadow": 3}, {"champion": 3})[1:] == [
        {"champion": 1, "shadows": [2]},
        {"champion": 1, "shadows": [3]},
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
    assert (after, failures) == (before, 6)
    away = "ServiceError('the registry is away, as the test wants it')"
    told = [f"{NAME}: its shadow stays as it was: {away}", f"{NAME}: its roles cannot be read: {away}"]
    assert [record.message for record in caplog.records] == told


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


def test_the_shadow_of_a_person_stays_beside_the_predecessor_and_one_that_has_another_role_answers_once(
    registry: WatchedRegistry,
) -> None:
    async def run() -> list[Roles]:
        cache = ModelCache(MODELS, registry)
        seen = []
        for challenger, guards in ((2, (1,)), (None, (1, 2, 3))):
            roles: dict[Role, int] = {"champion": 3, "shadow": 1}
            registry.assign(roles | ({"challenger": challenger} if challenger else {}), guards=guards)
            seen.append((await cache.refresh(NAME)).roles)
        return seen

    assert asyncio.run(run()) == [
        {"champion": 3, "challenger": 2, "share": 0.0, "shadows": [1]},
        {"champion": 3, "shadows": [1, 2]},
    ]


def test_a_share_changes_without_a_load_and_an_unknown_challenger_leaves_all_to_the_champion(
    registry: WatchedRegistry, follow: Follow
) -> None:
    async def run() -> list[Roles]:
        cache = ModelCache(MODELS, registry)
        seen = []
        for challenger, share in ((2, 0.05), (2, 0.25), (8, 0.5), (404, 0.5)):
            registry.assign({"champion": 1, "challenger": challenger}, share=share, unit="region")
            seen.append((await cache.refresh(NAME)).roles)
        return seen

    of_two = {"champion": 1, "challenger": 2, "unit": "region"}
    assert asyncio.run(run()) == [of_two | {"share": 0.05}, of_two | {"share": 0.25}, {"champion": 1}, {"champion": 1}]
    assert registry.fetched[:2] == [1, 2]


def test_the_last_versions_stay_loaded_so_that_a_rollback_fetches_nothing(registry: WatchedRegistry, follow: Follow) -> None:
    assert follow(*({"champion": number} for number in (1, 2, 3, 2, 1)))[-1] == {"champion": 1}
    assert registry.fetched == [1, 2, 3]


def test_older_ones_are_let_go(registry: WatchedRegistry, follow: Follow) -> None:
    registry.artifacts[NAME, 4] = registry.artifacts[NAME, 1]
    follow(*({"champion": number} for number in (1, 2, 3, 4, 1)))
    assert registry.fetched == [1, 2, 3, 4, 1], f"{STANDBY} beside the champion stay"


def test_the_last_champions_are_loaded_after_a_restart(registry: WatchedRegistry, follow: Follow) -> None:
    registry.assign({"champion": 2})
    registry.assign({"champion": 404})
    registry.assign({"champion": 3})
    assert follow({"champion": 1}, {"champion": 3}) == [{"champion": 1}, {"champion": 3}]
    assert sorted(registry.fetched) == [1, 3, 404], "3 was loaded before it is champion again; 404 is lost, and 2 is older"


def test_a_challenger_that_loads_slowly_delays_no_promotion(registry: WatchedRegistry) -> None:
    fetch, fetching, go_on = registry.fetch, threading.Event(), threading.Event()

    def slowly(model: str, version: int) -> Artifact:
        if version == 2:
            fetching.set()
            assert go_on.wait(10)
        return fetch(model, version)

    async def run() -> list[Roles]:
        cache = ModelCache(MODELS, registry)
        watching = asyncio.create_task(cache.watch())
        assert await asyncio.to_thread(fetching.wait, 10)
        registry.assign({"champion": 3, "challenger": 2}, share=0.5)
        cache.wake(NAME)
        while cache.active[NAME].roles != {"champion": 3}:
            await asyncio.sleep(0.01)
        go_on.set()
        while cache.active[NAME].challenger is None:
            await asyncio.sleep(0.01)
        watching.cancel()
        return [cache.active[NAME].roles]

    registry.assign({"champion": 1, "challenger": 2}, share=0.5)
    registry.fetch = slowly  # type: ignore[method-assign]
    assert asyncio.run(asyncio.wait_for(run(), 20)) == [{"champion": 3, "challenger": 2, "share": 0.5}]


def test_a_version_that_leaves_no_memory_to_the_others_is_not_loaded(
    registry: WatchedRegistry, follow: Follow, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(available=2 * len(registry.artifacts[NAME, 1].content))
    follow({"champion": 1})
    monkeypatch.setattr("everfit.serving.model_cache.psutil.virtual_memory", lambda: free)
    assert follow({"champion": 1, "challenger": 2}) == [{}]
    assert "about 3 times that are needed to load it; 0 MB are free: give serving more memory" in caplog.text
