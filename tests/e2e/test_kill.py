"""The line is killed with SIGKILL and started again on its folder: it ends as if nothing had happened."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from both_sides import assert_each_signal_entered_once, journal_of
from conducted import conducted
from program import (
    COMMAND,
    PATIENCE_S,
    ROOT,
    ExchangeProcess,
    environment,
    exchange_process,
    line_words,
    program,
    started,
)
from small_markets import (
    MINUTE,
    QUICK,
    SMALL,
    made_market,
    quick_settings,
    small_market,
    small_settings,
    write_candles,
)

from trading_system.research.candle_inputs import CandleInputs
from trading_system.research.parity import compare
from trading_system.research.runs import run_backtest, write
from trading_system.rules.matching import OrderType
from trading_system.settings import Settings
from trading_system.simulated_run import simulator_of
from trading_system.simulator.exchange import Advanced
from trading_system.simulator.faults import Fault, FaultKind, FaultScript
from trading_system.simulator.server import SimulatorServer

LONG_TRADE = ("warm_up=85",)  # one trade of four hours, which a look from outside cannot miss
LONG_SEED, LONG_MINUTES = 4, 725


def backtest_into(folder: Path, inputs: CandleInputs, settings: Settings) -> str:
    run = run_backtest(inputs, settings)
    write(folder, run)
    return str(run.summary["fingerprint"])


# --- both as processes, watched from outside


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[ExchangeProcess]:
    rows = made_market(quick_settings(*LONG_TRADE), LONG_SEED, ["BTCUSDT"], LONG_MINUTES).candles["BTCUSDT"]
    file = write_candles(tmp_path / "market.csv", rows)
    with exchange_process(file, (*QUICK, *LONG_TRADE), tmp_path) as process:
        yield process


def killed_when(exchange: ExchangeProcess, folder: Path, moment: Callable[[dict[str, Any]], bool]) -> None:
    """Start the line and kill it as soon as the exchange shows the moment."""
    line = started(*line_words(exchange.url, folder, (*QUICK, *LONG_TRADE)), cwd=folder.parent)
    try:
        while not moment(exchange.state()):
            assert line.poll() is None, "the line ended before the moment came"
    finally:
        line.kill()
        line.communicate(timeout=PATIENCE_S)


def in_a_trade(state: dict[str, Any]) -> bool:
    return bool(state["positions"])


def with_an_entry_waiting(state: dict[str, Any]) -> bool:
    return bool(state["open_orders"]) and not state["positions"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "moments",
    [(in_a_trade,), (with_an_entry_waiting, in_a_trade)],
    ids=["in a trade", "twice: with an entry waiting, then in the trade"],
)
def test_a_line_killed_and_restarted_ends_like_the_backtest(
    exchange: ExchangeProcess, tmp_path: Path, moments: tuple[Callable[[dict[str, Any]], bool], ...]
) -> None:
    settings = quick_settings(*LONG_TRADE)
    market = made_market(settings, LONG_SEED, ["BTCUSDT"], LONG_MINUTES)
    expected = backtest_into(tmp_path / "backtest", market, settings)
    folder = tmp_path / "line"

    for moment in moments:
        killed_when(exchange, folder, moment)
        assert not (folder / "summary.json").exists()
    done = program(*line_words(exchange.url, folder, (*QUICK, *LONG_TRADE)), cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["fingerprint"] == expected
    difference = compare(folder, tmp_path / "backtest").difference
    assert difference is None, difference.sentence()
    assert_each_signal_entered_once(folder)
    assert exchange.state()["open_orders"] == exchange.state()["positions"] == 0


# --- the exchange in this process, so that the kill hits a chosen request


class Executioner(FaultScript):
    """Kills the line at chosen order requests, each time in its next life.

    ``accepted``: the order is taken before the line dies, else it never arrives.
    """

    def __init__(self, at: dict[int, bool]) -> None:
        super().__init__()
        self._at = at
        self.line: asyncio.subprocess.Process | None = None
        self.killed = 0
        self._orders = 0

    def on_order_request(self) -> Fault | None:
        self._orders += 1
        accepted = self._at.get(self._orders)
        if accepted is None:
            return None
        self.kill()
        if accepted:
            return Fault(FaultKind.LOST_ANSWER, nth=1)
        return Fault(FaultKind.REJECTED_ORDER, nth=1)

    def kill(self) -> None:
        assert self.line is not None
        self.line.kill()
        self.killed += 1


async def lives(script: Executioner, url: str, folder: Path) -> dict[str, Any]:
    """Start the line again and again until a life ends by itself, and return what it printed."""
    while True:
        before = script.killed
        line = await asyncio.create_subprocess_exec(
            *COMMAND,
            *line_words(url, folder, (*QUICK, *SMALL)),
            cwd=ROOT,
            env=environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        script.line = line
        said, problems = await asyncio.wait_for(line.communicate(), PATIENCE_S)
        if script.killed == before:
            assert line.returncode == 0, problems.decode()
            return dict(json.loads(said))
        assert line.returncode == -9


class DeadlyMarket(SimulatorServer):
    """Kills the line in the middle of chosen fills or steps: the exchange has moved on, nobody has reacted."""

    deadly_trades: frozenset[int] = frozenset()
    deadly_steps: frozenset[int] = frozenset()
    seen_protected = 0

    async def advance(self, until: int | None = None) -> Advanced:
        self.assert_every_position_is_protected()
        before = self.exchange.standing()
        after = await super().advance(until)
        filled = after.trade != before.trade and after.trade in self.deadly_trades
        closed = not self.deadly_steps.isdisjoint(range(before.step + 1, after.step + 1))
        if (filled or closed) and isinstance(self.faults, Executioner):
            self.faults.kill()
        return after

    def assert_every_position_is_protected(self) -> None:
        """Whenever the line says that the market may go on, each position has a stop of its whole size."""
        for book in self.exchange.books.values():
            position = book.position
            stops = [
                one.quantity for one in book.open.values() if one.type == OrderType.STOP and one.side == -position.side
            ]
            assert not position.side or stops == [position.held]
            self.seen_protected += bool(position.side)


async def traded_on(server: DeadlyMarket, script: Executioner, folder: Path) -> dict[str, Any]:
    async with conducted(server) as url:
        return await lives(script, url, folder)


@pytest.mark.slow
@pytest.mark.parametrize("accepted", [True, False], ids=["just after it arrived", "just before it arrives"])
async def test_a_line_killed_at_its_orders_enters_once_and_protects_always(tmp_path: Path, accepted: bool) -> None:
    settings = small_settings()
    expected = backtest_into(tmp_path / "backtest", small_market(settings), settings)
    # entry, stop, target; then those of the second trade with its ladder
    script = Executioner(dict.fromkeys((1, 3, 6), accepted))
    server = DeadlyMarket(simulator_of(small_market(settings), settings).exchange, script)

    said = await traded_on(server, script, tmp_path / "line")

    assert script.killed == 3
    assert server.seen_protected > 0
    assert said["fingerprint"] == expected
    difference = compare(tmp_path / "line", tmp_path / "backtest").difference
    assert difference is None, difference.sentence()
    assert_each_signal_entered_once(tmp_path / "line")
    assert server.state()["open_orders"] == server.state()["positions"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trades", "minutes"), [({1, 3, 4}, set()), (set(), {551, 650, 779})], ids=["in the moment of a fill", "while flat"]
)
async def test_a_line_killed_as_the_market_moves_catches_up_in_its_next_life(
    tmp_path: Path, trades: set[int], minutes: set[int]
) -> None:
    settings = small_settings()
    market = small_market(settings)
    expected = backtest_into(tmp_path / "backtest", market, settings)
    script = Executioner({})
    server = DeadlyMarket(simulator_of(market, settings).exchange, script)
    server.deadly_trades = frozenset(trades)  # the entries of both trades, the first target of the second
    server.deadly_steps = frozenset(market.origin // MINUTE + minute for minute in minutes)

    said = await traded_on(server, script, tmp_path / "line")

    assert script.killed == 3
    assert said["fingerprint"] == expected
    difference = compare(tmp_path / "line", tmp_path / "backtest").difference
    assert difference is None, difference.sentence()
    assert {row.state for row in journal_of(tmp_path / "line")}.isdisjoint({"INTENT", "UNKNOWN", "ACKED"})
    assert_each_signal_entered_once(tmp_path / "line")
