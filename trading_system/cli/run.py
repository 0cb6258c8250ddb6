"""`run`: the whole line, on paper over a public feed or over a simulated exchange; or one service of it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trading_system.cli.exit_codes import INTERRUPTED
from trading_system.cli.given import (
    account_settings_of,
    bounds_of,
    candles_of,
    faults_of,
    new_folder,
    settings_of,
    speech_of,
)
from trading_system.cli.options import (
    AsJson,
    Exchange,
    Faults,
    From,
    InstrumentFile,
    Out,
    Sets,
    SignalInterval,
    Symbols,
    To,
)
from trading_system.cli.said import print_run, refuse

if TYPE_CHECKING:
    from trading_system.settings import Settings


MOST_NAMED = 8  # symbols in the name of a folder


def run(
    service: Annotated[
        str | None, typer.Argument(metavar="SERVICE", help="one service of the line as a process of its own")
    ] = None,
    replay: Annotated[
        list[Path] | None,
        typer.Option(
            "--replay",
            readable=False,
            metavar="FILE",
            help="1m candles (CSV, CSV.gz, zip, Parquet, Feather); repeatable",
        ),
    ] = None,
    simulator: Annotated[
        str | None, typer.Option("--simulator", metavar="URL", help="a running `trading-system exchange`")
    ] = None,
    symbol: Symbols = [],  # noqa: B006  typer reads it as the default and never changes it
    exchange: Exchange = None,
    signal_interval: SignalInterval = None,
    speed: Annotated[str, typer.Option(help="max: lockstep with the simulated market")] = "max",
    set_: Sets = None,
    out: Out = None,
    json: AsJson = False,
    alerts: Annotated[bool, typer.Option(help="a picture and a text for each signal")] = True,
    instrument: InstrumentFile = None,
    from_: From = None,
    to: To = None,
    faults: Faults = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="paper: end after the minute that closes then, UTC")
    ] = None,
) -> None:
    """Trade the whole line: on paper over the venue's public feed, or candle files over a simulated exchange.

    With the name of a service, run that one alone; Redis and the store of the settings join it with the others.
    """
    import asyncio

    if service is not None:
        _service(service, settings_of(set_, signal_interval, exchange), alerts=alerts)
        return
    if simulator is None and not replay:
        symbol = symbol or list(settings_of(set_, signal_interval, exchange).symbols)
    if simulator is None and not replay and symbol:
        _paper(symbol, settings_of(set_, signal_interval, exchange), out, until, alerts=alerts, json=json)
        return
    from trading_system.research.run_folder import earlier_run
    from trading_system.research.runs import write
    from trading_system.simulated_run import run_replay, run_simulator

    if speed != "max":
        refuse(f"--speed {speed}: expected max, the only speed at which a run can equal a backtest")
    if (simulator is None) == (not replay) or (simulator is not None and not symbol):
        refuse(
            "expected --symbol for paper trading on the venue's public feed, --replay FILE with --symbol, or "
            "--simulator URL with --symbol"
        )
    settings = account_settings_of(set_, signal_interval, exchange)
    folder = out or new_folder(settings, "run", *symbol)
    earlier_run(folder, backtest=False)
    mode: Any = "PAPER" if alerts else None
    _refuse_kills_unless(simulator is not None)
    if simulator is not None:
        done = asyncio.run(run_simulator(simulator, symbol, settings, folder, alerts=mode, reached=_watcher()))
    else:
        from trading_system.console import progress

        inputs = candles_of(replay or [], symbol, settings, instrument, bounds_of(from_, to))
        with progress("progress.lockstep", inputs.minutes, speech_of(settings)) as stepped:
            first = inputs.origin // 60_000
            done = asyncio.run(
                run_replay(
                    inputs,
                    settings,
                    folder,
                    faults=faults_of(faults, inputs, settings),
                    alerts=mode,
                    stepped=lambda step: stepped(step - first),
                )
            )
    write(folder, done)
    print_run(done.summary, folder, settings, json)


def _service(service: str, settings: "Settings", *, alerts: bool) -> None:
    """Run one service until it is told to stop."""
    import asyncio

    from trading_system.cli.said import in_our_language, say
    from trading_system.service_run import ServiceProcess
    from trading_system.start_checks import require_safe_start

    def tell(sentence: str) -> None:
        say(in_our_language(sentence))

    async def serve() -> None:
        process = ServiceProcess(service, settings, tell, alerts="PAPER" if alerts else None, reached=_watcher())
        await process.run(_stop_by_signal())

    _refuse_kills_unless(bool(settings.market.conductor))
    require_safe_start(settings)
    asyncio.run(serve())


def _stop_by_signal() -> Any:
    """Return an event that the first SIGINT or SIGTERM sets; the second one does not wait."""
    import asyncio
    import signal

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end_it(number: int) -> None:
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end_it, number)
    return stop


def _paper(
    symbols: list[str], settings: "Settings", out: Path | None, until: str | None, *, alerts: bool, json: bool
) -> None:
    """Trade on paper until --until or an interruption; the folder is the same each time, so a start goes on."""
    import asyncio

    from trading_system.console import progress, say
    from trading_system.paper_run import paper_line, trade_paper
    from trading_system.research.history_bounds import bound_ms
    from trading_system.research.run_folder import earlier_run
    from trading_system.research.runs import write
    from trading_system.venue_access import public_rest

    folder = out or settings.data_folder / "runs" / _paper_folder(symbols)
    earlier_run(folder, backtest=False)
    speech = speech_of(settings)
    end = None if until is None else bound_ms(until, "--until")

    async def trade() -> Any:
        stop = _stop_by_signal()
        line, missing = await paper_line(symbols, settings, folder, alerts="PAPER" if alerts else None)
        say(speech.say("note.paper", symbols=" ".join(symbols), url=public_rest(settings), folder=folder))
        with progress("progress.warm_up", missing, speech) as warmed:
            return await trade_paper(
                line,
                stop,
                until=end,
                warmed=warmed,
                trading=lambda: say(speech.say("note.paper_trading")),
            )

    done = asyncio.run(trade())
    if done is None:
        say(speech.say("note.paper_interrupted", folder=folder))
        raise typer.Exit(INTERRUPTED)
    write(folder, done)
    print_run(done.summary, folder, settings, json)


def _paper_folder(symbols: list[str]) -> str:
    """Return the folder's name, the same for the same symbols; many of them would not fit into it."""
    import hashlib

    names = [name.replace(" ", "-") for name in sorted(symbols)]
    if len(names) <= MOST_NAMED:
        return "-".join(["paper", *names])
    return f"paper-{len(names)}-symbols-{hashlib.sha256(' '.join(names).encode()).hexdigest()[:8]}"


def _refuse_kills_unless(simulated: bool) -> None:
    from trading_system.services.execution_engine.points import KILL_AT

    if KILL_AT in os.environ and not simulated:
        refuse(f"{KILL_AT}: expected it unset, as only a line on a simulated exchange may be told to die; unset it")


def _watcher() -> Any:
    from trading_system.services.execution_engine.points import KILL_AT, killer, unwatched

    wish = os.environ.get(KILL_AT)
    return unwatched if wish is None else killer(wish)
