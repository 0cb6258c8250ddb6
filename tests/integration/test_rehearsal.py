"""A market that goes on by itself: minutes close when the venue's clock says so, whoever is there."""

from __future__ import annotations

from simulated_venue import CALM, START, frame, venue

from trading_system.simulator.rehearsal import MarketClock, play_on

MINUTES = ((100.0, 101.0, 99.0, 100.5), (100.5, 102.0, 100.0, 101.0), CALM)


class Machine:
    """A clock that moves when it is slept through."""

    def __init__(self) -> None:
        self.ms = 5_000
        self.waits: list[float] = []

    def wall_ms(self) -> int:
        return self.ms

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.ms += round(seconds * 1000)


def test_the_venues_clock_runs_at_its_own_speed() -> None:
    machine = Machine()
    clock = MarketClock(1_700_000_000_000, 60.0, machine.wall_ms)
    machine.ms += 1_000
    assert clock.now_ms() == 1_700_000_060_000
    assert clock.seconds_until(1_700_000_120_000) == 1.0
    assert clock.seconds_until(1_700_000_000_000) == 0.0


async def test_minutes_close_on_the_venues_clock_until_the_market_is_over() -> None:
    machine = Machine()
    async with venue(*MINUTES) as client:
        ws = await client.market_stream()
        clock = MarketClock(START * 60_000 + 30_000, 2.0, machine.wall_ms)
        await play_on(client.server, clock, machine.sleep)
        said = [(await frame(ws))["k"] for _ in range(client.server.wire["frames"])]
        assert [candle["c"] for candle in said if candle["x"]] == ["100.5", "101", "100"]
        running = [candle for candle in said if not candle["x"] and candle["v"] == "0"]
        assert {(candle["o"], candle["h"], candle["c"]) for candle in running[:8]} == {("100", "100", "100")}
    assert sum(machine.waits) == 75.0
    assert max(machine.waits) == 2.0
