"""The compiled session from Python: under a clock that the test turns, on hand-written and on recorded frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trading_system._feed import Feed, Session

MINUTE = 60_000
OPEN_TIME = 1_626_992_700_000
ACK = b'{"result":null,"id":1}'


def kline(symbol: str = "SUSHIUSDT", *, closed: bool = True, **changes: Any) -> dict[str, Any]:
    candle = {"t": OPEN_TIME, "T": OPEN_TIME + MINUTE - 1, "s": symbol, "i": "1m", "f": 126902874, "L": 126902986}
    candle |= {"o": "7.6080", "c": "7.6170", "h": "7.6180", "l": "7.6070", "v": "3005", "n": 113, "x": closed}
    return {"e": "kline", "E": OPEN_TIME + MINUTE + 203, "s": symbol, "k": candle | changes}


def frame(symbol: str = "SUSHIUSDT", *, closed: bool = True, **changes: Any) -> bytes:
    return json.dumps(kline(symbol, closed=closed, **changes)).encode()


def opened(*symbols: str, **patience: int) -> Session:
    session = Session(list(symbols) or ["SUSHIUSDT"], **patience)
    session.on_open(0)
    session.on_bytes(0, ACK)
    return session


def aged(low: float, high: float) -> Feed:
    return Feed("ws://localhost", ["BTCUSDT"], rotate_after_s=(low, high))


def test_a_conversation_reads_as_tuples_and_texts() -> None:
    session = Session(["SUSHIUSDT", "BTCUSDT"])
    assert not session.is_open
    events, sends = session.on_open(0)
    assert events == [("connected",)]
    assert [json.loads(text) for text in sends] == [
        {"method": "SUBSCRIBE", "params": ["sushiusdt@kline_1m", "btcusdt@kline_1m"], "id": 1}
    ]
    assert session.is_open
    assert session.on_bytes(20, ACK) == ([("subscribed", 2)], [])
    facts = ("SUSHIUSDT", OPEN_TIME, 7.608, 7.618, 7.607, 7.617, 3005.0, OPEN_TIME + MINUTE + 203)
    assert session.on_bytes(30, frame(closed=False)) == ([("running", *facts)], [])
    assert session.on_bytes(40, frame()) == ([("candle", *facts)], [])
    assert session.on_close("reset") == ([("cut", "closed: reset")], [])
    assert session.on_close("again") == ([], [])
    assert not session.is_open


def test_both_forms_of_the_endpoint_are_read() -> None:
    wrapped = json.dumps({"stream": "sushiusdt@kline_1m", "data": kline()}).encode()
    assert opened().on_bytes(1, wrapped) == opened().on_bytes(1, frame())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"o": "abc"}, 'k.o: expected a text with a decimal number, not negative, was "abc"'),
        ({"o": 7.608}, "k.o: expected a text with a decimal number, not negative, was 7.608"),
        ({"h": "7.6169"}, "k.h: expected at least 7.617, was 7.6169"),
        ({"l": "7.6081"}, "k.l: expected at most 7.608, was 7.6081"),
        ({"c": "NaN"}, 'k.c: expected a text with a decimal number, not negative, was "NaN"'),
        ({"l": "0"}, 'k.l: expected a price above zero, was "0"'),
        ({"v": None}, "k.v: expected a text with a decimal number, not negative, was null"),
        ({"i": "5m"}, 'k.i: expected "1m", was "5m"'),
        ({"x": 1}, "k.x: expected true or false, was 1"),
        ({"T": OPEN_TIME}, f"k.T: expected {OPEN_TIME + MINUTE - 1}, was {OPEN_TIME}"),
    ],
)
def test_an_unsound_candle_is_a_bad_frame_with_its_reason(changes: dict[str, Any], reason: str) -> None:
    session = opened()
    assert session.on_bytes(1, frame(**changes)) == ([("bad_frame", reason)], [])
    assert session.on_bytes(2, frame())[0][0][0] == "candle"


def test_bytes_that_are_no_text_and_texts_that_are_no_frame_are_bad_frames() -> None:
    session = opened()
    for message in (b"\xff\xfe", b"", b"null", b"[]", b'{"e":', frame() + b"}", b'{"e":"kline"}', b'{"x":1}'):
        (event,), sends = session.on_bytes(1, message)
        assert event[0] == "bad_frame"
        assert sends == []


def test_acknowledged_but_silent_is_cut() -> None:
    session = opened(silence_ms=10_000)
    assert session.on_tick(9_999) == ([], [])
    cut = "acknowledged_but_silent: subscribed, but no candle for 10000 ms (limit 10000)"
    assert session.on_tick(10_000) == ([("silent", "", 10_000), ("cut", cut)], [])


def test_data_that_stops_is_cut() -> None:
    session = opened(silence_ms=10_000)
    session.on_bytes(5_000, frame())
    assert session.on_tick(14_999) == ([], [])
    cut = "silent: no candle and no mark price for 10000 ms (limit 10000)"
    assert session.on_tick(15_000) == ([("silent", "", 10_000), ("cut", cut)], [])
    assert session.on_bytes(15_001, frame()) == ([], [])


def test_without_a_limit_of_the_caller_s_a_frame_a_minute_is_enough() -> None:
    session = opened()
    session.on_bytes(MINUTE, frame())
    assert session.on_tick(MINUTE + 89_999) == ([], [])
    assert session.on_tick(MINUTE + 90_000)[0][0] == ("silent", "", 90_000)


def test_one_silent_symbol_is_told_and_the_line_stays() -> None:
    session = opened("SUSHIUSDT", "BTCUSDT", silence_ms=10_000)
    told: list[Any] = []
    for now_ms in range(0, 2 * MINUTE, 1_000):
        session.on_bytes(now_ms, frame(closed=False))
        told += session.on_tick(now_ms)[0]
    assert told == [("silent", "BTCUSDT", 10_000)]
    assert session.is_open


def test_a_market_that_stands_still_is_waited_for_when_patience_is_off() -> None:
    session = opened(silence_ms=0, ack_timeout_ms=0)
    assert session.on_tick(10**12) == ([], [])


def test_an_unanswered_and_a_refused_subscription_are_cut() -> None:
    session = Session(["BTCUSDT"], ack_timeout_ms=2_000)
    session.on_open(0)
    cut = "not_acknowledged: no answer to subscription 1 within 2000 ms"
    assert session.on_tick(2_000) == ([("cut", cut)], [])
    session.on_open(3_000)
    refusal = b'{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":2}'
    cut = "refused: subscription 2, code 2: Invalid request: invalid stream"
    assert session.on_bytes(3_001, refusal) == ([("cut", cut)], [])


def test_a_shutdown_notice_is_told() -> None:
    assert opened().on_bytes(1, b'{"e":"serverShutdown","E":1770123456789}') == ([("leaving",)], [])


def test_many_streams_are_asked_for_at_the_venue_s_pace() -> None:
    session = Session([f"S{number}USDT" for number in range(1_024)])
    sent = {now_ms: session.on_tick(now_ms)[1] if now_ms else session.on_open(0)[1] for now_ms in range(0, 3_000, 250)}
    assert {now_ms: len(texts) for now_ms, texts in sent.items() if texts} == {0: 3, 1_000: 3}
    streams = [stream for texts in sent.values() for text in texts for stream in json.loads(text)["params"]]
    assert streams == [f"s{number}usdt@kline_1m" for number in range(1_024)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Session([]), "symbols: expected 1 to 1024 symbols"),
        (lambda: Session(["btcusdt"]), "symbols: expected capital letters, digits and '_', was \"btcusdt\""),
        (lambda: Session(["BTCUSDT", "BTCUSDT"]), "symbols: expected each symbol once"),
        (lambda: Session(["BTCUSDT"], silence_ms=-1), "silence_ms: expected 0"),
        (
            lambda: Session(["BTCUSDT"], venue="kraken"),
            'venue: expected binance, binance_usdm, bybit or bybit_linear, was "kraken"',
        ),
        (lambda: Feed("http://localhost", ["BTCUSDT"]), "url: expected an address that begins with ws://"),
        (lambda: aged(0, 1), "rotate_after_s: expected two ages in seconds above 0, the lower one first, was 0 to 1"),
        (lambda: aged(2, 1), "rotate_after_s: expected two ages in seconds above 0"),
        (lambda: aged(1, float("inf")), "rotate_after_s: expected two ages in seconds above 0"),
        (lambda: Feed("ws://localhost", ["BTCUSDT"], pong_timeout_ms=-1), "pong_timeout_ms: expected 0"),
    ],
)
def test_impossible_arguments_are_refused_by_name(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("'", ".")):
        make()


@pytest.mark.shared
def test_every_recorded_kline_is_read_as_python_would_read_it(shared_data: Path) -> None:
    folder = shared_data / "payloads" / "binance_futures"
    lines = (folder / "replay" / "binance_futures_ws_session.ndjson").read_text().splitlines()
    messages = [json.loads(line)["msg"] for line in lines]
    messages += [json.loads(path.read_text()) for path in sorted((folder / "ws_public").glob("*kline*.json"))]
    symbols = sorted({message["data"]["s"] for message in messages if message["data"]["e"] == "kline"})
    session = opened(*symbols)
    counts = {"candle": 0, "running": 0, "nothing": 0}
    for message in messages:
        events, sends = session.on_bytes(1, json.dumps(message).encode())
        assert sends == []
        if message["data"]["e"] != "kline":
            assert events == []
            counts["nothing"] += 1
            continue
        candle = message["data"]["k"]
        kind = "candle" if candle["x"] else "running"
        prices = [float(candle[name]) for name in "ohlcv"]
        assert events == [(kind, candle["s"], candle["t"], *prices, message["data"]["E"])]
        counts[kind] += 1
    assert all(counts.values()), counts


@pytest.mark.shared
def test_no_recorded_frame_of_another_kind_becomes_a_candle(shared_data: Path) -> None:
    folder = shared_data / "payloads" / "binance_futures"
    paths = [path for name in ("ws_public", "ws_control") for path in sorted((folder / name).glob("*.json"))]
    others = [path for path in paths if "kline" not in path.name]
    assert len(others) > 20
    for path in others:
        events, _ = opened().on_bytes(1, path.read_bytes())
        assert all(event[0] in {"bad_frame", "cut"} for event in events), path.name


@pytest.mark.shared
def test_a_recorded_kline_without_an_essential_field_is_never_a_candle(shared_data: Path) -> None:
    path = shared_data / "payloads/binance_futures/ws_public/cryptofeed_BINANCE_FUTURES_ws_1_0_kline_closed_1.json"
    whole = json.loads(path.read_text())
    assert opened().on_bytes(1, json.dumps(whole).encode())[0][0][0] == "candle"
    for name in whole["data"]["k"]:
        part = json.loads(path.read_text())
        del part["data"]["k"][name]
        (event,), _ = opened().on_bytes(1, json.dumps(part).encode())
        assert event[0] == ("bad_frame" if name in "tTsiohlcvx" else "candle"), name
