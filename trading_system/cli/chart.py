"""`chart`: candles with what the detectors found in them."""

from pathlib import Path
from typing import Annotated

import typer

from trading_system.cli.given import settings_of, speech_of
from trading_system.cli.options import Exchange, OneSymbol, Sets
from trading_system.cli.said import refuse, say


def chart(
    symbol: OneSymbol,
    candles: Annotated[
        Path | None, typer.Option("--candles", readable=False, metavar="FILE", help="a candle file")
    ] = None,
    store: Annotated[Path | None, typer.Option("--store", metavar="FOLDER", help="the folder of a run")] = None,
    exchange: Exchange = None,
    interval: Annotated[str | None, typer.Option(help="candles to draw; default: the source's own")] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="the moment to show, UTC; default: the end")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="x.png or x.svg")] = None,
    light: Annotated[bool, typer.Option("--light", help="dark on white")] = False,
    set_: Sets = None,
) -> None:
    """Draw candles with swings, live order blocks and flags, as they were known at a moment: of a file, of a run, or
    fetched ones.
    """
    from trading_system.charts.theme import THEMES
    from trading_system.research.chart_file import draw_chart, source_of_fetched, source_of_file, source_of_run
    from trading_system.research.history_bounds import bound_ms
    from trading_system.spoken import look_in

    if candles is not None and store is not None:
        refuse("expected either --candles FILE or --store FOLDER")
    settings = settings_of(set_, exchange=exchange)
    if candles is not None:
        source = source_of_file(candles, symbol)
    elif store is not None:
        source = source_of_run(store, symbol, settings)
        interval = interval or settings.signal_interval
    else:
        source = source_of_fetched(symbol, settings)
        interval = interval or settings.signal_interval
    path = out or Path(f"{symbol}.png")
    moment = None if at is None else bound_ms(at, "--at")
    look = look_in(settings.language, THEMES["light" if light else "dark"])
    draw_chart(source, path, settings, interval=interval, at=moment, look=look)
    say(speech_of(settings).say("note.chart", file=path))
