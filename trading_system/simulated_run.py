"""Runs on the simulated exchange, in this process or in another, and that exchange as a process of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from trading_system.app import JOURNAL_FILE, STORE_FILE, Line, Mode, Pace
from trading_system.kept_line import kept_line
from trading_system.replay import (
    LocalLine,
    LocalMarket,
    RemoteLine,
    RemoteMarket,
    ReportingLine,
    conduct,
    report_moves,
    require_alive,
    require_whole,
)
from trading_system.research.candle_inputs import CandleInputs, InputError
from trading_system.research.run_folder import fill_line, fingerprint
from trading_system.research.runs import Run
from trading_system.rules.grid import Instrument
from trading_system.rules.interval_table import interval_ms
from trading_system.rules.matching import MINUTE_MS, FillRules
from trading_system.secret import Secret
from trading_system.services.execution_engine.points import Reached, unwatched
from trading_system.settings import Settings
from trading_system.simulator.exchange import Advanced, Exchange
from trading_system.simulator.faults import FaultScript
from trading_system.simulator.rehearsal import MarketClock, play_on
from trading_system.simulator.server import SimulatorServer, wall_clock_ms
from trading_system.stored_run import WireMismatchError, run_of
from trading_system.venue_access import VenueAccess, simulated_access
from trading_system.venues.loopback import require_loopback
from trading_system.venues.network_trouble import network_trouble

REPLAY_PACE = Pace(poll_s=0.1, silence_ms=0, ask_after_s=0.3, backoff_cap_ms=1_000, by_clock=False)
CONNECT_S = 10.0
SIMULATED_KEY, SIMULATED_SECRET = "simulated-key", "simulated-secret"


def simulator_of(
    inputs: CandleInputs,
    settings: Settings,
    faults: FaultScript | None = None,
    wall_ms: Callable[[], int] = wall_clock_ms,
) -> SimulatorServer:
    """Return an exchange that has ``inputs`` as its market: the warm-up as history, the rest still to come.

    ``wall_ms`` is its clock.

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
    return SimulatorServer(exchange, faults, SIMULATED_KEY, SIMULATED_SECRET, wall_ms)


async def run_replay(
    inputs: CandleInputs,
    settings: Settings,
    folder: Path,
    *,
    faults: FaultScript | None = None,
    alerts: Mode | None = None,
    pace: Pace = REPLAY_PACE,
    warmed: Callable[[int], None] = lambda _: None,
    stepped: Callable[[int], None] = lambda _: None,
) -> Run:
    """Trade ``inputs`` through the whole line over the simulator's wire, in lockstep.

    ``pace``: how patient the line is; its clock must not pass. ``warmed`` gets the minutes fetched by REST,
    ``stepped`` each closed step.
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
        access = simulated_access(settings, addresses.http, Secret(SIMULATED_KEY), Secret(SIMULATED_SECRET))
        line = Line(folder, settings, inputs.instruments, inputs.origin, access, pace, alerts=alerts)
        run = await trade_line(line, lambda: conduct(LocalLine(line), LocalMarket(server), stepped), warmed)
        seconds = time.perf_counter() - began
    finally:
        await server.stop()
    return closed_run(run, server.exchange.fingerprint_lines(), server.wire, dict(server.faults.fired), seconds)


async def trade_line(
    line: Line, to_the_end: Callable[[], Awaitable[object]], warmed: Callable[[int], None] = lambda _: None
) -> Run:
    """Start ``line``, trade ``to_the_end`` of its market, and return what its store and journal say happened."""
    try:
        await line.start(warmed)
        await to_the_end()
        require_whole(line)
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


async def run_simulator(
    url: str,
    symbols: Sequence[str],
    settings: Settings,
    folder: Path,
    *,
    alerts: Mode | None = None,
    reached: Reached = unwatched,
) -> Run:
    """Trade on a simulated exchange in another process, in lockstep over its control plane; resumes from ``folder``.

    ``reached`` is told of the named points in the life of an order.
    Raises: NotLoopbackError for an address beyond this machine; SimulatorGoneError when nobody answers there;
    InputError when another line has traded there.
    """
    base = url.rstrip("/")
    require_loopback(base)
    began = time.perf_counter()
    async with aiohttp.ClientSession() as http:
        state = await state_of(http, base)
        if state["trade"] and not (folder / JOURNAL_FILE).exists():
            raise InputError(
                f"{folder}: expected the folder of the line that made the {state['trade']} trades of this exchange, "
                "was a new one; give that folder as --out, or start a new `trading-system exchange`"
            )
        if state["done"] and not (folder / JOURNAL_FILE).exists():
            raise InputError(
                f"{base}: expected an exchange whose market goes on, was one at its end; start a new `trading-system "
                "exchange`, or give the folder of the line that traded there as --out"
            )
        if state["user_sockets"] and not (folder / JOURNAL_FILE).exists():
            raise InputError(
                f"{base}: expected an account that nobody trades, was one that another line listens to; stop that "
                "line, or start a new `trading-system exchange`"
            )
        access = simulated_access(settings, base, Secret(SIMULATED_KEY), Secret(SIMULATED_SECRET))
        kept = await kept_line(folder, settings.model_copy(update={"symbols": tuple(sorted(symbols))}))
        instruments = await _records(access, symbols) if kept is None else kept.instruments
        origin = (state["first_step"] - 1) * MINUTE_MS
        line = Line(folder, settings, instruments, origin, access, REPLAY_PACE, alerts=alerts, reached=reached)

        async def report() -> None:
            alive = partial(require_alive, line)
            try:
                await report_moves(line.execution, settings.signal_interval, http, base, alive)
            except aiohttp.ClientError as error:
                raise SimulatorGoneError(base, error) from error

        run = await trade_line(line, report)
        trades = await _control(http, f"{base}/_sim/trades")
        state = await state_of(http, base)
    seconds = time.perf_counter() - began
    return closed_run(run, trades["lines"], state["wire"], state["faults"], seconds)


async def _records(access: VenueAccess, symbols: Sequence[str]) -> tuple[Instrument, ...]:
    venue = access.account()
    try:
        return await venue.instruments(sorted(symbols))
    finally:
        await venue.close()


async def serve_exchange(
    inputs: CandleInputs,
    settings: Settings,
    port: int,
    faults: FaultScript | None,
    say: Callable[[str], None],
    *,
    conducting: bool = True,
) -> None:
    """Serve ``inputs`` as an exchange until interrupted; ``say`` gets one line with its address.

    ``conducting``: the market goes on by itself whenever the line that reports here is quiet.
    """
    server = simulator_of(inputs, settings, faults)
    addresses = await server.start(port)
    say(addresses.http)
    try:
        if conducting:
            await conduct(ReportingLine(server.reports), LocalMarket(server))
        await asyncio.Event().wait()
    finally:
        await server.stop()


def moved_to_now(inputs: CandleInputs, settings: Settings) -> CandleInputs:
    """Return the same market, by whole minutes later, so that the minute after the warm-up is the running one."""
    first = inputs.origin + settings.plans.warm_up * interval_ms(settings.signal_interval)
    return inputs.moved_by(wall_clock_ms() // MINUTE_MS * MINUTE_MS - first)


async def rehearse(
    inputs: CandleInputs,
    settings: Settings,
    port: int,
    faults: FaultScript | None,
    say: Callable[[str], None],
    speed: float,
) -> None:
    """Serve ``inputs``, which were moved to now, as a market that goes on by itself to its end.

    speed: minutes of market a minute. ``say`` gets one line with the address.
    """
    clock = MarketClock(wall_clock_ms(), speed, wall_clock_ms)
    server = simulator_of(inputs, settings, faults, clock.now_ms)
    addresses = await server.start(port)
    say(addresses.http)
    try:
        await play_on(server, clock)
        await asyncio.Event().wait()
    finally:
        await server.stop()


async def conduct_from_beside(url: str, stepped: Callable[[int], None] = lambda _: None) -> Advanced:
    """Conduct an exchange in another process that does not do so itself, to the end of its market.

    Raises: NotLoopbackError for an address beyond this machine; SimulatorGoneError when nobody answers there.
    """
    base = url.rstrip("/")
    require_loopback(base)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        try:
            return await conduct(RemoteLine(http, base), RemoteMarket(http, base), stepped)
        except aiohttp.ClientError as error:
            raise SimulatorGoneError(base, error) from error


async def state_of(http: aiohttp.ClientSession, base: str) -> dict[str, Any]:
    """Return where the exchange at ``base`` stands. Raises: SimulatorGoneError when nobody answers there."""
    return await _control(http, f"{base}/_sim/state")


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
            f"expected a simulated exchange at {url}, was {network_trouble(error)}; start `trading-system exchange` "
            "and give the address that it prints"
        )
