"""One message as it is to be sent: its text, its buttons, and what it answers to. How it gets there is ``outbox``'s."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

Painting = Callable[[], Awaitable[bytes]]
"""Makes the bytes of a PNG when its turn has come."""


class Button(NamedTuple):
    """A button under a message; ``data`` (64 bytes at most) comes back when it is pressed."""

    label: str
    data: str


class Letter(NamedTuple):
    """A text, or a picture with the text as its caption.

    ``thread``: the id of the signal whose first message this one replies to, "" for none; ``opens``: this is that first
    message. ``edits``: the number of an earlier message that this text takes the place of, 0 for a new message.
    ``settles``: the first message of the thread loses its buttons.
    """

    text: str
    picture: Painting | None = None
    buttons: tuple[Button, ...] = ()
    thread: str = ""
    opens: bool = False
    edits: int = 0
    settles: bool = False
