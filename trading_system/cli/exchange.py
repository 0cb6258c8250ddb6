"""`exchange`: candle files served as an exchange, for a line in another process."""

from pathlib import Path
from typing import Annotated

import typer

from trading_system.cli.given import bounds_of, candles_of, faults_of, settings_of
from trading_system.cli.options import Faults, From, InstrumentFile, Sets, SignalInterval, Symbols, To


def exchange(
    replay: Annotated[
        list[Path],
        typer.Option(
            "--replay",
            readable=False,
            metavar="FILE",
            help="1m candles (CSV, CSV.gz, zip, Parquet, Feather); repeatable",
        ),
    ],
    symbol: Symbols = [],  # noqa: B006
    port: Annotated[int, typer.Option(help="port on 127.0.0.1; 0 takes a free one", min=0, max=65_535)] = 0,
    set_: Sets = None,
    signal_interval: SignalInterval = None,
    instrument: InstrumentFile = None,
    from_: From = None,
    to: To = None,
    faults: Faults = None,
    venue: Annotated[
        str | None, typer.Option("--venue", metavar="NAME", help="whose wire it speaks; default: of the settings")
    ] = None,
    speed: Annotated[
        float,
        typer.Option(
            min=0.0, help="minutes of market a minute, beginning now, whoever is there; 0: in step with the line here"
        ),
    ] = 0.0,
    conductor: Annotated[bool, typer.Option(help="go on whenever the line that trades here is quiet")] = True,
) -> None:
    """Serve a simulated exchange whose market is the given candles."""
    import asyncio

    from trading_system.simulated_run import moved_to_now, rehearse, serve_exchange

    settings = settings_of(set_, signal_interval, venue=venue)
    inputs = candles_of(replay, symbol, settings, instrument, bounds_of(from_, to))
    if speed:
        inputs = moved_to_now(inputs, settings)
        asyncio.run(rehearse(inputs, settings, port, faults_of(faults, inputs, settings), typer.echo, speed))
    else:
        script = faults_of(faults, inputs, settings)
        asyncio.run(serve_exchange(inputs, settings, port, script, typer.echo, conducting=conductor))
