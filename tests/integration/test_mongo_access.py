"""Getting at a MongoDB store: a server that is away or hangs, a wrong password, other schemas, other programs."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from fault_proxy import FaultProxy
from mongo_server import MongoServer, running
from pymongo import MongoClient

from trading_system.database import DatabaseUrlError, open_store
from trading_system.store import (
    NewerSchemaError,
    Row,
    StoreAccessError,
    StoreAwayError,
    StoreFileError,
    StoreReadOnlyError,
    Stream,
)
from trading_system.store.mongo import MongoStore
from trading_system.store.mongo_schema import SCHEMA_VERSION
from trading_system.store.patience import patiently

CANDLES = Stream("candle", "binance_usdm", "BTCUSDT")

Open = Callable[..., MongoStore]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    with running(tmp_path_factory.mktemp("mongo")) as made:
        yield made


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    stores: list[MongoStore] = []

    def make(url: str, **how: object) -> MongoStore:
        stores.append(MongoStore(url, **how))  # type: ignore[arg-type]
        return stores[-1]

    yield make
    for store in stores:
        await store.close()


@pytest.fixture
async def proxy(server: MongoServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(server.port) as made:
        yield made


@pytest.fixture
def client(server: MongoServer) -> Iterator[MongoClient[dict[str, object]]]:
    with server.client() as made:
        yield made


async def test_a_server_that_hangs_is_away_after_the_deadline_and_answers_when_it_is_back(
    server: MongoServer, proxy: FaultProxy, opened: Open
) -> None:
    url = server.url().replace(str(server.port), str(proxy.port), 1)
    store = opened(url, deadline_s=0.2)
    await store.append(CANDLES, 1, [b"a"], after=None)
    await store.commit()
    proxy.hang()
    began = asyncio.get_running_loop().time()
    for ask in (lambda: store.head(CANDLES), lambda: store.document("x", "y"), lambda: store.read(CANDLES, None, 9)):
        with pytest.raises(StoreAwayError, match=r"expected an answer within 0\.2 s, was .*; nothing is lost"):
            await ask()
    assert asyncio.get_running_loop().time() - began < 3
    proxy.cut()
    proxy.pass_on()
    assert await patiently(lambda: store.read(CANDLES, None, 9)) == [Row(1, 0, b"a")]


async def test_a_server_that_is_not_there_yet_is_away_and_the_same_store_opens_when_it_is(
    server: MongoServer, proxy: FaultProxy, opened: Open
) -> None:
    await proxy.refuse()
    store = opened(server.url().replace(str(server.port), str(proxy.port), 1), deadline_s=0.2)
    with pytest.raises(StoreAwayError):
        await store.append(CANDLES, 1, [b"a"], after=None)
    await proxy.accept()
    await patiently(lambda: store.append(CANDLES, 1, [b"a"], after=None))
    await store.commit()
    assert await store.head(CANDLES) == 1


async def test_connections_that_are_cut_between_calls_are_made_anew(
    server: MongoServer, proxy: FaultProxy, opened: Open
) -> None:
    url = server.url()
    store = opened(url.replace(str(server.port), str(proxy.port), 1))
    for step in range(1, 6):
        await store.append(CANDLES, step, [b"a"], after=step - 1 if step > 1 else None)
        await patiently(store.commit)
        proxy.cut()
    reader = opened(url)
    assert [row.step for row in await reader.read(CANDLES, None, 9)] == [1, 2, 3, 4, 5]


async def test_a_wrong_password_is_said_once_and_never_printed(server: MongoServer, opened: Open) -> None:
    store = opened(server.url(credentials="me:canary-secret"))
    with pytest.raises(StoreAccessError, match="expected a name and a password") as caught:
        await store.head(CANDLES)
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    assert "canary" not in store.place


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://me:canary@host",
        "mongodb://me:canary@host/",
        "mongodb://me:can@ary@host/name",
        "mongodb://me:canary@host/na$me",
        "mongodb://me:canary@host:port/name",
    ],
)
def test_an_address_that_names_no_database_gets_the_right_form_without_its_password(url: str) -> None:
    with pytest.raises(StoreFileError, match="mongodb://USER:PASSWORD@HOST:27017/NAME") as caught:
        open_store(url)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


async def test_a_reader_needs_a_store_and_writes_nothing(server: MongoServer, opened: Open) -> None:
    url = server.url()
    reader = open_store(f"{url}?mode=ro")
    with pytest.raises(StoreFileError, match="was an empty database"):
        await reader.head(CANDLES)
    await opened(url).head(CANDLES)
    assert await reader.head(CANDLES) is None
    with pytest.raises(StoreReadOnlyError):
        await reader.append(CANDLES, 1, [b"x"], after=None)
    with pytest.raises(StoreReadOnlyError):
        await reader.put_document("snapshot", "BTCUSDT", 1, b"x")
    await reader.close()
    with pytest.raises(DatabaseUrlError, match="mode=ro or mode=rw"):
        open_store(f"{url}?mode=rwx")


async def test_a_store_of_a_newer_version_is_refused_and_left_alone(
    server: MongoServer, opened: Open, client: MongoClient[dict[str, object]]
) -> None:
    url = server.url()
    await opened(url).head(CANDLES)
    schema = client[server.name_in(url)]["schema"]
    schema.update_one({}, {"$set": {"version": 99}})
    for how in ({}, {"read_only": True}):
        with pytest.raises(NewerSchemaError, match="expected version 2 or older, was 99"):
            await opened(url, **how).head(CANDLES)
    assert list(schema.find()) == [{"_id": "schema", "version": 99}]


async def test_a_database_of_another_program_is_refused_and_left_alone(
    server: MongoServer, opened: Open, client: MongoClient[dict[str, object]]
) -> None:
    url = server.url()
    database = client[server.name_in(url)]
    database["users"].insert_one({"_id": 1})
    with pytest.raises(StoreFileError, match="name another database"):
        await opened(url).head(CANDLES)
    assert database.list_collection_names() == ["users"]


@pytest.mark.parametrize("version", [0, 1])
async def test_a_store_of_an_earlier_version_is_brought_up_with_what_it_holds(
    version: int, server: MongoServer, opened: Open, client: MongoClient[dict[str, object]]
) -> None:
    url = server.url()
    database = client[server.name_in(url)]
    database["schema"].insert_one({"_id": "schema", "version": version})
    name = "candle.binance_usdm.BTCUSDT"
    named = {"kind": "candle", "exchange": "binance_usdm", "symbol": "BTCUSDT"}
    database["heads"].insert_one({"_id": name, **named, "epoch": 1, "step": 7})
    database[f"rows.{name}"].insert_one({"_id": f"{7:019}", "step": 7, "epoch": 1, "payloads": ["seven"]})
    store = opened(url)
    assert await store.read(CANDLES, None, 9) == [Row(7, 0, b"seven")]
    await store.append(CANDLES, 8, [b"eight"], after=7)
    await store.commit()
    assert database["schema"].find_one() == {"_id": "schema", "version": SCHEMA_VERSION}
    unique = [one["key"] for one in database["heads"].index_information().values() if one.get("unique")]
    assert [("kind", 1), ("exchange", 1), ("symbol", 1)] in unique


async def test_several_processes_begin_an_empty_database_side_by_side(server: MongoServer, opened: Open) -> None:
    url = server.url()
    stores = [opened(url) for _ in range(4)]
    assert await asyncio.gather(*(store.head(CANDLES) for store in stores)) == [None] * 4
    for n, store in enumerate(stores):
        await store.append(Stream(f"kind{n}", "binance_usdm", "BTCUSDT"), 1, [b"a"], after=None)
    await asyncio.gather(*(store.commit() for store in stores))
    for n in range(4):
        assert await stores[0].head(Stream(f"kind{n}", "binance_usdm", "BTCUSDT")) == 1
