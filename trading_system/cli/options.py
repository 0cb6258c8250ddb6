"""The options and arguments that several commands take, each with its one help text."""

from pathlib import Path
from typing import Annotated

import typer


def symbols_checked(names: list[str]) -> list[str]:
    """Return the symbols of an option that can be repeated. Raises: BadParameter."""
    from trading_system.rules.symbols import SymbolError, selection_of

    try:
        selection_of(names)
    except SymbolError as error:
        raise typer.BadParameter(str(error)) from None
    return names


def _symbol(name: str | None) -> str | None:
    from trading_system.rules.symbols import SymbolError, checked_symbol

    try:
        return None if name is None else checked_symbol(name)
    except SymbolError as error:
        raise typer.BadParameter(str(error)) from None


Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="change one setting; repeatable")]
Exchange = Annotated[
    str | None, typer.Option("--exchange", metavar="NAME", help="the venue of the line; default: of the settings")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="where the run's folder goes")]
AsJson = Annotated[bool, typer.Option("--json", help="print one object on standard output, nothing else")]
SignalInterval = Annotated[str | None, typer.Option("--signal-interval", help="candles on which setups are looked for")]
Symbols = Annotated[
    list[str],
    typer.Option("--symbol", callback=symbols_checked, help="symbol of each file, in their order; repeatable"),
]
OneSymbol = Annotated[str, typer.Argument(metavar="SYMBOL", callback=_symbol, help="e.g. BTCUSDT")]
SymbolOfFile = Annotated[
    str | None, typer.Option("--symbol", callback=_symbol, help="symbol of the file; default: from its name")
]
InstrumentFile = Annotated[
    Path | None,
    typer.Option("--instrument", readable=False, metavar="FILE", help="JSON with tick, step, fees, min_notional"),
]
From = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="first candle, UTC: 2025-01-31 or 2025-01-31T12:30Z")
]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="candles closed by then; a day is its beginning")]
Faults = Annotated[
    Path | None, typer.Option("--faults", readable=False, metavar="FILE", help="JSON list of faults to cause")
]
StoreFolder = Annotated[
    Path | None, typer.Option("--store", metavar="FOLDER", help="the folder of a run; default: the newest one")
]
SymbolOfLine = Annotated[str | None, typer.Argument(metavar="SYMBOL", help="one symbol of the line; default: all")]
Last = Annotated[int, typer.Option("--last", help="how many of the newest; 0: all", min=0)]
