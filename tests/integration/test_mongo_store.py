"""The store on a MongoDB-compatible server: the contract, deaths inside a commit, lost answers, other producers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import store_suite
from fault_proxy import FaultProxy
from mongo_server import MongoServer, running

from trading_system.services.telegram_engine.pairing import knock, open_door
from trading_system.store import HeadMovedError, Row, Store, StoreAwayError, StoreDataError, StoreWriteError, Stream
from trading_system.store.errors import DocumentMovedError
from trading_system.store.mongo import MongoStore
from trading_system.store.mongo_server import DEADLINE_S
from trading_system.store.patience import patiently

CANDLES = Stream("candle", "binance_usdm", "BTCUSDT")
SWINGS = Stream("swing", "binance_usdm", "BTCUSDT")
ACCOUNT = Stream("execution", "binance_usdm", "*")

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


@pytest.mark.parametrize("rule", store_suite.RULES, ids=lambda rule: rule.__name__)
async def test_a_store_on_a_server_keeps_the_contract(
    rule: store_suite.Rule, server: MongoServer, opened: Open
) -> None:
    url = server.url()

    def make() -> Store:
        return opened(url)

    await rule(make)


async def test_others_see_a_step_after_its_commit_and_not_before(server: MongoServer, opened: Open) -> None:
    url = server.url()
    writer = opened(url)
    await writer.append(CANDLES, 1, [b"a"], after=None)
    await writer.commit()
    reader = opened(url, read_only=True)
    await writer.append(CANDLES, 2, [b"b"], after=1)
    assert (await reader.head(CANDLES), await reader.read(CANDLES, None, 9)) == (1, [Row(1, 0, b"a")])
    await writer.commit()
    assert await reader.last(CANDLES, 1) == [Row(2, 0, b"b")]


class DeathError(Exception):
    """The process is gone from here on."""


def _at(number: int, do: Callable[[], None]) -> Callable[[str], None]:
    """Do something at the ``number``-th point of a commit from 1."""
    points = itertools.count(1)

    def reached(point: str) -> None:
        del point
        if next(points) == number:
            do()

    return reached


def _die() -> None:
    raise DeathError


async def _first_steps(store: MongoStore) -> None:
    for stream in (CANDLES, SWINGS, ACCOUNT):
        await store.append(stream, 1, [b"1"], after=None)
    await store.put_document("snapshot", "account", 1, b"1")
    await store.commit()


async def _second_steps(store: MongoStore) -> None:
    await store.append(CANDLES, 2, [b"2", b"2"], after=1)
    await store.append(SWINGS, 2, [], after=1)
    await store.append(SWINGS, 3, [b"3"], after=2)
    await store.append(ACCOUNT, 2, [b"2"], after=1)
    await store.put_document("snapshot", "account", 2, b"2")
    await store.put_document("booked", "account", 2, b"2")


async def _state(store: MongoStore) -> list[object]:
    heads = [await store.head(stream) for stream in (CANDLES, SWINGS, ACCOUNT)]
    rows = [row for stream in (CANDLES, SWINGS, ACCOUNT) for row in await store.read(stream, None, 99)]
    return [heads, rows, await store.documents("snapshot"), await store.documents("booked")]


async def test_a_death_at_any_point_of_a_commit_leaves_all_of_it_or_nothing(server: MongoServer, opened: Open) -> None:
    untouched = opened(server.url())
    await _first_steps(untouched)
    before = await _state(untouched)
    await _second_steps(untouched)
    await untouched.commit()
    done = await _state(untouched)
    outcomes: list[bool] = []
    for number in itertools.count(1):
        url = server.url()
        first = opened(url)
        await _first_steps(first)
        await first.close()
        dying = opened(url, reached=_at(number, _die))
        await _second_steps(dying)
        try:
            await dying.commit()
        except DeathError:
            await dying.close()
        else:
            break
        reader = opened(url, read_only=True)
        for stream in (CANDLES, SWINGS, ACCOUNT):  # in the middle each stream is whole by itself
            step = await reader.head(stream)
            assert await reader.read(stream, None, 99) == await untouched.read(stream, None, step or 0)
        after = opened(url)
        state = await _state(after)
        assert state in (before, done)
        outcomes.append(state == done)
        if state == before:
            await _second_steps(after)
            await after.commit()
        assert await _state(after) == done
        await after.append(CANDLES, 9, [b"9"], after=2)
        await after.commit()
        assert _left_over(server, url) == 0
    assert outcomes == [False] + [True] * 7  # nothing before the list is written, all of it from then on


def _left_over(server: MongoServer, url: str) -> int:
    with server.client() as client:
        return len(list(client[server.name_in(url)]["batches"].find()))


class Trouble:
    """Loses what goes to the server, or what comes from it, from a point of a commit on; the store waits briefly."""

    def __init__(self, proxy: FaultProxy, fault: str, number: int) -> None:
        self._proxy = proxy
        self._fault = fault
        self._left = number
        self.happened = False
        self.store: MongoStore | None = None

    def __call__(self, point: str) -> None:
        del point
        self._left -= 1
        if self._left == 0:
            self.happened = True
            self._wait_for(0.2)
            getattr(self._proxy, self._fault)()

    def is_over(self) -> None:
        """Let everything pass again, on new connections."""
        self._wait_for(DEADLINE_S)
        self._proxy.cut()
        self._proxy.pass_on()

    def _wait_for(self, deadline_s: float) -> None:
        assert self.store is not None
        self.store._server._deadline_s = deadline_s


@pytest.mark.parametrize("fault", ["hang", "mute"])
async def test_a_commit_whose_answer_is_lost_anywhere_is_finished_by_the_next_attempt(
    fault: str, server: MongoServer, proxy: FaultProxy, opened: Open
) -> None:
    untouched = opened(server.url())
    await _first_steps(untouched)
    await _second_steps(untouched)
    done = await _state(untouched)
    for number in itertools.count(1):
        url = server.url()
        await _first_steps(opened(url))
        trouble = Trouble(proxy, fault, number)
        store = opened(url.replace(str(server.port), str(proxy.port), 1), reached=trouble)
        trouble.store = store
        await _second_steps(store)
        try:
            await store.commit()
        except StoreAwayError:
            trouble.is_over()
            # What is not committed for sure is still read, and what comes now waits behind it.
            assert await _state(store) == done
        if not trouble.happened:
            break
        trouble.is_over()
        await store.append(CANDLES, 4, [b"4"], after=2)
        await patiently(store.commit)
        fresh = opened(url)
        assert await fresh.last(CANDLES, 1) == [Row(4, 0, b"4")]
        assert await fresh.read(CANDLES, None, 3) == [Row(1, 0, b"1"), Row(2, 0, b"2"), Row(2, 1, b"2")]
        assert (await fresh.head(SWINGS), await fresh.document("booked", "account")) == (3, (2, b"2"))
        assert _left_over(server, url) == 0
        await store.close()


async def test_what_a_rolled_back_commit_has_listed_is_finished_before_anything_else(
    server: MongoServer, proxy: FaultProxy, opened: Open
) -> None:
    url = server.url()
    await _first_steps(opened(url))
    trouble = Trouble(proxy, "hang", 2)
    store = trouble.store = opened(url.replace(str(server.port), str(proxy.port), 1), reached=trouble)
    await _second_steps(store)
    with pytest.raises(StoreAwayError):
        await store.commit()
    trouble.is_over()
    await store.rollback()
    assert [await store.head(stream) for stream in (CANDLES, SWINGS, ACCOUNT)] == [2, 3, 2]
    assert await store.document("snapshot", "account") == (2, b"2")


async def test_a_producer_that_another_has_replaced_moves_no_head_and_changes_no_row(
    server: MongoServer, opened: Open
) -> None:
    url = server.url()
    one, two = opened(url), opened(url)
    await one.append(CANDLES, 1, [b"one"], after=None)
    await one.commit()
    await one.append(CANDLES, 2, [b"one", b"one"], after=1)
    await two.append(CANDLES, 2, [b"two"], after=1)
    await two.commit()
    with pytest.raises(HeadMovedError, match="expected step 1, was step 2"):
        await one.commit()
    await one.commit()
    assert [row.payload for row in await two.read(CANDLES, None, 9)] == [b"one", b"two"]
    with pytest.raises(HeadMovedError):
        await one.append(CANDLES, 3, [b"one"], after=1)


async def test_two_that_begin_a_stream_at_once_leave_one_of_them(server: MongoServer, opened: Open) -> None:
    url = server.url()
    stores = [opened(url) for _ in range(2)]
    for n, store in enumerate(stores):
        await store.append(CANDLES, 1, [b"%d" % n], after=None)
    ends = await asyncio.gather(*(store.commit() for store in stores), return_exceptions=True)
    (loser,) = [end for end in ends if end is not None]
    assert isinstance(loser, HeadMovedError)
    assert await opened(url).read(CANDLES, None, 9) == [Row(1, 0, b"%d" % ends.index(None))]


async def test_rows_of_a_dead_producer_above_the_head_never_come_to_light(server: MongoServer, opened: Open) -> None:
    url = server.url()
    dying = opened(url, reached=_at(3, _die))
    await dying.append(CANDLES, 1, [b"1"], after=None)
    await dying.commit()
    await dying.append(CANDLES, 2, [b"dead", b"dead"], after=1)
    await dying.append(CANDLES, 3, [b"dead"], after=2)
    with pytest.raises(DeathError):
        await dying.commit()
    await dying.close()
    store = opened(url)
    assert await store.read(CANDLES, None, 9) == [Row(1, 0, b"1")]
    await store.append(CANDLES, 2, [b"2"], after=1)
    await store.append(CANDLES, 3, [], after=2)
    await store.commit()
    assert await store.read(CANDLES, None, 9) == [Row(1, 0, b"1"), Row(2, 0, b"2")]


async def test_thousands_of_steps_are_one_commit(server: MongoServer, opened: Open) -> None:
    url = server.url()
    store = opened(url)
    for step in range(1, 5_001):
        await store.append(CANDLES, step, [b"%d" % step], after=step - 1 if step > 1 else None)
        await store.append(ACCOUNT, step, [], after=step - 1 if step > 1 else None)
    await store.put_document("snapshot", "account", 5_000, b"x")
    await store.commit()
    reader = opened(url, read_only=True)
    assert [int(row.payload) for row in await reader.read(CANDLES, None, 9_999)] == list(range(1, 5_001))
    assert (await reader.head(ACCOUNT), await reader.document("snapshot", "account")) == (5_000, (5_000, b"x"))


async def test_what_one_task_commits_another_may_go_on_appending_to(server: MongoServer, opened: Open) -> None:
    store = opened(server.url())
    await store.append(CANDLES, 1, [b"1"], after=None)
    commits = [asyncio.create_task(store.commit()) for _ in range(2)]
    for step in range(2, 200):
        await store.append(CANDLES, step, [b"%d" % step], after=step - 1)
        assert [row.step for row in await store.read(CANDLES, None, 999)] == list(range(1, step + 1))
    await asyncio.gather(*commits)
    await store.commit()
    assert await store.head(CANDLES) == 199


async def test_a_document_too_large_for_the_server_undoes_the_commit(server: MongoServer, opened: Open) -> None:
    store = opened(server.url())
    await store.append(CANDLES, 1, [b"1"], after=None)
    await store.put_document("snapshot", "account", 1, b"x" * 13_000_000)
    with pytest.raises(StoreWriteError, match="all since the last commit is undone"):
        await store.commit()
    assert (await store.head(CANDLES), await store.document("snapshot", "account")) == (None, None)


async def test_what_breaks_its_contract_is_refused_on_the_way_in_and_on_the_way_out(
    server: MongoServer, opened: Open
) -> None:
    url = server.url()
    store, told = opened(url), Stream("strategy", "binance_usdm", "BTCUSDT")
    with pytest.raises(StoreDataError, match=r"a row of strategy\.binance_usdm\.BTCUSDT: "):
        await store.append(told, 1, [b'{"step": "one"}'], after=None)
    await store.append(told, 1, [], after=None)
    await store.append(CANDLES, 1, [b'{"close": 1.5}'], after=None)
    await store.commit()
    client = server.client()
    database = client[server.name_in(url)]
    words = database["rows.candle.binance_usdm.BTCUSDT"].find_one({"step": 1})
    assert words == {"_id": f"{1:019}", "step": 1, "epoch": 1, "payloads": ['{"close": 1.5}']}  # any program reads it
    database["rows.strategy.binance_usdm.BTCUSDT"].insert_one(
        {"_id": f"{1:019}", "step": 1, "epoch": 1, "payloads": ['{"step": 1}']}
    )
    with pytest.raises(StoreDataError):
        await store.read(told, None, 9)
    database["rows.candle.binance_usdm.BTCUSDT"].insert_one({"_id": f"{0:019}", "step": 0, "payloads": [5]})
    with pytest.raises(StoreDataError, match="another program wrote it"):
        await store.read(CANDLES, None, 9)
    client.close()


async def test_a_document_that_another_process_wrote_meanwhile_is_not_overwritten(
    server: MongoServer, opened: Open
) -> None:
    url = server.url()
    engine, beside = opened(url), opened(url)
    await engine.put_document("door", "x", 0, b"one")
    await engine.commit()
    assert await beside.document("door", "x") == (0, b"one")
    await beside.put_document("door", "x", 0, b"two")
    await beside.commit()
    await engine.put_document("door", "x", 0, b"three")  # without having read it again
    with pytest.raises(DocumentMovedError, match="written by another process since"):
        await engine.commit()
    assert await engine.document("door", "x") == (0, b"two")
    await engine.put_document("door", "x", 0, b"three")
    await engine.commit()
    assert await beside.document("door", "x") == (0, b"three")


async def test_a_pairing_code_lets_one_chat_in_also_when_two_processes_open_doors(
    server: MongoServer, opened: Open
) -> None:
    url = server.url()
    engine, beside = opened(url), opened(url)
    first = await open_door(engine, "binance_usdm", 0)
    assert await knock(engine, "binance_usdm", first, 1) == "owner"
    second = await open_door(beside, "binance_usdm", 2)
    assert [await knock(engine, "binance_usdm", second, 3) for _ in range(3)] == ["owner", None, None]
