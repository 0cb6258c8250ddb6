"""`backtest`: fetched minutes, candle files, or what a line stored, traded by the same rules."""

from pathlib import Path
from typing import Annotated

import typer

from trading_system.cli.given import bounds_of, candles_of, fetched_of, new_folder, settings_of, speech_of
from trading_system.cli.options import AsJson, Exchange, From, InstrumentFile, Out, Sets, SignalInterval, Symbols, To
from trading_system.cli.said import print_run, refuse, say


def backtest(
    candles: Annotated[
        list[Path] | None,
        typer.Option(
            "--candles", readable=False, metavar="FILE", help="CSV, CSV.gz, zip, Parquet or Feather; repeatable"
        ),
    ] = None,
    symbol: Symbols = [],  # noqa: B006
    exchange: Exchange = None,
    signal_interval: SignalInterval = None,
    set_: Sets = None,
    out: Out = None,
    json: AsJson = False,
    instrument: InstrumentFile = None,
    from_: From = None,
    to: To = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="FILE", help="one HTML page about it")] = None,
    funding: Annotated[
        list[Path] | None,
        typer.Option("--funding", readable=False, metavar="FILE", help="funding rates of each file; repeatable"),
    ] = None,
    store: Annotated[
        Path | None, typer.Option("--store", metavar="FOLDER", help="what a line stored, with its own terms, instead")
    ] = None,
) -> None:
    """Trade in a backtest, by the same rules: candle files, or with --symbol alone what `data fetch` has fetched."""
    from trading_system.research.funding import read_funding
    from trading_system.research.run_folder import earlier_run
    from trading_system.research.runs import run_backtest, write

    settings = settings_of(set_, signal_interval, exchange)
    speech = speech_of(settings)
    folder = out or new_folder(settings, "backtest", *symbol)
    if (store is None) == (not candles) and (candles or not symbol):
        refuse("expected --symbol, with --candles FILE or with fetched minutes, or --store FOLDER")
    earlier = earlier_run(folder, backtest=True)
    late: frozenset[str] = frozenset()
    if store is not None:
        import asyncio

        from trading_system.research.stored_candles import read_stored

        inputs, began, late = asyncio.run(read_stored(store))
        settings = began.model_copy(update={"language": settings.language})
    elif candles:
        inputs = candles_of(candles, symbol, settings, instrument, bounds_of(from_, to))
    else:
        inputs = fetched_of(symbol, settings, instrument, bounds_of(from_, to))
    if inputs.base != 60_000:
        say(speech.say("note.base", minutes=inputs.base // 60_000))
    if funding and len(funding) != len(symbol):
        refuse(f"expected one --funding file for each --symbol, was {len(funding)} for {len(symbol)}")
    rates = {name: read_funding(path) for name, path in zip(symbol, funding or [], strict=False)}
    done = run_backtest(inputs, settings, rates, late=late)
    write(folder, done)
    if earlier is not None and {**earlier, "seconds": 0} != {**done.summary, "seconds": 0}:
        say(speech.say("note.replaced", folder=folder))
    print_run(done.summary, folder, settings, json)
    if report is not None:
        from trading_system.console import print_statistics_of
        from trading_system.research.report import write_report
        from trading_system.spoken import report_in

        write_report(report, done.record, done.summary, settings, report_in(settings.language))
        if not json:
            print_statistics_of(done.record, done.summary, settings)
        say(speech.say("note.report", file=report))
