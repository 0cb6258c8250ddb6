"""The commands that only read: where a line stands, what it holds, what it said, and why it did not trade."""

from pathlib import Path
from typing import TYPE_CHECKING

from trading_system.cli.given import settings_of
from trading_system.cli.language import speech, spoken
from trading_system.cli.options import AsJson, Last, StoreFolder, SymbolOfLine

if TYPE_CHECKING:
    from trading_system.research.line_view import LineView


def status(store: StoreFolder = None, json: AsJson = False) -> None:
    """Say where a line stands and what it waits for, also while it trades."""
    from trading_system.cli.signs import newest_now, services_now
    from trading_system.console import print_json
    from trading_system.console_line import console, print_status
    from trading_system.research.line_rows import status_of
    from trading_system.services.health_words import health_in

    view = view_of(store)
    settings = settings_of(None)
    services = services_now(settings) if store is None else []
    # A folder that was named is read as it is; so is the store while the bus does not answer.
    bus_url = settings.bus_url if services else "memory://"
    server = settings.database_url if store is None else ""
    found = status_of(view, services, newest_now(view, settings, bus_url, server))
    print_json(found) if json else print_status(found, console(), speech(), health_in(spoken.get()))


def positions(store: StoreFolder = None, json: AsJson = False) -> None:
    """List open positions and waiting entries with their stops and targets."""
    from trading_system.console import print_json
    from trading_system.console_line import console, print_positions
    from trading_system.research.line_rows import positions_of

    rows = positions_of(view_of(store))
    print_json({"positions": rows}) if json else print_positions(rows, console(), speech())


def signals(symbol: SymbolOfLine = None, store: StoreFolder = None, json: AsJson = False, last: Last = 20) -> None:
    """List signals, the newest first, and what came of each: refused, withdrawn, waiting, open or closed."""
    from trading_system.console import print_json
    from trading_system.console_line import console, print_signals
    from trading_system.research.line_rows import signals_of

    rows = signals_of(view_of(store), symbol)[: last or None]
    print_json({"signals": rows}) if json else print_signals(rows, console(), speech())


def trades(symbol: SymbolOfLine = None, store: StoreFolder = None, json: AsJson = False, last: Last = 20) -> None:
    """List ended trades, the newest first, with reason, fees, result and R."""
    from trading_system.console import print_json
    from trading_system.console_line import console, print_trades
    from trading_system.research.line_rows import trades_of

    rows = trades_of(view_of(store), symbol)[: last or None]
    print_json({"trades": rows}) if json else print_trades(rows, console(), speech())


def why(symbol: SymbolOfLine = None, store: StoreFolder = None, json: AsJson = False) -> None:
    """Say what became of a symbol's candles: swings, blocks and flags, refusals with their numbers, signals, trades."""
    from trading_system.console import print_json
    from trading_system.console_line import console, print_why
    from trading_system.research.why import why as why_of
    from trading_system.spoken import report_in

    view = view_of(store)
    names = [one.symbol for one in view.symbols] if symbol is None else [symbol]
    funnels = [why_of(view, name) for name in names]
    if json:
        print_json({"symbols": funnels})
        return
    for funnel in funnels:
        print_why(funnel, console(), speech(), report_in(spoken.get()))


def view_of(store: Path | None) -> "LineView":
    """Return the line of a folder, or of the settings."""
    import asyncio

    from trading_system.research.line_view import SERVICES_FOLDER, newest_line, read_line

    settings = settings_of(None)
    if store is None and settings.database_url:
        folder, paper = settings.data_folder / SERVICES_FOLDER, not settings.market.conductor
        return asyncio.run(read_line(folder, settings.database_url, is_paper=paper))
    return asyncio.run(read_line(store or newest_line(settings.data_folder)))
