"""A backtest and a replay of the same candles: from inputs to a folder of what happened and a summary."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from trading_system.app import JOURNAL_FILE, STORE_FILE, Line, Mode, Pace, VenueAccess, signal_rules_of, terms_of
from trading_system.candle_inputs import CandleInputs, InputError
from trading_system.contracts import RejectionDTO, to_candle, to_step
from trading_system.replay import LocalMarket, Market, RemoteMarket, conduct
from trading_system.research.backtest import Series, backtest
from trading_system.research.run_folder import RunRecord, fill_line, fingerprint, write_run
from trading_system.rules.events import Event
from trading_system.rules.fact_record import unpack_fact
from trading_system.rules.facts import Closed, EquityPoint, Fact, Fill, Halted, Placed
from trading_system.rules.grid import Instrument, text_of
from trading_system.rules.interval_table import interval_ms
from trading_system.rules.matching import MINUTE_MS, FillRules
from trading_system.rules.records import CANDLE
from trading_system.rules.risk import Rejection
from trading_system.rules.words import candle_record, event_of, refusal_dto, rejection_dto, swing_of
from trading_system.secret import Secret
from trading_system.services.execution_engine.journal import State
from trading_system.services.execution_engine.service import EXECUTION, WHOLE_ACCOUNT
from trading_system.services.execution_engine.venues.binance_usdm import BinanceUsdm, require_loopback
from trading_system.services.execution_engine.venues.port import LOCAL_EXCHANGE
from trading_system.services.room import CANDLES, HIGHS_LOWS, STRATEGY
from trading_system.settings import Settings
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.faults import FaultScript
from trading_system.simulator.server import SimulatorServer
from trading_system.store.port import Stream

REPLAY_PACE = Pace(poll_s=0.1, silence_ms=0, ask_after_s=0.3, backoff_cap_ms=1_000)
SIMULATED_KEY, SIMULATED_SECRET = "simulated-key", "simulated-secret"


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run: its record, its summary, and whether the wire and the account tell the same story."""

    record: RunRecord
    summary: dict[str, Any]


class WireMismatchError(RuntimeError):
    """The exchange's own trades are not those that the account booked."""


def run_backtest(
    inputs: CandleInputs, settings: Settings, funding: Mapping[str, Mapping[int, float]] | None = None
) -> Run:
    """Trade ``inputs`` in a backtest. Raises: InputError when the intervals do not fit."""
    if interval_ms(settings.signal_interval) % inputs.base:
        raise InputError(
            f"expected a signal interval that the file's candles make up, was {settings.signal_interval}; "
            "choose a longer --signal-interval"
        )
    began = time.perf_counter()
    rates = funding or {}
    series = [Series(one, inputs.candles[one.symbol], rates.get(one.symbol, {})) for one in inputs.instruments]
    rules = [signal_rules_of(settings, inputs.origin)] * len(series)
    result = backtest(
        series,
        terms_of(settings, inputs.instruments),
        rules,
        higher=settings.higher_interval or None,
        overrides=settings.detection,
        equity=settings.account.equity,
    )
    seconds = time.perf_counter() - began
    events = [event for found in result.events for event in found]
    refused = [*map(refusal_dto, result.refusals), *_rejections(result.facts)]
    record = _record(inputs.instruments, [one.candles for one in series], events, result.facts, refused)
    summary = summary_of(record, result.facts, result.signals, inputs.instruments)
    extra = {"equity_final": result.account.equity, "seconds": round(seconds, 3)}
    return Run(
        record, {"kind": "backtest", **summary, **extra, "fingerprint": fingerprint(map(fill_line, record.fills))}
    )


def simulator_of(inputs: CandleInputs, settings: Settings, faults: FaultScript | None = None) -> SimulatorServer:
    """Return an exchange that has ``inputs`` as its market: the warm-up as history, the rest still to come.

    Raises: InputError when the candles end within the warm-up or are not minutes.
    """
    if inputs.base != MINUTE_MS:
        raise InputError("a replay needs one-minute candles; use `trading-system backtest` for longer ones")
    warm_up = settings.plans.warm_up * interval_ms(settings.signal_interval) // MINUTE_MS
    if warm_up >= inputs.minutes:
        raise InputError(
            f"expected more than the {warm_up} minutes of warm-up, was {inputs.minutes} minutes from the origin on; "
            "give a longer file or a smaller warm_up (--set warm_up=...)"
        )
    venue = settings.venue
    exchange = Exchange(
        inputs.instruments,
        inputs.candles,
        inputs.origin // MINUTE_MS + warm_up,
        FillRules(venue.slippage_ticks, venue.limit_fill, venue.walk),
        leverage=int(settings.account.leverage),
        equity=settings.account.equity,
    )
    return SimulatorServer(exchange, faults, SIMULATED_KEY, SIMULATED_SECRET)


async def run_replay(
    inputs: CandleInputs,
    settings: Settings,
    folder: Path,
    *,
    faults: FaultScript | None = None,
    alerts: Mode | None = None,
    warmed: Callable[[int], None] = lambda _: None,
    stepped: Callable[[int], None] = lambda _: None,
) -> Run:
    """Trade ``inputs`` through the whole line over the simulator's wire, in lockstep.

    ``warmed`` gets the minutes fetched by REST, ``stepped`` each closed step.
    Raises: WireMismatchError when the exchange's trades and the account's fills differ; what ``conduct`` raises.
    """
    if (folder / STORE_FILE).exists():
        raise InputError(
            f"{folder}: expected a new folder, was one of an earlier run whose exchange is gone; give another --out"
        )
    server = simulator_of(inputs, settings, faults)
    addresses = await server.start()
    began = time.perf_counter()
    try:
        access = VenueAccess(
            addresses.http, addresses.ws, Secret(SIMULATED_KEY), Secret(SIMULATED_SECRET), LOCAL_EXCHANGE
        )
        line = Line(folder, settings, inputs.instruments, inputs.origin, access, REPLAY_PACE, alerts=alerts)
        run = await trade_line(line, LocalMarket(server), warmed=warmed, stepped=stepped)
        seconds = time.perf_counter() - began
    finally:
        await server.stop()
    return closed_run(run, server.exchange.fingerprint_lines(), server.wire, dict(server.faults.fired), seconds)


async def trade_line(
    line: Line,
    market: Market,
    *,
    warmed: Callable[[int], None] = lambda _: None,
    stepped: Callable[[int], None] = lambda _: None,
) -> Run:
    """Start ``line``, conduct it to the end of ``market``, and return what its store and journal say happened."""
    try:
        await line.start(warmed)
        await conduct(line, market, stepped)
        return await run_of(line)
    finally:
        await line.stop()


def closed_run(
    run: Run, lines: Sequence[str], wire: Mapping[str, int], faults: Mapping[str, int], seconds: float
) -> Run:
    """Return ``run`` with what the exchange counted, its fingerprint made of the exchange's own trades.

    Raises: WireMismatchError when they are not the fills that the account booked.
    """
    booked = [fill_line(fill) for fill in run.record.fills]
    if list(lines) != booked:
        at = next(
            (n for n, (a, b) in enumerate(zip(lines, booked, strict=False)) if a != b), min(len(lines), len(booked))
        )
        raise WireMismatchError(
            f"fill {at}: expected the exchange's {lines[at] if at < len(lines) else 'nothing'}, the account booked "
            f"{booked[at] if at < len(booked) else 'nothing'}"
        )
    summary = {**run.summary, "fingerprint": fingerprint(lines), "wire": dict(wire), "faults": dict(faults)}
    return Run(run.record, {**summary, "seconds": round(seconds, 3)})


async def run_of(line: Line) -> Run:
    """Read a line's store and journal back as a run."""
    store = line.letterbox.store
    candles: list[Any] = []
    events: list[Event] = []
    refused: list[RejectionDTO] = []
    signals = 0
    for one in line.instruments:
        stream = Stream(CANDLES, one.exchange, one.symbol)
        head = await store.head(stream) or 0
        candles.append(await _stored_minutes(line, one, head))
        for row in await store.read(Stream(HIGHS_LOWS, one.exchange, one.symbol), None, head):
            events.extend(swing_of(swing) for swing in to_step(row.payload).get("swings", ()))
        for row in await store.read(Stream(STRATEGY, one.exchange, one.symbol), None, head):
            step = to_step(row.payload)
            events.extend(map(event_of, step.get("events", ())))
            signals += len(step.get("signals", ()))
            refused.extend(step.get("refused", ()))
    account = Stream(EXECUTION, line.instruments[0].exchange, WHOLE_ACCOUNT)
    rows = await store.read(account, None, await store.head(account) or 0)
    facts = [unpack_fact(row.payload) for row in rows]
    _check_orders(line, facts)
    refused.extend(_rejections(facts))
    record = _record(line.instruments, candles, events, facts, refused)
    summary = summary_of(record, facts, signals, line.instruments)
    recovered = {
        "cuts": line.feed.counts.get("cut", 0),
        "bad_frames": line.feed.counts.get("bad_frame", 0),
        "minutes_repaired": line.feed.counts.get("repaired", 0),
        "answers_lost": list(line.execution.answers_lost),
    }
    extra = {"equity_final": line.execution.account.equity, "recovered": recovered}
    return Run(record, {"kind": "run", **summary, **extra})


def summary_of(
    record: RunRecord, facts: Sequence[Fact], signals: int, instruments: Sequence[Instrument]
) -> dict[str, Any]:
    """Return the counts and results of a run, as ``--json`` prints them."""
    kinds = Counter(event.kind for event in record.events)
    earned = [closed.earned for closed in record.trades]
    return {
        "candles": int(sum(np.count_nonzero(candles["gap"] == 0) for candles in record.candles)),
        "swings": kinds["swing_high"] + kinds["swing_low"],
        "order_blocks": kinds["ob_formed"],
        "flags": kinds["flag_breakout"],
        "signals": signals,
        "refused": len(record.refused),
        "refused_by": dict(sorted(Counter(row["rule"] for row in record.refused).items())),
        "refused_by_account": sum(1 for fact in facts if isinstance(fact, Rejection)),
        "orders": len(record.orders),
        "fills": len(record.fills),
        "trades": len(record.trades),
        "won": sum(1 for money in earned if money > 0),
        "halted": [fact.rule for fact in facts if isinstance(fact, Halted)],
        "instrument": [instrument_row(one) for one in instruments],
    }


def instrument_row(instrument: Instrument) -> dict[str, Any]:
    """Return an instrument as an object for people and programs."""
    row = instrument._asdict()
    return {**row, "tick": text_of(instrument.tick.price(1)), "step": text_of(instrument.step.price(1))}


async def _stored_minutes(line: Line, one: Instrument, head: int) -> Any:
    origin = line.origin // MINUTE_MS
    minutes = np.zeros(head - origin, CANDLE)
    minutes["open_time"] = line.origin + MINUTE_MS * np.arange(head - origin)
    minutes["gap"] = 1
    for row in await line.letterbox.store.read(Stream(CANDLES, one.exchange, one.symbol), None, head):
        candle = to_candle(row.payload)
        if candle.get("interval") == "1m":
            minutes[row.step - origin - 1] = candle_record(candle)[0]
    return minutes


def _check_orders(line: Line, facts: Iterable[Fact]) -> None:
    """Hold what the account says it placed against the journal: each such order was taken by the venue."""
    taken = Counter(
        order.canonical
        for order in line.journal.orders_since(0)
        if order.state not in (State.INTENT, State.REJECTED, State.NOT_PLACED)
    )
    placed = Counter(fact.order.id for fact in facts if isinstance(fact, Placed))
    for id_, count in placed.items():
        if taken[id_] != count:
            raise WireMismatchError(f"order {id_}: placed {count} times by the account, taken {taken[id_]} times")


def _rejections(facts: Iterable[Fact]) -> list[RejectionDTO]:
    return [rejection_dto(fact) for fact in facts if isinstance(fact, Rejection)]


def _record(
    instruments: Sequence[Instrument],
    candles: Sequence[Any],
    events: Sequence[Event],
    facts: Sequence[Fact],
    refused: Sequence[Any],
) -> RunRecord:
    return RunRecord(
        symbols=[one.symbol for one in instruments],
        candles=candles,
        events=events,
        orders=[fact for fact in facts if isinstance(fact, Placed)],
        fills=[fact for fact in facts if isinstance(fact, Fill)],
        equity=[fact for fact in facts if isinstance(fact, EquityPoint)],
        trades=[fact for fact in facts if isinstance(fact, Closed)],
        refused=[{**row, "confirmed_at": row["confirmed_at"].isoformat()} for row in refused],
    )


async def run_simulator(
    url: str, symbols: Sequence[str], settings: Settings, folder: Path, *, alerts: Mode | None = None
) -> Run:
    """Trade on a simulated exchange in another process, in lockstep over its control plane; resumes from ``folder``.

    Raises: NotLoopbackError for an address beyond this machine; SimulatorGoneError when nobody answers there;
    InputError when another line has traded there.
    """
    base = url.rstrip("/")
    require_loopback(base)
    began = time.perf_counter()
    async with aiohttp.ClientSession() as http:
        state = await _control(http, f"{base}/_sim/state")
        if state["trade"] and not (folder / JOURNAL_FILE).exists():
            raise InputError(
                f"{folder}: expected the folder of the line that made the {state['trade']} trades of this exchange, "
                "was a new one; give that folder as --out, or start a new `trading-system exchange`"
            )
        access = VenueAccess(
            base, base.replace("http", "ws", 1), Secret(SIMULATED_KEY), Secret(SIMULATED_SECRET), LOCAL_EXCHANGE
        )
        venue = BinanceUsdm(access.http, access.ws, access.api_key, access.secret, record=access.record)
        try:
            instruments = await venue.instruments(sorted(symbols))
        finally:
            await venue.close()
        origin = (state["first_step"] - 1) * MINUTE_MS
        line = Line(folder, settings, instruments, origin, access, REPLAY_PACE, alerts=alerts)
        run = await trade_line(line, RemoteMarket(http, base))
        trades = await _control(http, f"{base}/_sim/trades")
        state = await _control(http, f"{base}/_sim/state")
    seconds = time.perf_counter() - began
    return closed_run(run, trades["lines"], state["wire"], state["faults"], seconds)


async def serve_exchange(
    inputs: CandleInputs, settings: Settings, port: int, faults: FaultScript | None, say: Callable[[str], None]
) -> None:
    """Serve ``inputs`` as an exchange until interrupted; ``say`` gets one line with its address."""
    server = simulator_of(inputs, settings, faults)
    addresses = await server.start(port)
    say(addresses.http)
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()


async def _control(http: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    try:
        async with http.get(url) as answer:
            answer.raise_for_status()
            said: dict[str, Any] = await answer.json()
            return said
    except (aiohttp.ClientError, ValueError) as error:
        raise SimulatorGoneError(url, error) from error


class SimulatorGoneError(RuntimeError):
    """Nobody answers where a simulated exchange was expected."""

    def __init__(self, url: str, error: Exception) -> None:
        super().__init__(
            f"expected a simulated exchange at {url}, was {type(error).__name__}; start `trading-system exchange` and "
            "give the address that it prints"
        )


def write(folder: Path, run: Run) -> None:
    """Write a run's files."""
    write_run(folder, run.record, run.summary)
