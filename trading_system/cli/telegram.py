"""`telegram`: what is done beside a running line for its chats. Who may what stands in ``telegram_engine.chats``."""

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from trading_system.cli.given import settings_of
from trading_system.cli.language import speech
from trading_system.cli.options import AsJson, StoreFolder
from trading_system.cli.said import say

if TYPE_CHECKING:
    from pathlib import Path

    from trading_system.settings import Settings


class Paired(StrEnum):
    """What a paired chat may do, from the most to the least."""

    OWNER = "owner"
    TRADER = "trader"
    VIEWER = "viewer"


def begin() -> None:
    """Look after the chats of a line that tells on Telegram."""


def pair(
    role: Annotated[Paired, typer.Option("--role", help="what the chat may do")] = Paired.OWNER,
    store: StoreFolder = None,
    json: AsJson = False,
) -> None:
    """Make a code that pairs one chat: sent to the bot as `/start CODE` within ten minutes, it lets that chat in."""
    import asyncio

    from trading_system.console import print_json

    code = asyncio.run(_code(settings_of(None), store, role))
    if json:
        print_json({"code": code, "role": role.value, "minutes": 10})
    else:
        typer.echo(f"/start {code}")
        say(speech().say("note.pair", role=role.value))


async def _code(settings: "Settings", folder: "Path | None", role: Paired) -> str:
    """Open the door of the line in ``folder``, or of the store that the settings name, or of the newest run."""
    from trading_system.app import STORE_FILE
    from trading_system.database import open_store
    from trading_system.line_terms import LINE
    from trading_system.research.line_view import ViewError, newest_line
    from trading_system.services.telegram_engine.pairing import open_door

    url = settings.database_url
    if folder is not None or not url:
        path = (folder or newest_line(settings.data_folder)) / STORE_FILE
        if not path.exists():
            raise ViewError(f"{path}: expected the store of a line, was nothing; start `trading-system run` first")
        url = f"sqlite:///{path.resolve()}"
    opened = open_store(url)
    try:
        lines = await opened.documents(LINE)
        if not lines:
            raise ViewError(f"{url}: expected a line that has begun, was an empty store; start the run first")
        return await open_door(opened, lines[0].key, time.time_ns() // 1_000_000, role.value)
    finally:
        await opened.close()


telegram = (begin, pair)
