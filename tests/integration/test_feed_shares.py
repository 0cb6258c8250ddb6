"""The compiled feed over several connections, with symbols that join and leave, and through proxies of both kinds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from proxies import Handshake, http_connect, proxy, socks5
from test_feed_socket import SOON, Venue, feeding, kline, served

from trading_system._feed import Feed


async def test_more_symbols_than_a_connection_takes_are_shared_out() -> None:
    venue = Venue()
    async with served(venue) as port, feeding(port, "AUSDT", "BUSDT", "CUSDT", symbols_per_connection=2) as ear:
        first, second = await venue.next_line(), await venue.next_line()
        params = sorted(tuple(asked["params"]) for asked in venue.asked)
        assert params == [("ausdt@kline_1m", "busdt@kline_1m"), ("cusdt@kline_1m",)]
        await ear.until(lambda events: [event[0] for event in events].count("subscribed") == 2)
        of_c = first if venue.asked_on[id(first)]["params"] == ["cusdt@kline_1m"] else second
        await of_c.send_str(kline("CUSDT", 0))
        assert [event[:2] for event in await ear.kinds("candle")] == [("candle", "CUSDT")]


async def test_a_cut_connection_takes_only_its_own_symbols_down() -> None:
    venue = Venue()
    async with served(venue) as port, feeding(port, "AUSDT", "BUSDT", symbols_per_connection=1) as ear:
        lines = [await venue.next_line(), await venue.next_line()]
        await ear.until(lambda events: [event[0] for event in events].count("subscribed") == 2)
        of = {venue.asked_on[id(line)]["params"][0]: line for line in lines}
        await of["ausdt@kline_1m"].close()
        await of["busdt@kline_1m"].send_str(kline("BUSDT", 0))
        heard = await ear.until(lambda events: [event[0] for event in events].count("subscribed") == 1)
        assert sorted(event[0] for event in heard) == ["candle", "connected", "cut", "subscribed"]
        assert venue.asked[-1]["params"] == ["ausdt@kline_1m"]


async def test_symbols_join_and_leave_while_the_feed_runs() -> None:
    venue = Venue()
    async with served(venue) as port, feeding(port, "AUSDT", symbols_per_connection=2) as ear:
        line = await venue.next_line()
        await ear.kinds("connected", "subscribed")
        ear.feed.add(["BUSDT", "CUSDT"])
        joined, other = await venue.next_line(), await venue.next_line()
        assert line in (joined, other)
        assert sorted(asked["params"][0] for asked in venue.asked[1:]) == ["busdt@kline_1m", "cusdt@kline_1m"]
        await ear.until(lambda events: [event[0] for event in events].count("subscribed") == 2)
        await line.send_str(kline("BUSDT", 0))
        assert (await ear.kinds("candle"))[0][1] == "BUSDT"
        ear.feed.remove(["AUSDT", "CUSDT"])
        assert await asyncio.wait_for(venue.ended.get(), SOON) is not line  # the one that had nothing else to hear
        assert await venue.next_line() is line
        assert venue.asked[-1] == {"method": "UNSUBSCRIBE", "params": ["ausdt@kline_1m"], "id": 3}
        await line.send_str(kline("BUSDT", 1))
        assert (await ear.kinds("candle"))[0][1] == "BUSDT"


async def test_a_refused_symbol_is_named_and_the_others_flow() -> None:
    venue = Venue(acknowledges=False)
    async with served(venue) as port, feeding(port, "AUSDT", "BADUSDT", silence_ms=0) as ear:
        line = await venue.next_line()
        await line.send_json({"error": {"code": 2, "msg": "invalid stream"}, "id": 1})
        await venue.next_line()
        await venue.next_line()
        for asked in venue.asked[1:]:
            refuses = asked["params"] == ["badusdt@kline_1m"]
            answer = {"error": {"code": 2, "msg": "invalid stream"}} if refuses else {"result": None}
            await line.send_json({**answer, "id": asked["id"]})
        heard = await ear.kinds("connected", "refused", "subscribed")
        assert heard[1:] == [("refused", ["BADUSDT"], "invalid stream"), ("subscribed", 1)]


@pytest.mark.parametrize(("scheme", "handshake"), [("http", http_connect), ("socks5", socks5)])
async def test_candles_flow_through_a_proxy(scheme: str, handshake: Handshake) -> None:
    venue = Venue()
    async with (
        served(venue) as port,
        proxy(handshake) as at,
        feeding(port, proxy=f"{scheme}://me:%73ecret@127.0.0.1:{at.port}") as ear,
    ):
        line = await venue.next_line()
        await ear.kinds("connected", "subscribed")
        await line.send_str(kline("BTCUSDT", 0))
        assert (await ear.kinds("candle"))[0][1] == "BTCUSDT"


@pytest.mark.parametrize(("scheme", "handshake"), [("http", http_connect), ("socks5", socks5)])
async def test_a_proxy_that_refuses_is_one_sentence_without_the_password(scheme: str, handshake: Handshake) -> None:
    async with proxy(handshake) as at, feeding(1, proxy=f"{scheme}://me:wr0ng@127.0.0.1:{at.port}") as ear:
        heard = await ear.until(lambda events: len(events) >= 2)
    assert {event[0] for event in heard} == {"cut"}
    assert heard[0][1].startswith(f"connect_failed: the proxy at 127.0.0.1:{at.port} refused: ")
    assert "wr0ng" not in str(heard)


@pytest.mark.parametrize("text", ["ftp://a:1", "http://nothing", "http://topsecret@a:1"])
def test_an_impossible_proxy_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="proxy: expected http://host:port") as caught:
        Feed("ws://127.0.0.1:1/market/ws", ["BTCUSDT"], proxy=text)
    assert "topsecret" not in str(caught.value)


def test_a_share_larger_than_the_venue_takes_is_refused() -> None:
    wish: dict[str, Any] = {"symbols_per_connection": 1_025}
    with pytest.raises(ValueError, match="symbols_per_connection: expected at most 1024, or 0 for that, was 1025"):
        Feed("ws://127.0.0.1:1/market/ws", ["BTCUSDT"], **wish)
