from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sample_messages import AT, MESSAGES

from trading_system.bus.memory import MemoryBus
from trading_system.contracts import (
    CandleDTO,
    EventDTO,
    HighLowDTO,
    TradeSignalDTO,
    order_updated_channel,
    position_updated_channel,
    serialize,
    signal_rejected_channel,
    strategy_step_channel,
    to_ms,
)
from trading_system.rules.grid import Grid, Instrument
from trading_system.rules.risk import REJECTIONS
from trading_system.rules.signals import SIGNAL_REFUSALS
from trading_system.services.telegram_engine.folder import AlertFiles, AlertFolder
from trading_system.services.telegram_engine.messages import quantity_text
from trading_system.services.telegram_engine.service import (
    CANDLES_KEPT,
    SIGNALS_KEPT,
    RecentPast,
    TelegramEngine,
    tick_decimals,
)
from trading_system.services.telegram_engine.wording import ENGLISH

BTC = "BTCUSDT"
SIGNAL = "a41fxyzxyzxyzxyz"
QUARTER = timedelta(minutes=15)
PLACE = {"exchange": "binance_usdm", "symbol": BTC}
CLOSED = "20240501T121500Z_BTCUSDT_long_A41F_closed.png"
FILES = ("20240501T121500Z_BTCUSDT_long_A41F.png", "20240501T121500Z_BTCUSDT_long_A41F.txt")


class Line:
    """The services around the alerts, played by hand over one bus."""

    def __init__(self, folder: AlertFolder, *symbols: str) -> None:
        self.bus = MemoryBus()
        self.path = folder.path
        instruments = {
            symbol: Instrument("binance_usdm", symbol, Grid(1, 10), Grid(1, 1000), 5.0, 0.0005, 0.0002, 0.004)
            for symbol in symbols or (BTC,)
        }
        self.engine = TelegramEngine(self.bus, instruments, "15m", folder, "DEMO", 1.0, 5.0)

    async def step(self, *signals: TradeSignalDTO, **more: Any) -> None:
        word = {**PLACE, "step": to_ms(AT + QUARTER) // 60_000, "candles": [candle(0)], **more}
        symbol = word["symbol"]
        await self.bus.publish(strategy_step_channel(symbol), serialize({**word, "signals": list(signals)}))

    async def order(self, signal_id: str = SIGNAL, **changes: Any) -> None:
        entry = {"side": "buy", "type": "limit", "price": 100.0, "quantity": 0.083, "reduce_only": False}
        word = {**MESSAGES["to_order"], **entry, "role": "e", "signal_id": signal_id, **changes}
        await self.bus.publish(order_updated_channel(word["symbol"]), serialize(word))

    async def reject(self, rule: str, signal_id: str = SIGNAL, **numbers: float) -> None:
        word = {**PLACE, "rule": rule, "confirmed_at": AT + QUARTER, "numbers": numbers, "signal_id": signal_id}
        await self.bus.publish(signal_rejected_channel(BTC), serialize(word))

    async def filled(self, role: str, price: float, **changes: Any) -> None:
        await self.order(role=role, status="filled", filled=0.083, average_price=price, **changes)

    async def closed(self, quarters: int, signal_id: str = SIGNAL, **changes: Any) -> None:
        word = {
            **PLACE,
            "side": "long",
            "quantity": 0.0,
            "entry_price": 100.0,
            "time": AT + quarters * QUARTER,
            "protected": True,
            "signal_id": signal_id,
            "r": 1.2,
            "realized": 3.4,
            **changes,
        }
        await self.bus.publish(position_updated_channel(BTC), serialize(word))

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(sorted(path.name for path in self.path.iterdir()))

    @property
    def text(self) -> str:
        return (self.path / FILES[1]).read_text()


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    played = Line(AlertFolder(tmp_path / "alerts"))
    await played.engine.start()
    yield played
    await played.engine.stop()


def candle(quarters: int, interval: str = "15m") -> CandleDTO:
    return {**MESSAGES["to_candle"], "open_time": AT + quarters * QUARTER, "interval": interval}  # type: ignore[typeddict-item]


def swing(quarters: int, **changes: Any) -> HighLowDTO:
    moved = {"time": AT + quarters * QUARTER, "confirmed_at": AT + QUARTER, "id": f"swing{quarters}"}
    return {**MESSAGES["to_high_low"], **moved, **changes}  # type: ignore[typeddict-item]


def signal(**changes: Any) -> TradeSignalDTO:
    return {**MESSAGES["to_signal"], "id": SIGNAL, "zone": "block", **changes}  # type: ignore[typeddict-item]


def block(**changes: Any) -> EventDTO:
    values = {"top": 100.2, "bottom": 99.5}
    return {**MESSAGES["to_event"], "id": "block", "kind": "ob_formed", "values": values, **changes}  # type: ignore[typeddict-item]


def breakout(**values: Any) -> EventDTO:
    start = to_ms(AT - 20 * QUARTER)
    lines = {"resist_start": 101.0, "resist_end": 100.5, "support_start": 100.0, "support_end": 99.5}
    pole = {"base_time": start, "base_price": 95.0, "tip_price": 101.0}
    return {**MESSAGES["to_event"], "values": {**pole, **lines, **values}}  # type: ignore[typeddict-item]


async def test_a_signal_that_was_found_too_late_is_no_news(line: Line) -> None:
    await line.step(signal())
    await line.reject("signal_stale", age_s=7_200.0)
    await line.engine.drain()
    assert line.files == ()


async def test_a_signal_whose_entry_is_placed_gets_a_picture_and_a_text_with_its_size(line: Line) -> None:
    await line.step(signal(), events=[block()], swings=[swing(0)])
    await line.engine.drain()
    assert line.files == ()
    await line.order()
    await line.engine.drain()
    assert line.files == FILES
    assert "Risk 1.0% · size 0.083 BTC · leverage 5x\nDEMO · Binance USDT-M · #A41F\n" in line.text
    with Image.open(line.path / FILES[0]) as picture:
        assert picture.size == (1024, 1280)
    assert (line.engine.alerts, line.engine.failures) == (1, 0)


async def test_a_refused_signal_says_why_with_the_numbers_and_shows_no_size(line: Line) -> None:
    await line.step(signal())
    await line.reject("max_positions", positions=3, limit=3)
    await line.engine.drain()
    assert "Not taken: too many positions (positions 3, limit 3)\nDEMO" in line.text
    assert "Risk" not in line.text
    assert "leverage" not in line.text
    assert line.engine.alerts == 1


async def test_the_numbers_of_a_refusal_are_short_and_plain(line: Line) -> None:
    await line.step(signal())
    await line.reject("open_risk", would_be=312.123456789, limit=0.00001)
    await line.engine.drain()
    assert "Not taken: too much open risk (would be 312.12346, limit 0.00001)\n" in line.text


async def test_a_fate_that_overtakes_its_signal_is_kept_for_it(line: Line) -> None:
    await line.order()
    await line.step(signal())
    await line.engine.drain()
    assert "size 0.083 BTC" in line.text


async def test_only_the_new_entry_order_is_a_fate(line: Line) -> None:
    await line.step(signal())
    await line.order(role="s", type="stop")
    await line.order(role="e", status="filled")
    await line.engine.drain()
    assert line.files == ()


async def test_news_of_another_signal_or_of_a_candidate_changes_nothing(line: Line) -> None:
    await line.step(signal())
    await line.order(signal_id="b" * 16)
    candidate = {
        key: MESSAGES["to_rejection"][key] for key in ("exchange", "symbol", "rule", "confirmed_at", "numbers")
    }
    await line.bus.publish(signal_rejected_channel(BTC), serialize(candidate))
    await line.engine.drain()
    assert line.files == ()


async def test_a_bell_that_rings_twice_makes_one_alert(line: Line) -> None:
    for _ in range(2):
        await line.step(signal())
        await line.order()
    await line.engine.drain()
    assert line.engine.alerts == 1


async def test_an_entry_that_the_exchange_refuses_after_all_replaces_the_alert(line: Line) -> None:
    await line.step(signal())
    await line.order()
    await line.reject("venue_refused")
    await line.engine.drain()
    assert line.files == FILES
    assert "Not taken: refused by the exchange\n" in line.text
    assert line.engine.alerts == 1


async def test_the_line_never_waits_for_a_picture(tmp_path: Path) -> None:
    class SlowFolder(AlertFolder):
        """Writes nothing before it may."""

        allowed = threading.Event()

        def write(self, *parts: Any) -> AlertFiles:
            assert self.allowed.wait(30)
            return super().write(*parts)

    folder = SlowFolder(tmp_path / "slow")
    line = Line(folder)
    await line.engine.start()
    await line.step(signal())
    await line.order()
    drained = asyncio.create_task(line.engine.drain())
    await line.step(signal(id="b" * 16))
    await line.reject("day_loss", "b" * 16)
    assert (line.files, drained.done()) == ((), False)
    folder.allowed.set()
    await drained
    assert len(line.files) == 4
    await line.engine.stop()


async def test_a_picture_that_cannot_be_made_is_counted_and_the_next_one_is_made(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = signal(id="b" * 16, stop_loss=99.0, take_profits=[{"price": 98.0, "weight": 1.0}])
    await line.step(wrong, signal())
    with caplog.at_level(logging.ERROR):
        await line.order(signal_id="b" * 16)
        await line.order()
        await line.engine.drain()
    assert (line.engine.alerts, line.engine.failures) == (1, 1)
    assert line.files == FILES
    assert "the alert of signal bbbbbbbbbbbbbbbb could not be made; trading goes on" in caplog.text


async def test_a_flag_signal_shows_the_breakout_of_its_own_candle(line: Line) -> None:
    await line.step(signal(pattern="flag", zone="", entry_type="market"), events=[breakout()])
    await line.order()
    await line.step(signal(pattern="flag", zone="", id="b" * 16), events=[breakout(base_price=float("1e-9"))])
    await line.order(signal_id="b" * 16)
    await line.engine.drain()
    assert (line.engine.alerts, line.engine.failures) == (2, 0)


async def test_an_ended_trade_gets_a_picture_beside_its_alert(line: Line) -> None:
    await line.step(signal())
    await line.order()
    await line.step(candles=[candle(1)], step=to_ms(AT + 2 * QUARTER) // 60_000)
    await line.filled("e", 100.0)
    await line.step(candles=[candle(2)], step=to_ms(AT + 3 * QUARTER) // 60_000)
    await line.filled("1", 102.0)
    await line.closed(3)
    await line.closed(3)
    await line.engine.drain()
    assert line.files == tuple(sorted((*FILES, CLOSED)))
    assert (line.engine.alerts, line.engine.closings, line.engine.failures) == (1, 1, 0)
    with Image.open(line.path / CLOSED) as picture:
        assert picture.size == (1024, 1280)


async def test_a_trade_without_a_known_signal_has_no_closing_picture(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await line.filled("e", 100.0)
        await line.closed(3)
        await line.engine.drain()
    assert line.files == ()
    assert "began before this start" in caplog.text
    assert line.engine.failures == 0


async def test_a_position_that_is_still_held_closes_nothing(line: Line) -> None:
    await line.step(signal())
    await line.order()
    await line.filled("e", 100.0)
    await line.closed(2, quantity=0.04)
    await line.engine.drain()
    assert line.files == FILES


async def test_a_closing_picture_that_cannot_be_made_is_counted(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    await line.step(signal())
    await line.order()
    with caplog.at_level(logging.ERROR):
        await line.closed(3)
        await line.engine.drain()
    assert (line.engine.closings, line.engine.failures) == (0, 1)
    assert f"the closing picture of signal {SIGNAL} could not be made; trading goes on" in caplog.text


async def test_a_trade_is_not_forgotten_however_many_signals_follow(line: Line) -> None:
    await line.step(signal())
    await line.order()
    await line.filled("e", 100.0)
    for number in range(SIGNALS_KEPT + 5):
        await line.reject("margin", f"other{number}")
    await line.filled("s", 98.0)
    await line.closed(1)
    await line.engine.drain()
    assert CLOSED in line.files


async def test_each_symbol_has_its_own_past(tmp_path: Path) -> None:
    line = Line(AlertFolder(tmp_path), BTC, "ETHUSDC")
    await line.engine.start()
    ether = {"exchange": "binance_usdm", "symbol": "ETHUSDC"}
    await line.step(signal(**ether), **ether, candles=[{**candle(0), "symbol": "ETHUSDC"}])
    await line.order(**ether, quantity=1.5)
    await line.engine.stop()
    assert line.files == tuple(name.replace(BTC, "ETHUSDC") for name in FILES)
    assert "size 1.5 ETH ·" in (tmp_path / FILES[1].replace(BTC, "ETHUSDC")).read_text()


async def test_stopping_finishes_what_is_due_and_hears_nothing_more(line: Line) -> None:
    await line.step(signal())
    await line.order()
    await line.engine.stop()
    assert line.files == FILES
    await line.step(signal(id="b" * 16))
    await line.order(signal_id="b" * 16)
    await line.engine.stop()
    assert line.engine.alerts == 1


async def test_a_signal_of_unknown_fate_is_named_at_the_end(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    await line.step(signal())
    with caplog.at_level(logging.WARNING):
        await line.engine.stop()
    assert "what became of 1 signals" in caplog.text
    assert line.files == ()


async def test_fates_without_a_signal_do_not_pile_up(line: Line) -> None:
    await line.order()
    for number in range(SIGNALS_KEPT):
        await line.reject("margin", f"other{number}")
    await line.step(signal())
    await line.engine.drain()
    assert line.files == ()


async def test_what_was_said_before_the_start_is_in_the_first_picture(line: Line) -> None:
    line.engine.remember(BTC, [candle(-2), candle(-1)], [swing(-2)])
    await line.step(signal())
    await line.order()
    await line.engine.drain()
    with_past = (line.path / FILES[0]).read_bytes()
    alone = Line(AlertFolder(line.path / "alone"))
    await alone.engine.start()
    await alone.step(signal())
    await alone.order()
    await alone.engine.stop()
    assert with_past != (alone.path / FILES[0]).read_bytes()


def test_the_past_keeps_the_newest_candles_of_its_interval_and_their_swings() -> None:
    past = RecentPast("15m")
    past.keep([candle(0, "1h"), candle(0), candle(0, "1m")], [swing(0), swing(0, interval="1h", id="other")])
    for quarter in range(1, CANDLES_KEPT):
        past.keep([candle(quarter)], [])
    seen = past.sighting(signal(), [])
    assert [one["open_time"] for one in seen.candles] == [AT + n * QUARTER for n in range(CANDLES_KEPT)]
    assert [one["id"] for one in seen.swings] == ["swing0"]
    past.keep([candle(CANDLES_KEPT)], [swing(CANDLES_KEPT)])
    seen = past.sighting(signal(), [])
    assert [one["id"] for one in seen.swings] == [f"swing{CANDLES_KEPT}"]
    assert seen.candles[0]["open_time"] == AT + QUARTER
    past.keep([candle(CANDLES_KEPT), candle(3)], [swing(CANDLES_KEPT)])
    assert past.sighting(signal(), []) == seen


def test_a_sighting_names_the_block_or_the_breakout_that_the_signal_speaks_about() -> None:
    past = RecentPast("15m")
    past.keep([candle(0)], [])
    other = block(id="another")
    down: EventDTO = {**breakout(), "direction": -1}
    seen = past.sighting(signal(), [other, block(), breakout()])
    assert (seen.zone, seen.breakout) == (block(), None)
    seen = past.sighting(signal(pattern="flag", zone=""), [other, down, breakout()])
    assert (seen.zone, seen.breakout) == (None, breakout())


def test_every_rule_that_refuses_a_signal_has_its_words() -> None:
    assert {f"refused.{rule}" for rule in (*REJECTIONS, *SIGNAL_REFUSALS)} <= set(ENGLISH)


def test_a_quantity_is_said_in_the_base_currency_where_the_name_tells_it() -> None:
    assert [quantity_text(name, 0.083) for name in (BTC, "BTCUSDC", "BTCEUR", "USDT")] == [
        "0.083 BTC",
        "0.083 BTC",
        "0.083",
        "0.083",
    ]


def test_a_ticks_digits_are_those_of_its_shortest_text() -> None:
    ticks = (Grid(1, 10), Grid(1, 20), Grid(1, 100_000_000), Grid(10, 1))
    assert [tick_decimals(tick) for tick in ticks] == [1, 2, 8, 0]
