"""A person's request to a line that trades in another process: put into its inbox, and its answer waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from trading_system.app import JOURNAL_FILE, STORE_FILE
from trading_system.contracts import CommandDTO
from trading_system.database import open_bus, open_store
from trading_system.line_terms import LINE, roster_of
from trading_system.research.line_view import newest_line, trader_of
from trading_system.rules.roster import Member, State
from trading_system.services.inbox import Inbox
from trading_system.services.room import Letterbox
from trading_system.settings import Settings

LOOKING_AGAIN_S = 0.2


class AskingError(ValueError):
    """A request that nobody is there to answer, or that nobody has answered."""


async def ask(
    settings: Settings, folder: Path | None, command: str, arguments: Mapping[str, str], wait_s: float
) -> CommandDTO:
    """Ask the line of ``folder`` for ``command`` and return its answer, waiting for it up to ``wait_s``.

    folder: None for the store that the settings name, or without one the folder of the newest run.
    Raises: AskingError; ViewError when there is no run; what the store or the bus raises.
    """
    url = _url_of(settings, folder)
    store = open_store(url)
    try:
        lines = await store.documents(LINE)
        if not lines:
            raise AskingError(f"{url}: expected a line that has begun, was a store without one; start its data_feed")
        bus = open_bus(settings.bus_url)
        try:
            inbox = Inbox(Letterbox(store, bus), lines[0].key, "cli")
            number = await inbox.ask(command, **arguments)
            answer = await inbox.wait(number, wait_s)
        finally:
            await bus.close()
    finally:
        await store.close()
    if answer is None:
        raise AskingError(
            f"{command}: expected an answer within {wait_s:g} s, was none; the request stays in the inbox and may "
            "still be acted on within a minute of its asking: look with `trading-system status`"
        )
    return answer


async def told_of(settings: Settings, folder: Path | None, symbol: str, wait_s: float) -> Member | None:
    """Return how a symbol that was asked for stands once the exchange has told of it, None if not within ``wait_s``.

    Raises: as ``ask``.
    """
    store = open_store(_url_of(settings, folder))
    try:
        for _ in range(max(1, round(wait_s / LOOKING_AGAIN_S))):
            roster = await roster_of(store)
            member = None if roster is None else roster.members.get(symbol)
            if member is not None and member.state != State.ASKED:
                return member
            await asyncio.sleep(LOOKING_AGAIN_S)
    finally:
        await store.close()
    return None


def _url_of(settings: Settings, folder: Path | None) -> str:
    url = settings.database_url
    if folder is not None or not url:
        folder = folder or newest_line(settings.data_folder)
        path = folder / STORE_FILE
        if not path.exists() or trader_of(folder / JOURNAL_FILE) is None:
            raise AskingError(
                f"{folder}: expected a line that some process trades, was none; start the run again that began it, "
                "or name another with --store"
            )
        url = f"sqlite:///{path.resolve()}"
    return url
