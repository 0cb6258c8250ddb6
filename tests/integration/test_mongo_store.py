"""The store on a MongoDB-compatible server: the contract, deaths inside a commit, other producers, refusals."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import store_suite
from mongo_server import MongoServer, running

from trading_system.store import Store
from trading_system.store.mongo import MongoStore


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    with running(tmp_path_factory.mktemp("mongo")) as made:
        yield made


@pytest.fixture
async def opened() -> AsyncIterator[list[MongoStore]]:
    stores: list[MongoStore] = []
    yield stores
    for store in stores:
        await store.close()


@pytest.mark.parametrize("rule", store_suite.RULES, ids=lambda rule: rule.__name__)
async def test_a_store_on_a_server_keeps_the_contract(
    rule: store_suite.Rule, server: MongoServer, opened: list[MongoStore]
) -> None:
    url = server.url()

    def make() -> Store:
        opened.append(MongoStore(url))
        return opened[-1]

    await rule(make)
