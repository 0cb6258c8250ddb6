"""Who may hear and command: people and groups by number, each with a role and a language; everybody else is nobody.

Chats come from the settings and from pairing; what was paired, and the language that a chat chose, is in the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import msgspec

from trading_system.languages.catalogue import LANGUAGES
from trading_system.store.port import Store

Role = Literal["owner", "trader", "viewer"]
ROLES: tuple[Role, ...] = get_args(Role)
"""From the most to the least that a chat may do."""

CHAT = "telegram_chat"


class Chat(NamedTuple):
    """One chat. ``id`` is Telegram's number of a person; a negative one is a group, which only hears.

    ``paired``: it was let in by a code, so the settings need not name it.
    """

    id: int
    role: Role
    language: str
    paired: bool = False

    def may(self, role: Role) -> bool:
        """Tell whether this chat may do what ``role`` may."""
        return ROLES.index(self.role) <= ROLES.index(role)


class ChatListError(ValueError):
    """A list of allowed chats that cannot be read."""


def listed_chats(entries: Sequence[str], language: str) -> list[Chat]:
    """Return the chats of the settings: ``NUMBER``, ``NUMBER:ROLE`` or ``NUMBER:ROLE:LANGUAGE``; a bare one views.

    Raises: ChatListError, also for a group that would command and for a wild card.
    """
    chats = []
    for entry in entries:
        number, role, tongue = ([part.strip() for part in entry.split(":")] + ["", ""])[:3]
        known = next((one for one in ROLES if one == (role or "viewer")), None)
        is_number = number.removeprefix("-").isdecimal() and number.isascii() and int(number) != 0
        if not is_number or known is None or (tongue or language) not in LANGUAGES or entry.count(":") > 2:
            raise ChatListError(
                f"telegram.chats: expected a chat's number with a role out of {', '.join(ROLES)} such as 123456:owner, "
                f"was {entry!r}; leave the list empty to pair a chat by a code"
            )
        if number.startswith("-") and known != "viewer":
            raise ChatListError(
                f"telegram.chats: expected viewer for the group {number}, was {role}; whoever is in a group could "
                "command, so give a person's number"
            )
        chats.append(Chat(int(number), known, tongue or language))
    return chats


class Chats:
    """The chats that are allowed now."""

    def __init__(self, store: Store, listed: Sequence[Chat]) -> None:
        self._store = store
        self._listed = listed
        self._chats: dict[int, Chat] = {}

    async def open(self) -> None:
        """Read what was paired and chosen in earlier lives; the settings have the last word on a role."""
        kept = [msgspec.json.decode(one.payload, type=Chat) for one in await self._store.documents(CHAT)]
        spoken = {chat.id: chat.language for chat in kept}
        self._chats = {chat.id: chat for chat in kept if chat.paired}
        for chat in self._listed:
            self._chats[chat.id] = chat._replace(language=spoken.get(chat.id, chat.language))

    def __iter__(self) -> Iterator[Chat]:
        return iter(list(self._chats.values()))

    def __len__(self) -> int:
        return len(self._chats)

    def of(self, id_: int) -> Chat | None:
        """Return the chat with this number, None for a stranger."""
        return self._chats.get(id_)

    async def keep(self, chat: Chat) -> None:
        """Let ``chat`` in, or change it, for this life and the next."""
        self._chats[chat.id] = chat
        await self._store.put_document(CHAT, str(chat.id), 0, msgspec.json.encode(chat))
        await self._store.commit()


NEEDED: Mapping[str, Role] = {
    "status": "viewer",
    "positions": "viewer",
    "signals": "viewer",
    "chart": "viewer",
    "why": "viewer",
    "pause": "trader",
    "resume": "trader",
    "close": "trader",
    "panic": "owner",
    "lang": "viewer",
    "help": "viewer",
}
"""Every command in the order of the menu, and the least role that may give it."""
