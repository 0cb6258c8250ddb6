"""What the engine needs of a messenger, and how one fails; ``bot`` is Telegram's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from trading_system.services.telegram_engine.letter import Button


class Update(NamedTuple):
    """Something that a person did: wrote ``text``, or pressed a button under message ``message`` (``press``: its data).

    ``alone``: in a private chat, by its own owner, and not forwarded. ``time``: ms UTC of the text; a press has none.
    """

    id: int
    chat: int
    alone: bool
    time: int | None
    text: str = ""
    press: str = ""
    press_id: str = ""
    message: int = 0


class MessengerError(Exception):
    """A message was not sent, or it is not known whether it was."""


class UnreachableError(MessengerError):
    """The messenger did not answer as it should. ``arrived``: the message may have been sent all the same."""

    def __init__(self, reason: str, *, arrived: bool) -> None:
        super().__init__(reason)
        self.arrived = arrived


class TooFastError(MessengerError):
    """The messenger asks for a pause; the message was not sent."""

    def __init__(self, retry_ms: int) -> None:
        super().__init__(f"asked to wait {retry_ms / 1000:g} s")
        self.retry_ms = retry_ms


class NotParsedError(MessengerError):
    """The messenger could not read the message's mark-up; it was not sent."""


class NotTakenError(MessengerError):
    """The messenger refused the message for good; sending it again would change nothing."""


class ChatClosedError(MessengerError):
    """The person has shut the chat, for now; the message was not sent."""


class Messenger(Protocol):
    """Sends texts and pictures to chats and hears what people do there."""

    async def open(self) -> None:
        """Make ready; nothing is sent."""

    async def close(self) -> None:
        """Let go of all connections."""

    async def send(
        self, chat: int, text: str, buttons: Sequence[Button] = (), *, html: bool, reply_to: int | None = None
    ) -> int:
        """Send a text and return the message's number. Raises: MessengerError."""

    async def send_picture(self, chat: int, png: bytes, caption: str, *, html: bool, reply_to: int | None) -> int:
        """Send a picture and return the message's number. Raises: MessengerError."""

    async def edit(self, chat: int, message: int, text: str, *, html: bool) -> None:
        """Put ``text`` in the place of a message's text and buttons. Raises: MessengerError."""

    async def hide_buttons(self, chat: int, message: int) -> None:
        """Take the buttons off a message. Raises: MessengerError."""

    async def answer_press(self, press_id: str, text: str) -> None:
        """End the waiting of whoever pressed a button, with a short note. Raises: MessengerError."""

    async def updates(self, offset: int, wait_s: int) -> list[Update]:
        """Return what people did from update ``offset`` on, waiting up to ``wait_s`` for it. Raises: MessengerError."""

    async def offer_commands(self, commands: Sequence[tuple[str, str]], language: str) -> None:
        """Show these commands in the menu of people with ``language``, "" for all others. Raises: MessengerError."""
