"""Frames of market sockets through the compiled session, by itself and as part of a recorded conversation."""

from __future__ import annotations

import json
from typing import Any

from payload_checks import Checks, Reader, numbers
from payload_files import Payload

from trading_system._feed import Session

FEEDS = {"binance_futures": "binance_usdm", "binance_spot": "binance", "bybit": "bybit_linear"}


def listening(feed: str, symbol: str) -> tuple[Session, dict[str, Any]]:
    """Return an open session on one symbol, and what it asked for."""
    session = Session([symbol], venue=feed, mark_price=True)
    _, (asked,) = session.on_open(0)
    return session, json.loads(asked)


async def candle(payload: Payload, checks: Checks) -> None:
    """A candle of one minute is understood as it stands there."""
    said = payload.said
    if payload.venue == "bybit":
        (row,) = said["data"]
        symbol, time, closed = said["topic"].rpartition(".")[2], said["ts"], row["confirm"]
        values = numbers(*(row[name] for name in ("open", "high", "low", "close", "volume")))
        opened = row["start"]
    else:
        said = said.get("data", said)
        row, symbol, time = said["k"], said["s"], said["E"]
        values, opened, closed = numbers(*(row[name] for name in "ohlcv")), row["t"], row["x"]
    session, _ = listening(FEEDS[payload.venue], symbol)
    ((kind, *facts),), sends = session.on_bytes(1, payload.raw)
    checks.same(kind, "candle" if closed else "running")
    checks.same(facts, [symbol, opened, *values, time])
    assert sends == []


async def mark(payload: Payload, checks: Checks) -> None:
    """A mark price is understood; a change of Bybit's ticker without one says nothing."""
    said = payload.said
    if payload.venue == "bybit":
        inner = said["data"]
        symbol, time, price = said["topic"].partition(".")[2], said.get("ts"), inner.get("markPrice")
    else:
        said = said.get("data", said)
        symbol, time, price = said["s"], said["E"], said["p"]
    session, _ = listening(FEEDS[payload.venue], symbol if symbol.isalnum() else "BTCUSDT")
    events, sends = session.on_bytes(1, payload.raw)
    if price is None:
        checks.nothing(events)
    else:
        checks.same(events[0], ("mark", symbol, time, float(price)))
    assert sends == []


def no_candle(because: str = "") -> Reader:
    """A frame is no candle and no mark price: read past in silence, or refused in words that hold ``because``."""

    async def read(payload: Payload, checks: Checks) -> None:
        session, _ = listening(FEEDS[payload.venue], "BTCUSDT")
        events, sends = session.on_bytes(1, payload.raw)
        assert sends == []
        if not because:
            checks.nothing(events)
            return
        ((kind, words),) = events
        checks.same(kind, "bad_frame")
        assert because in words, words

    return read


async def acknowledged(payload: Payload, checks: Checks) -> None:
    """An answer to a subscription is the answer to ours, once it carries the number of ours."""
    said = payload.said
    session, asked = listening(FEEDS[payload.venue], "BTCUSDT")
    number = "id" if payload.venue.startswith("binance") else "req_id"
    events, asked_again = session.on_bytes(1, json.dumps({**said, number: asked[number]}).encode())
    if said.get("success", True):
        checks.same(events, [("subscribed", 1)])
        return
    assert not events  # no to two streams at once: each is asked for by itself, and the candles are refused again
    again = json.loads(asked_again[0])[number]
    ((kind, words),), _ = session.on_bytes(2, json.dumps({**said, number: again}).encode())
    checks.same(kind, "cut")
    assert said["ret_msg"] in words, words


async def asked_alike(payload: Payload, checks: Checks) -> None:
    """Another client's request has the words of ours: the same fields, of which the same is asked."""
    said = payload.said
    feed = FEEDS[payload.venue]
    session, ours = listening(feed, "BTCUSDT")
    word = "method" if payload.venue.startswith("binance") else "op"
    if said[word].lower() == "unsubscribe":
        session.on_bytes(1, b'{"success":true,"ret_msg":"","op":"subscribe","req_id":"1"}')
        ours = json.loads(session.remove(2, ["BTCUSDT"])[1][0])
    checks.same(ours[word], said[word])
    assert set(said) <= set(ours), said
    streams = "params" if word == "method" else "args"
    assert all(type(one) is str for one in (*ours[streams], *said[streams]))
    alike = [one for one in said[streams] if one in ours[streams]]
    checks.same(alike, [one for one in said[streams] if one.endswith("@markPrice@1s")])


async def session(payload: Payload, checks: Checks) -> None:
    """Every frame of a recorded session in its order: each candle is understood, everything else is passed over."""
    feed = FEEDS[payload.venue]
    frames = [json.loads(line) for line in payload.lines]
    candles = [frame["data"] for frame in frames if frame["data"].get("e") == "kline"]
    line = Session(sorted({one["s"] for one in candles}), venue=feed)
    line.on_open(0)
    line.on_bytes(0, b'{"result":null,"id":1}')
    heard = []
    for raw, frame in zip(payload.lines, frames, strict=True):
        events, sends = line.on_bytes(1, raw)
        assert sends == []
        if frame["data"].get("e") is None:  # a book's best prices on spot have no name of their own
            ((kind, _),) = events
            assert kind == "bad_frame"
        else:
            heard += events
    for event, said in zip(heard, candles, strict=True):
        row = said["k"]
        kind = "candle" if row["x"] else "running"
        checks.same(event, (kind, row["s"], row["t"], *numbers(*(row[name] for name in "ohlcv")), said["E"]))
