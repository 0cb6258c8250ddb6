from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from trading_system.charts.scene import PictureError, PictureFlag, PictureSwing, PictureTarget, PictureZone, Segment
from trading_system.contracts import CandleDTO, EventDTO, FillDTO, HighLowDTO, OrderDTO, TradeSignalDTO, to_ms
from trading_system.rules.score import SCORE_COMPONENTS
from trading_system.rules.trade_plan import PLAN_REFUSALS
from trading_system.services.telegram_engine.alert import WINDOW, alert_picture, flag_of_breakout
from trading_system.services.telegram_engine.folder import AlertFolder, alert_name
from trading_system.services.telegram_engine.messages import (
    RunSummary,
    alert_text,
    duration_text,
    fill_text,
    order_text,
    setup_text,
    signed,
    stop_text,
    summary_text,
    target_text,
)
from trading_system.services.telegram_engine.wording import ENGLISH, IN_ENGLISH

CONFIRMED = datetime(2025, 11, 18, 6, 30, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def signal(**changes: Any) -> TradeSignalDTO:
    plain: dict[str, Any] = {
        "id": "a41fxyzxyzxyzxyz",
        "exchange": "binance_usdm",
        "symbol": "BTCUSDT",
        "interval": "15m",
        "pattern": "flag",
        "side": "long",
        "time": CONFIRMED - QUARTER,
        "confirmed_at": CONFIRMED,
        "entry_type": "market",
        "entry_price": 68790.0,
        "stop_loss": 67600.0,
        "take_profits": [{"price": 69980.0, "weight": 0.5}, {"price": 71170.0, "weight": 0.5}],
        "rr_net": 1.4,
        "score": 82,
        "reasons": ["trend_with", "confluence"],
        "expires_at": CONFIRMED + 20 * QUARTER,
    }
    return {**plain, **changes}  # type: ignore[typeddict-item, return-value]


def fill(price: float, quantity: float, **changes: Any) -> FillDTO:
    plain: dict[str, Any] = {
        "trade_id": "1",
        "client_id": "tma41fxyzxyzxyzxyze00",
        "exchange": "binance_usdm",
        "symbol": "BTCUSDT",
        "side": "buy",
        "price": price,
        "quantity": quantity,
        "fee": 2.28,
        "time": CONFIRMED,
    }
    return {**plain, **changes}  # type: ignore[typeddict-item, return-value]


def test_a_long_signal_says_its_levels_in_words_and_plain_numbers() -> None:
    assert alert_text(signal(), mode="PAPER", risk_percent=1.0, quantity="0.083 BTC", leverage=3) == (
        "🟢 LONG BTCUSDT · 15m\n"
        "Flag breakout + order block · score 82/100\n"
        "\n"
        "Entry: 68790\n"
        "Stop: 67600 (−1.73%)\n"
        "Take profit 1: 69980 (1.0R, 50%)\n"
        "Take profit 2: 71170 (2.0R, 50%)\n"
        "Risk 1.0% · size 0.083 BTC · leverage 3x\n"
        "PAPER · Binance USDT-M · #A41F"
    )


def test_a_short_signal_leaves_out_what_is_not_known() -> None:
    short = signal(
        side="short",
        pattern="order_block",
        reasons=["bos"],
        symbol="1000SATSUSDT",
        entry_price=0.00001234,
        stop_loss=0.00001304,
        take_profits=[{"price": 0.00001164, "weight": 1.0}],
    )
    assert alert_text(short, mode="DEMO") == (
        "🔴 SHORT 1000SATSUSDT · 15m\n"
        "Order block, entry on the retest · score 82/100\n"
        "\n"
        "Entry: 0.00001234\n"
        "Stop: 0.00001304 (−5.67%)\n"
        "Take profit 1: 0.00001164 (1.0R, 100%)\n"
        "DEMO · Binance USDT-M · #A41F"
    )


def test_a_pattern_of_a_users_own_is_named_by_its_words() -> None:
    assert setup_text(signal(pattern="my_setup", reasons=[])) == "my setup"


def test_an_order_block_beside_another_is_still_one_order_block() -> None:
    assert setup_text(signal(pattern="order_block")) == "Order block, entry on the retest"


def order(**changes: Any) -> OrderDTO:
    plain: dict[str, Any] = {
        "client_id": "tm",
        "exchange": "binance_usdm",
        "symbol": "BTCUSDT",
        "side": "buy",
        "type": "limit",
        "price": 68790.0,
        "quantity": 0.083,
        "reduce_only": False,
        "status": "open",
        "filled": 0.0,
        "signal_id": "a41f",
        "role": "e",
    }
    return {**plain, **changes}  # type: ignore[typeddict-item, return-value]


def test_an_order_says_whether_its_stop_is_on_the_exchange() -> None:
    assert order_text(signal(), order(), stop_armed=True) == (
        "📤 Order placed · BTCUSDT LONG #A41F\nLimit buy 0.083 @ 68790 · stop 67600 armed on the exchange"
    )
    assert order_text(signal(), order(type="market"), stop_armed=False) == (
        "📤 Order placed · BTCUSDT LONG #A41F\nMarket buy 0.083 · stop 67600 follows the fill"
    )


def test_slip_is_positive_when_it_cost_us() -> None:
    assert fill_text(signal(), fill(68791.2, 0.083)) == (
        "✅ Filled · BTCUSDT LONG #A41F\n0.083 @ 68791.2 (slip +1.2) · fee 2.28 USDT"
    )
    short = signal(side="short", stop_loss=69980.0)
    assert "(slip +1.2)" in fill_text(short, fill(68788.8, 0.083))
    assert "(slip +0)" in fill_text(short, fill(68790.0, 0.083))


def test_a_target_says_what_is_left() -> None:
    half = fill(69980.0, 0.0415, realized=49.33)
    assert target_text(signal(), half, 1, rest=0.5, stop_moved=True) == (
        "🎯 TP1 hit · BTCUSDT #A41F  +1.0R\n"
        "Sold 0.0415 @ 69980 · +49.33 USDT\n"
        "Stop moved to entry. Half is still running."
    )
    last = target_text(signal(), fill(71170.0, 0.0415), 2, rest=0.0, stop_moved=True)
    assert last == "🎯 TP2 hit · BTCUSDT #A41F  +2.0R\nSold 0.0415 @ 71170\nNothing is left open."
    assert target_text(signal(), half, 1, rest=0.2, stop_moved=False).endswith("\n20% is still running.")


def test_a_stop_says_the_loss_and_how_long_it_was_held() -> None:
    lost = fill(67600.0, 0.083, realized=-98.1)
    assert stop_text(signal(), lost, held_ms=12_000_000) == (
        "🛑 Stop hit · BTCUSDT LONG #A41F  −1.0R\nClosed 0.083 @ 67600 · −98.10 USDT · held 3 h 20 m"
    )
    assert stop_text(signal(), fill(68790.0, 0.083), by_stop=False) == (
        "🚪 Closed · BTCUSDT LONG #A41F  +0.0R\nClosed 0.083 @ 68790"
    )


def summary(**changes: Any) -> RunSummary:
    plain = RunSummary(
        period="18 Nov",
        mode="PAPER",
        net_percent=1.24,
        net=145.2,
        quote="USDT",
        trades=4,
        won=3,
        lost=1,
        equity=11842.6,
        drawdown_percent=0.4,
        best=("BTCUSDT", 2.0),
        worst=("XRPUSDT", -1.0),
        signals=9,
        taken=4,
        refused={"against_trend": 2, "rr_too_low": 3},
    )
    return plain._replace(**changes)


def test_a_summary_says_the_fate_of_every_signal() -> None:
    assert summary_text(summary()) == (
        "📊 18 Nov · paper\n"
        "Net +1.24% (+145.20 USDT) · 4 trades: 3 won, 1 lost\n"
        "Equity 11,842.60 · drawdown −0.4%\n"
        "Best BTCUSDT +2.0R · worst XRPUSDT −1.0R\n"
        "Signals 9: 4 taken, 3 R:R too low, 2 against the higher trend"
    )


def test_a_summary_without_trades_names_no_best() -> None:
    quiet = summary(net=-0.001, net_percent=0.0, trades=0, won=0, lost=0, best=None, worst=None, taken=0, refused={})
    assert summary_text(quiet).splitlines()[1:] == [
        "Net +0.00% (+0.00 USDT) · 0 trades: 0 won, 0 lost",
        "Equity 11,842.60 · drawdown −0.4%",
        "Signals 9: 0 taken",
    ]


def test_every_component_and_refusal_of_a_plan_has_words() -> None:
    assert {f"reason.{code}" for code in SCORE_COMPONENTS if code != "base"} <= set(ENGLISH)
    assert {f"refused.{rule}" for rule in PLAN_REFUSALS} <= set(ENGLISH)
    assert IN_ENGLISH.named("refused", "a_rule_of_ones_own") == "a rule of ones own"


def test_numbers_carry_a_true_minus_and_spans_their_two_largest_units() -> None:
    assert [signed(-98.1, 2), signed(0.0, 1), signed(-0.04, 1), signed(1234.5, 1)] == [
        "−98.10",
        "+0.0",
        "+0.0",
        "+1,234.5",
    ]
    assert [duration_text(minutes * 60_000) for minutes in (5, 200, 3_125)] == ["5 m", "3 h 20 m", "2 d 4 h"]


def test_an_alert_becomes_two_files_that_sort_by_time(tmp_path: Path) -> None:
    folder = AlertFolder(tmp_path / "alerts")
    files = folder.write(to_ms(CONFIRMED), "BTCUSDT", "long", "A41F", b"picture", "text")
    assert files.picture.name == "20251118T063000Z_BTCUSDT_long_A41F.png"
    assert files.text.name == "20251118T063000Z_BTCUSDT_long_A41F.txt"
    assert files.picture.read_bytes() == b"picture"
    assert files.text.read_text(encoding="utf-8") == "text\n"
    assert len(list(folder.path.iterdir())) == 2


def test_an_alert_written_again_replaces_itself(tmp_path: Path) -> None:
    folder = AlertFolder(tmp_path)
    for text in ("first", "second"):
        files = folder.write(0, "BTCUSDT", "long", "A41F", b"", text)
    assert files.text.read_text(encoding="utf-8") == "second\n"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = AlertFolder(tmp_path)
    # A folder in the place of the picture makes the rename fail, whoever runs the test.
    (tmp_path / (alert_name(0, "X", "long", "A41F") + ".png") / "taken").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        folder.write(0, "X", "long", "A41F", b"picture", "text")
    assert len(list(tmp_path.iterdir())) == 1


def test_a_symbol_cannot_leave_the_folder() -> None:
    assert alert_name(0, "../../etc/X", "long", "A41F") == "19700101T000000Z_------etc-X_long_A41F"


def test_alerts_need_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="expected a folder"):
        AlertFolder(tmp_path / "file")


def candle(index: int) -> CandleDTO:
    opened = CONFIRMED + index * QUARTER
    return {"symbol": "BTCUSDT", "open_time": opened, "open": 68_700, "high": 68_800, "low": 68_600, "close": 68_790}


def swing(name: str, index: int, known: int, **changes: Any) -> HighLowDTO:
    plain: dict[str, Any] = {
        "id": name,
        "exchange": "binance_usdm",
        "symbol": "BTCUSDT",
        "interval": "15m",
        "kind": "low",
        "price": 68_600.0,
        "time": CONFIRMED + index * QUARTER,
        "confirmed_at": CONFIRMED + known * QUARTER,
        "label": "HL",
    }
    return {**plain, **changes}  # type: ignore[typeddict-item, return-value]


def event(**changes: Any) -> EventDTO:
    plain: dict[str, Any] = {
        "id": "zone",
        "kind": "ob_formed",
        "exchange": "binance_usdm",
        "symbol": "BTCUSDT",
        "interval": "15m",
        "direction": 1,
        "time": CONFIRMED - 9 * QUARTER,
        "confirmed_at": CONFIRMED,
        "values": {"top": 68_000.0, "bottom": 67_700.0},
    }
    return {**plain, **changes}  # type: ignore[typeddict-item, return-value]


def test_a_picture_shows_the_signal_and_nothing_later() -> None:
    shown = alert_picture(
        signal(),
        [candle(index) for index in range(-100, 3)],
        [
            swing("old", -20, -17),
            swing("kept", -10, -7),
            swing("replacing", -15, -12, replaces="old"),
            swing("too late", -1, 2),
            swing("other interval", -16, -12, interval="4h"),
        ],
        interval_ms=900_000,
        tick_decimals=1,
        mode="PAPER",
        zone=event(),
        quantity="0.083 BTC",
    )
    assert len(shown.candles) == WINDOW
    assert shown.candles[-1].open_time == to_ms(CONFIRMED - QUARTER)
    assert shown.swings == (
        PictureSwing(to_ms(CONFIRMED - 10 * QUARTER), 68_600.0, "low", "HL"),
        PictureSwing(to_ms(CONFIRMED - 15 * QUARTER), 68_600.0, "low", "HL"),
    )
    assert shown.zones == (PictureZone(to_ms(CONFIRMED - 9 * QUARTER), 68_000.0, 67_700.0, 1, "Bullish OB"),)
    assert shown.targets == (PictureTarget(69_980.0, 0.5, 1.0), PictureTarget(71_170.0, 0.5, 2.0))
    assert shown.reasons == ("With the higher trend", "Order block in the same place")
    assert (shown.signal_id, shown.venue, shown.risk_percent) == ("A41F", "Binance USDT-M", None)


def test_a_picture_without_candles_is_refused() -> None:
    with pytest.raises(PictureError, match="at least one candle"):
        alert_picture(signal(), [candle(0)], [], interval_ms=900_000, tick_decimals=1, mode="PAPER")


def test_a_breakout_event_gives_the_flag_from_tip_to_breakout() -> None:
    breakout = event(
        kind="flag_breakout",
        values={
            "base_time": to_ms(CONFIRMED - 20 * QUARTER),
            "base_price": 66_700.0,
            "tip_price": 69_100.0,
            "resist_start": 69_000.0,
            "resist_end": 68_500.0,
            "support_start": 68_400.0,
            "support_end": 67_800.0,
        },
    )
    tip, end = to_ms(CONFIRMED - 9 * QUARTER), to_ms(CONFIRMED - QUARTER)
    assert flag_of_breakout(breakout, 900_000) == PictureFlag(
        Segment(to_ms(CONFIRMED - 20 * QUARTER), 66_700.0, tip, 69_100.0),
        Segment(tip, 69_000.0, end, 68_500.0),
        Segment(tip, 68_400.0, end, 67_800.0),
    )
