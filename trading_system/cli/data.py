"""`data`: minutes fetched from an exchange once and kept for every backtest. How stands in ``research/fetched``."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trading_system.cli.given import bounds_of, settings_of, speech_of
from trading_system.cli.options import AsJson, From, Sets, To, symbols_checked
from trading_system.cli.said import in_our_language, say, say_error

if TYPE_CHECKING:
    from trading_system.research.fetched.catalogue import Finding, Kept
    from trading_system.research.fetched.fetch import Done, Note, Wanted
    from trading_system.settings import Settings


class Source(StrEnum):
    """Where minutes are asked for."""

    ARCHIVE = "archive"
    REST = "rest"


Market = Annotated[
    str | None,
    typer.Option("--exchange", metavar="NAME", help="whose minutes, spot included; default: of the settings"),
]
AnyMarket = Annotated[str | None, typer.Option("--exchange", metavar="NAME", help="only of this exchange")]
Chosen = Annotated[
    list[str],
    typer.Option("--symbol", callback=symbols_checked, help='e.g. BTCUSDT, or "top 200 by volume"; repeatable'),
]
OnlyOf = Annotated[list[str], typer.Option("--symbol", callback=symbols_checked, help="only of this one; repeatable")]
Begin = Annotated[str, typer.Option("--from", metavar="TIME", help="first minute, UTC; whole months are fetched")]
End = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="minutes closed by then; default: all that are closed")
]


def begin() -> None:
    """Fetch minutes from an exchange and keep them: for `backtest`, `detect` and `chart` with --symbol alone."""


def fetch(
    from_: Begin,
    symbol: Chosen,
    exchange: Market = None,
    to: End = None,
    source: Annotated[
        Source | None, typer.Option(help="one only; default: the archive, and REST for what it lacks")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="also what is kept already; the new replaces it")] = False,
    set_: Sets = None,
    json: AsJson = False,
) -> None:
    """Fetch what is missing of each symbol's minutes; an interrupted fetch goes on where it stopped."""
    import asyncio

    from trading_system.cli.exit_codes import WRONG_INPUT
    from trading_system.console import print_json
    from trading_system.research.fetched.catalogue import kept
    from trading_system.research.fetched.desk import checked_exchange, shelf_of
    from trading_system.research.fetched.fetch import Wanted

    settings = settings_of(set_)
    venue = checked_exchange(exchange or settings.exchange)
    first, until = bounds_of(from_, to)
    wanted = Wanted(venue, tuple(symbol), first or 0, until, again)
    done = asyncio.run(_fetch(settings, wanted, source))
    rows = kept(shelf_of(settings), venue, [*done.symbols, *done.failed])
    if json:
        failed = {name: str(error) for name, error in done.failed.items()}
        print_json({"kept": [row._asdict() for row in rows], "failed": failed})
    elif rows:
        _print(rows, settings)
    for error in done.failed.values():
        say_error(str(error))
    if done.failed:
        raise typer.Exit(WRONG_INPUT)


def list_(exchange: AnyMarket = None, symbol: OnlyOf = [], set_: Sets = None, json: AsJson = False) -> None:  # noqa: B006
    """List what was fetched: from when to when, what the exchange lacks, and where it is from."""
    from trading_system.console import print_json
    from trading_system.research.fetched.catalogue import kept
    from trading_system.research.fetched.desk import shelf_of

    settings = settings_of(set_)
    rows = kept(shelf_of(settings), exchange, symbol)
    if json:
        print_json({"kept": [row._asdict() for row in rows]})
    elif rows:
        _print(rows, settings)
    else:
        say(speech_of(settings).say("nothing.fetched"))


def check(
    exchange: AnyMarket = None,
    symbol: OnlyOf = [],  # noqa: B006
    from_: From = None,
    to: To = None,
    source: Annotated[Source | None, typer.Option(help="compare with what it states now as well")] = None,
    set_: Sets = None,
    json: AsJson = False,
) -> None:
    """Check what was fetched: checksums, rows, months between; name each gap. Exit 1 if anything but a gap is found."""
    import asyncio

    from trading_system.cli.exit_codes import FAILED
    from trading_system.console import print_json

    settings = settings_of(set_)
    first, until = bounds_of(from_, to)
    months, found = asyncio.run(_check(settings, exchange, symbol, (first, until), source))
    sound = all(one.key == "gap" for one in found)
    if json:
        print_json({"ok": sound, "months": months, "findings": [_row(one) for one in found]})
    else:
        speech = speech_of(settings)
        for one in found:
            typer.echo(_sentence(one, settings))
        typer.echo(speech.counted("data.checked", months))
    if not sound:
        raise typer.Exit(FAILED)


async def _fetch(settings: "Settings", wanted: "Wanted", source: Source | None) -> "Done":
    """Fetch with a bar of the months, and say what a person should know."""
    import time

    from trading_system.console import progress
    from trading_system.research.fetched import fetch as fetching
    from trading_system.research.fetched.desk import open_desk, shelf_of
    from trading_system.research.fetched.minutes import months_of

    end = min(wanted.until or time.time_ns() // 1_000_000, time.time_ns() // 1_000_000)
    async with open_desk(settings, wanted.exchange, source) as desk:
        wanted = wanted._replace(symbols=await fetching.chosen_symbols(desk, wanted.symbols))
        total = len(months_of(wanted.first, end)) * len(wanted.symbols)
        with progress("progress.fetch", total, speech_of(settings)) as show:
            done = 0

            def month_done() -> None:
                nonlocal done
                done += 1
                show(done)

            watch = fetching.Watch(month_done, lambda note: _say_note(note, settings))
            return await fetching.fetch(shelf_of(settings), desk, wanted, watch)


def _say_note(note: "Note", settings: "Settings") -> None:
    from trading_system.console import say as say_beside_the_bar

    values = {name: in_our_language(str(value)) for name, value in note.values.items()}
    if note.key == "differs":
        values["count"] = f"{note.values['count']:,}"
    say_beside_the_bar(speech_of(settings).say(f"note.fetch.{note.key}", **values))


async def _check(
    settings: "Settings",
    exchange: str | None,
    symbols: list[str],
    bounds: tuple[int | None, int | None],
    source: Source | None,
) -> tuple[int, list["Finding"]]:
    """Return how many months were looked at, and what was found."""
    from trading_system.research.fetched.catalogue import checked, chosen
    from trading_system.research.fetched.desk import open_desk, shelf_of

    shelf = shelf_of(settings)
    first, until = bounds[0] or 0, bounds[1] or 1 << 60
    months, found = 0, []
    for venue, symbol in chosen(shelf, exchange, symbols):
        if source is None:
            seen, more = await checked(shelf, venue, symbol, (first, until), None)
        else:
            async with open_desk(settings, venue, source) as desk:
                seen, more = await checked(shelf, venue, symbol, (first, until), desk)
        months += seen
        found += more
    return months, found


def _sentence(one: "Finding", settings: "Settings") -> str:
    from trading_system.research.fetched.errors import command_for, written

    speech = speech_of(settings)
    values: dict[str, Any] = {"symbol": one.symbol, "exchange": one.exchange, "month": one.month}
    values["command"] = f"`{command_for(one.exchange, [one.symbol], one.month.start, one.month.end)}`"
    if one.hole is not None:
        values["first"] = written(one.hole.first)
        return speech.counted(f"data.{one.key}", one.hole.missing, **values)
    if one.differs is not None:
        differ = one.differs
        count = differ.changed + differ.only_ours + differ.only_theirs
        values |= {"first": written(differ.first), "source": one.problem}
        values |= {"ours": _numbers(differ.ours, settings), "theirs": _numbers(differ.theirs, settings)}
        return speech.counted("data.differs", count, **values)
    return speech.say(f"data.{one.key}", problem=in_our_language(one.problem), **values)


def _numbers(row: tuple[float, ...] | None, settings: "Settings") -> str:
    from trading_system.rules.grid import text_of

    return speech_of(settings).say("data.no_minute") if row is None else " ".join(map(text_of, row))


def _row(one: "Finding") -> dict[str, Any]:
    row = {**one._asdict(), "month": str(one.month)}
    for name in ("hole", "differs"):
        if row[name] is not None:
            row[name] = row[name]._asdict()
    return {name: value for name, value in row.items() if value not in {None, ""}}


def _print(rows: list["Kept"], settings: "Settings") -> None:
    from trading_system.console_data import print_kept
    from trading_system.console_line import console

    print_kept(rows, console(), speech_of(settings))


data = (begin, fetch, list_, check)
