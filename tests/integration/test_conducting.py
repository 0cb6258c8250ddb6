"""A conductor beside the exchange: it hears the line's reports over the control plane and moves the market by them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from simulated_venue import CALM, START, RawClient, cid, venue

from trading_system.simulated_run import SimulatorGoneError, conduct_from_beside

RISE = (100.0, 106.0, 99.0, 105.0)


async def reported(client: RawClient, step: int, trade: int = 0, *, open_: int = 0, until: int | None = None) -> Any:
    body = {"step": step, "trade": trade, "open": open_, "until": until}
    async with client.session.post(f"{client.at.http}/_sim/report", json=body) as answer:
        assert answer.status == 200
        return await answer.json()


async def moved_to(client: RawClient, step: int, trade: int = 0) -> None:
    """Ask the exchange where it stands until it stands there."""
    while True:
        _, state = await client.request("GET", "/_sim/state")
        if (state["step"], state["trade"]) == (step, trade):
            return


async def test_the_market_goes_on_when_the_line_is_quiet_and_not_before() -> None:
    async with venue(CALM, CALM, CALM, CALM, CALM) as client:
        conductor = asyncio.create_task(conduct_from_beside(client.at.http))
        assert await reported(client, START - 1) == {"step": START, "trade": 0, "done": False}
        assert await reported(client, START, open_=1) == {"step": START, "trade": 0, "done": False}
        await reported(client, START)
        await moved_to(client, START + 1)
        await reported(client, START + 1, until=START + 4)
        await moved_to(client, START + 4)
        await reported(client, START + 4)
        await moved_to(client, START + 5)
        assert (await reported(client, START + 5))["done"]
        assert (await conductor).done


async def test_a_fill_stops_the_market_in_the_middle_of_its_minute_until_the_trade_is_booked() -> None:
    async with venue(RISE, CALM) as client:
        await client.order("BUY", "LIMIT", price="99.5")
        conductor = asyncio.create_task(conduct_from_beside(client.at.http))
        await reported(client, START)
        await moved_to(client, START, 1)
        assert client.server.trades()["trades"][0]["clientOrderId"] == cid("e")
        await reported(client, START, 1)
        await moved_to(client, START + 1, 1)
        conductor.cancel()
        await asyncio.gather(conductor, return_exceptions=True)


async def test_a_report_that_is_none_is_refused_in_one_sentence() -> None:
    async with venue(CALM) as client:
        async with client.session.post(f"{client.at.http}/_sim/report", json={"step": "soon"}) as answer:
            assert answer.status == 400
            assert "expected a report" in (await answer.json())["error"]
        status, said = await client.request("GET", "/_sim/report")
        assert (status, "expected a report" in said["error"]) == (400, True)


async def test_conducting_nobody_says_where_somebody_was_expected() -> None:
    with pytest.raises(SimulatorGoneError, match=r"expected a simulated exchange at http://127\.0\.0\.1:9, was "):
        await conduct_from_beside("http://127.0.0.1:9")
