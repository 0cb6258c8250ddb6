from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sample_chats import StoredLine
from sample_messages import MESSAGES
from sample_trades import MINUTE, QUARTER, plan_at

from trading_system.contracts import EventDTO, from_ms
from trading_system.rules.facts import DECLINES, WITHDRAWALS
from trading_system.rules.grid import Grid
from trading_system.rules.risk import REJECTIONS, Rejection
from trading_system.rules.signals import SIGNAL_REFUSALS
from trading_system.services.telegram_engine import chat_wording
from trading_system.services.telegram_engine.folder import AlertFiles, AlertFolder
from trading_system.services.telegram_engine.messages import quantity_text
from trading_system.services.telegram_engine.news_room import news_of
from trading_system.services.telegram_engine.pictures import tick_decimals
from trading_system.services.telegram_engine.wording import ENGLISH
from trading_system.store.errors import StoreWriteError


class Alerts:
    """A stored line whose alerts go to a folder."""

    def __init__(self, path: Path, *, advised: bool = False) -> None:
        self.path = path
        self.line = StoredLine(advised=advised)

    @property
    def engine(self) -> Any:
        return self.line.engine

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir())

    @property
    def texts(self) -> list[str]:
        return [path.read_text() for path in sorted(self.path.glob("*.txt"))]

    async def live(self) -> None:
        await self.line.live(folder=self.path)


@pytest.fixture
async def alerts(tmp_path: Path) -> AsyncIterator[Alerts]:
    made = Alerts(tmp_path / "alerts")
    await made.live()
    yield made
    if made.engine is not None:
        await made.engine.stop()


async def to_its_end(line: StoredLine) -> None:
    await line.minute(101.0, 101.0, 99.5, 100.5)
    await line.minute(100.5, 104.5, 100.5, 104.4)
    await line.minute(104.4, 104.4, 99.9, 100.0)


async def test_a_signal_whose_entry_is_placed_gets_a_picture_and_a_text_with_its_size(alerts: Alerts) -> None:
    plan = await alerts.line.signal()
    await alerts.engine.poll()
    name = f"20231209T001500Z_BTCUSDT_long_{plan.id[:4].upper()}"
    assert alerts.files == [f"{name}.png", f"{name}.txt"]
    assert "Risk 1.0% · size 50 BTC · leverage 5x\nPAPER · Binance USDT-M · #" in alerts.texts[0]
    with Image.open(alerts.path / f"{name}.png") as picture:
        assert picture.size == (1024, 1280)
    assert (alerts.engine.alerts, alerts.engine.failures) == (1, 0)


async def test_a_refused_signal_says_why_with_the_numbers_and_shows_no_size(alerts: Alerts) -> None:
    alerts.line.book.terms = alerts.line.book.terms._replace(risk=alerts.line.book.terms.risk._replace(max_positions=0))
    await alerts.line.signal()
    await alerts.engine.poll()
    assert "Not taken: too many positions (positions 0, limit 0)\nPAPER" in alerts.texts[0]
    assert "Risk" not in alerts.texts[0]
    assert "leverage" not in alerts.texts[0]


async def test_the_numbers_of_a_refusal_are_short_and_plain(alerts: Alerts) -> None:
    plan = await alerts.line.signal()
    numbers = {"would_be": 312.123456789, "limit": 0.00001}
    await alerts.line.minute(101.0, more=[Rejection(plan, "open_risk", numbers)])
    await alerts.engine.poll()
    assert "Not taken: too much open risk (would be 312.12346, limit 0.00001)\n" in alerts.texts[0]


async def test_no_bell_is_needed_and_a_step_read_twice_makes_one_alert(alerts: Alerts) -> None:
    await alerts.line.signal()
    for _ in range(3):
        await alerts.engine.poll()
    assert alerts.engine.alerts == 1


async def test_a_signal_that_was_found_too_late_is_no_news(alerts: Alerts) -> None:
    await alerts.line.to_quarter()
    close = alerts.line.time + MINUTE
    plan = plan_at(close, zone="")
    alerts.line.book.terms = alerts.line.book.terms._replace(advised=True)
    late = alerts.line.book.minute
    alerts.line.book.minute = lambda *prices, **said: late(*prices, **said, late=frozenset({plan.id}), age=7_200.0)  # type: ignore[method-assign]
    await alerts.line.minute(101.0, plans=[plan])
    await alerts.engine.poll()
    assert alerts.files == []


async def test_an_entry_that_the_exchange_refuses_after_all_replaces_the_alert(alerts: Alerts) -> None:
    plan = await alerts.line.signal()
    await alerts.engine.poll()
    before = alerts.files
    await alerts.line.minute(101.0, more=[Rejection(plan, "venue_refused", {})])
    await alerts.engine.poll()
    assert alerts.files == before
    assert "Not taken: refused by the exchange\n" in alerts.texts[0]
    assert alerts.engine.alerts == 1


async def test_the_line_never_waits_for_a_picture(tmp_path: Path) -> None:
    class SlowFolder(AlertFolder):
        """Writes nothing before it may."""

        allowed = threading.Event()

        def write(self, *parts: Any) -> AlertFiles:
            assert self.allowed.is_set()
            return super().write(*parts)

    alerts = Alerts(tmp_path / "slow")
    await alerts.live()
    folder = SlowFolder(alerts.path)
    alerts.engine._folder._folder = folder
    alerts.engine._pictures._painter.submit(folder.allowed.wait, 30)
    await alerts.engine.start()
    await alerts.line.signal()
    await alerts.line.bus.publish("BTCUSDT_Order_Updated", b"")
    for _ in range(5):
        await alerts.line.minute(101.0)
        await asyncio.sleep(0)
    assert alerts.files == []
    folder.allowed.set()
    await alerts.engine.stop()
    assert len(alerts.files) == 2


async def test_a_picture_that_cannot_be_made_is_counted_and_the_next_one_is_made(
    alerts: Alerts, caplog: pytest.LogCaptureFixture
) -> None:
    await alerts.line.signal(stop=102.0)
    await alerts.line.minute(101.0)
    await alerts.line.signal(number=1)
    with caplog.at_level(logging.ERROR):
        await alerts.engine.poll()
    assert (alerts.engine.alerts, alerts.engine.failures) == (1, 1)
    assert "could not be made; trading goes on" in caplog.text


def breakout(time: int, **values: Any) -> EventDTO:
    start = time - 22 * QUARTER
    lines = {"resist_start": 101.0, "resist_end": 100.5, "support_start": 100.0, "support_end": 99.5}
    pole = {"base_time": start, "base_price": 95.0, "tip_price": 101.0}
    moment = {"time": from_ms(time - QUARTER), "confirmed_at": from_ms(time)}
    return {**MESSAGES["to_event"], **moment, "values": {**pole, **lines, **values}}  # type: ignore[typeddict-item]


async def test_the_pattern_that_a_signal_speaks_about_is_in_its_picture(tmp_path: Path) -> None:
    pictures = []
    for number, seen in enumerate(("nothing", "flag", "block", "another block", "the other side")):
        alerts = Alerts(tmp_path / str(number))
        await alerts.live()
        await alerts.line.to_quarter()
        close = alerts.line.time + MINUTE
        block = {**MESSAGES["to_event"], "id": "block", "kind": "ob_formed", "values": {"top": 100.2, "bottom": 99.5}}
        block |= {"time": from_ms(close - QUARTER), "confirmed_at": from_ms(close)}
        events: list[Any] = {
            "nothing": [],
            "flag": [breakout(close)],
            "block": [block],
            "another block": [{**block, "id": "another"}],
            "the other side": [{**breakout(close), "direction": -1}],
        }[seen]
        pattern = "flag" if seen in {"flag", "the other side"} else "order_block"
        zone = "block" if "block" in seen else ""
        await alerts.line.signal(events=events, pattern=pattern, zone=zone, id="a" * 16)
        await alerts.engine.poll()
        pictures.append(next(alerts.path.glob("*.png")).read_bytes())
        await alerts.engine.stop()
    nothing, flag, block_shown, another, other_side = pictures
    assert nothing == another
    assert len({nothing, flag, block_shown, other_side}) == 4


async def test_an_ended_trade_gets_a_picture_beside_its_alert_also_after_a_restart(alerts: Alerts) -> None:
    plan = await alerts.line.signal()
    await alerts.engine.poll()
    await alerts.line.die()
    await to_its_end(alerts.line)
    await alerts.live()
    await alerts.engine.poll()
    closed = f"20231209T001500Z_BTCUSDT_long_{plan.id[:4].upper()}_closed.png"
    assert closed in alerts.files
    with Image.open(alerts.path / closed) as picture:
        assert picture.size == (1024, 1280)
    assert (alerts.engine.alerts, alerts.engine.closings, alerts.engine.failures) == (0, 1, 0)


async def test_what_a_kill_interrupts_is_written_in_the_next_life_and_only_once(alerts: Alerts) -> None:
    await alerts.line.signal()
    await alerts.engine._news.catch_up()
    await alerts.line.store.commit()
    await alerts.line.die()
    assert alerts.files == []
    for expected in (1, 0):
        await alerts.live()
        await alerts.engine.poll()
        assert (len(alerts.files), alerts.engine.alerts) == (2, expected)
        await alerts.line.die()


async def test_what_is_undone_in_the_store_is_told_again_as_it_then_happens(alerts: Alerts) -> None:
    await alerts.line.signal()
    await alerts.engine._news.catch_up()
    await alerts.line.die()  # before the commit
    assert await alerts.line.store.head(news_of("binance_usdm")) is None
    await alerts.live()
    await alerts.engine.poll()
    assert (alerts.engine.alerts, len(alerts.files)) == (1, 2)


async def test_stopping_finishes_what_is_due(alerts: Alerts) -> None:
    await alerts.engine.start()
    await alerts.line.signal()
    await alerts.engine.stop()
    assert len(alerts.files) == 2


async def test_a_store_that_takes_no_more_ends_the_telling_and_nothing_else(
    alerts: Alerts, caplog: pytest.LogCaptureFixture
) -> None:
    async def full() -> None:
        raise StoreWriteError("no room")

    with caplog.at_level(logging.ERROR):
        await alerts.engine.start()
        await alerts.line.signal()
        commit, alerts.line.store.commit = alerts.line.store.commit, full  # type: ignore[method-assign]
        await alerts.line.bus.publish("BTCUSDT_Order_Updated", b"")
        await asyncio.wait_for(asyncio.shield(alerts.engine._tasks[0]), 20)
        alerts.line.store.commit = commit  # type: ignore[method-assign]
    assert isinstance(alerts.engine.failure, StoreWriteError)
    assert "nothing is told any more; trading goes on" in caplog.text
    await alerts.line.minute(101.0)


def test_every_rule_that_refuses_a_signal_has_its_words() -> None:
    assert {f"refused.{rule}" for rule in (*REJECTIONS, *SIGNAL_REFUSALS)} <= set(ENGLISH)
    ends = {f"withdrawal.{rule}" for rule in (*WITHDRAWALS, *DECLINES) if rule != "skipped"}
    assert ends <= set(chat_wording.ENGLISH)


def test_a_quantity_is_said_in_the_base_currency_where_the_name_tells_it() -> None:
    assert [quantity_text(name, 0.083) for name in ("BTCUSDT", "BTCUSDC", "BTCEUR", "USDT")] == [
        "0.083 BTC",
        "0.083 BTC",
        "0.083",
        "0.083",
    ]


def test_a_ticks_digits_are_those_of_its_shortest_text() -> None:
    ticks = (Grid(1, 10), Grid(1, 20), Grid(1, 100_000_000), Grid(10, 1))
    assert [tick_decimals(tick) for tick in ticks] == [1, 2, 8, 0]
