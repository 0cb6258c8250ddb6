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
    conductor: Annotated[bool, typer.Option(help="go on whenever the line that trades here is quiet")] = True,
) -> None:
    """Serve a simulated Binance USDT-M exchange whose market is the given candles."""
    import asyncio

    from trading_system.simulated_run import serve_exchange

    settings = settings_of(set_, signal_interval)
    inputs = candles_of(replay, symbol, settings, instrument, bounds_of(from_, to))
    asyncio.run(serve_exchange(inputs, settings, port, faults_of(faults), typer.echo, conducting=conductor))
