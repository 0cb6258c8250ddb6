"""The commands that act on the account of a line that trades: asked through its inbox, answered by its execution."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from trading_system.cli.options import AsJson, Lang, OneSymbol, StoreFolder

OneSignal = Annotated[
    str, typer.Argument(metavar="ID", help="of an offered signal, or how it begins; see `trading-system signals`")
]
Wait = Annotated[float, typer.Option("--wait", metavar="SECONDS", help="how long to wait for the answer", min=0)]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask again")]
PATIENCE_S = 90.0  # a paper account answers at the end of its minute


def pause(store: StoreFolder = None, wait: Wait = PATIENCE_S, lang: Lang = None, json: AsJson = False) -> None:
    """Switch entries off: waiting entries are taken back, stops and targets stay. `resume` ends it."""
    _ask("pause", {}, store, wait, lang, json)


def resume(store: StoreFolder = None, wait: Wait = PATIENCE_S, lang: Lang = None, json: AsJson = False) -> None:
    """Switch entries on again, also after the drawdown stop; the peak is then counted from here."""
    _ask("resume", {}, store, wait, lang, json)


def close(
    symbol: OneSymbol, store: StoreFolder = None, wait: Wait = PATIENCE_S, lang: Lang = None, json: AsJson = False
) -> None:
    """Take back a symbol's waiting entry, or let its position leave at market with its stop kept until it is flat."""
    _ask("close", {"symbol": symbol}, store, wait, lang, json)


def panic(
    store: StoreFolder = None,
    wait: Wait = PATIENCE_S,
    lang: Lang = None,
    yes: Yes = False,
    json: AsJson = False,
) -> None:
    """Let every position leave at market, take back every entry, and switch entries off; asks for confirmation."""
    from trading_system.cli.exit_codes import FAILED
    from trading_system.cli.given import settings_of, speech_of
    from trading_system.cli.said import refuse

    try:
        if not yes and not typer.confirm(speech_of(settings_of(None, lang=lang)).say("ask.panic"), err=True):
            raise typer.Exit(FAILED)
    except typer.Abort:
        refuse("expected a yes to `panic`, was no answer; give --yes where nobody can be asked")
    _ask("panic", {}, store, wait, lang, json)


def take(
    signal: OneSignal, store: StoreFolder = None, wait: Wait = PATIENCE_S, lang: Lang = None, json: AsJson = False
) -> None:
    """Trade a signal that was offered (entries=advisor), if the account still admits it at this moment."""
    _ask("take", {"signal": signal}, store, wait, lang, json)


def skip(
    signal: OneSignal, store: StoreFolder = None, wait: Wait = PATIENCE_S, lang: Lang = None, json: AsJson = False
) -> None:
    """Decline a signal that was offered (entries=advisor)."""
    _ask("skip", {"signal": signal}, store, wait, lang, json)


def _ask(
    command: str, arguments: Mapping[str, str], store: Path | None, wait: float, lang: str | None, as_json: bool
) -> None:
    """Ask, and print the answer; one that refuses ends with the code of a no."""
    import asyncio

    from trading_system.asking import ask
    from trading_system.cli.exit_codes import FAILED
    from trading_system.cli.given import settings_of
    from trading_system.console import print_json
    from trading_system.services.inbox import DONE
    from trading_system.services.replies import replies_in, reply_text

    settings = settings_of(None, lang=lang)
    answer = asyncio.run(ask(settings, store, command, arguments, wait))
    if as_json:
        print_json({**answer, "time": answer["time"].isoformat()})
    else:
        typer.echo(reply_text(answer, replies_in(settings.language)))
    if answer["status"] != DONE:
        raise typer.Exit(FAILED)
