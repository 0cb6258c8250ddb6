"""`symbols`: which symbols a line trades, and what changes them while it runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trading_system.cli.options import AsJson, StoreFolder

if TYPE_CHECKING:
    from trading_system.rules.roster import Member

ACTIONS = {"add": "add_symbol", "remove": "remove_symbol", "choose": "choose_symbols"}
LIST = "list"
PATIENCE_S = 30.0
TOLD_WITHIN_S = 5.0  # what the exchange says of a symbol, if it answers at all
Action = Annotated[str, typer.Argument(metavar="ACTION", help="list, add, remove, or choose: by volume again, at once")]
Names = Annotated[list[str] | None, typer.Argument(metavar="SYMBOL", help="those to add or to remove")]
Wait = Annotated[float, typer.Option("--wait", metavar="SECONDS", help="how long to wait for the answer", min=0)]


def symbols(
    action: Action = LIST,
    names: Names = None,
    store: StoreFolder = None,
    wait: Wait = PATIENCE_S,
    json: AsJson = False,
) -> None:
    """List the symbols of a line, or change them while it trades: one that joins warms up first, one that leaves is
    fed until it is flat.
    """
    from trading_system.cli.said import refuse

    given = names or []
    if action == LIST and not given:
        _list(store, json=json)
    elif action in ACTIONS and bool(given) == (action != "choose"):
        _change(action, given, store, wait, json=json)
    else:
        was = " ".join([action, *given])
        refuse(f"expected list, choose, add SYMBOL... or remove SYMBOL..., was {was}; correct the command")


def _list(store: Path | None, *, json: bool) -> None:
    from trading_system.cli.language import speech
    from trading_system.cli.reading import view_of
    from trading_system.console import print_json
    from trading_system.console_line import console, print_symbols
    from trading_system.research.line_rows import symbols_of

    rows = symbols_of(view_of(store).roster)
    print_json({"symbols": rows}) if json else print_symbols(rows, console(), speech())


def _change(action: str, names: Sequence[str], store: Path | None, wait: float, *, json: bool) -> None:
    """Ask for each symbol by itself, and print each answer; one that refuses ends with the code of a no."""
    import asyncio

    from trading_system.asking import ask, told_of
    from trading_system.cli.exit_codes import FAILED
    from trading_system.cli.given import settings_of
    from trading_system.console import print_json
    from trading_system.rules.roster import State
    from trading_system.services.inbox import DONE
    from trading_system.services.replies import replies_in, reply_text

    settings = settings_of(None)
    requests = [{"symbol": name} for name in names] or [{}]
    told: list[dict[str, Any]] = []
    failed = False
    replies = replies_in(settings.language)

    def say(sentence: str) -> None:
        if not json:
            typer.echo(sentence)

    for request in requests:
        answer = asyncio.run(ask(settings, store, ACTIONS[action], request, wait))
        done = answer["status"] == DONE
        told.append({**answer, "time": answer["time"].isoformat()})
        say(reply_text(answer, replies))
        if action == "add" and done:
            member = asyncio.run(told_of(settings, store, request["symbol"], min(wait, TOLD_WITHIN_S)))
            done = member is None or member.state != State.LEFT
            told[-1] |= {"state": "asked"} if member is None else {"state": member.state.value, "detail": member.detail}
            say(_what_the_exchange_told(request["symbol"], member))
        failed = failed or not done
    if json:
        print_json({"answers": told})
    if failed:
        raise typer.Exit(FAILED)


def _what_the_exchange_told(symbol: str, member: "Member | None") -> str:
    from trading_system.cli.language import speech
    from trading_system.cli.said import in_our_language
    from trading_system.rules.roster import State

    if member is None:
        return speech().say("added.unanswered", symbol=symbol)
    if member.state == State.LEFT:
        return speech().say("added.refused", symbol=symbol, detail=in_our_language(member.detail))
    return speech().say("added.joins", symbol=symbol)
