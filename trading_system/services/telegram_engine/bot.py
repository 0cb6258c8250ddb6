"""Telegram's Bot API by python-telegram-bot, as a ``Messenger``. It is imported only where a token is set.

Long polling in the line's own event loop; how fast, how often and in which order is decided by ``outbox``.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Awaitable, Sequence
from datetime import UTC
from typing import TypeVar

import httpx
import telegram
from telegram.constants import ChatType, ParseMode
from telegram.error import BadRequest, Forbidden, InvalidToken, RetryAfter, TelegramError
from telegram.request import HTTPXRequest

from trading_system.contracts import to_ms
from trading_system.secret import Secret
from trading_system.services.telegram_engine.letter import Button
from trading_system.services.telegram_engine.messenger import (
    ChatClosedError,
    NotParsedError,
    NotTakenError,
    TooFastError,
    UnreachableError,
    Update,
)

HEARD = ("message", "callback_query")
READ_S = 10.0
PICTURE_S = 60.0
_TALKATIVE = ("telegram", "httpx", "httpcore")
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)

os.environ.setdefault("PTB_TIMEDELTA", "true")  # the library warns wherever a pause is not asked for as a time span

T = TypeVar("T")


class TelegramBot:
    """One bot. Its token is in no log and in no error of ours."""

    def __init__(self, token: Secret, base_url: str) -> None:
        """Prepare; nothing is connected before ``open``. base_url: see ``address``."""
        for name in _TALKATIVE:  # below a warning they write addresses down, of which the token is a part
            logging.getLogger(name).setLevel(logging.WARNING)
        asking = HTTPXRequest(connection_pool_size=8, read_timeout=READ_S, media_write_timeout=PICTURE_S)
        hearing = HTTPXRequest(connection_pool_size=2, read_timeout=READ_S)
        self._bot = telegram.Bot(token.reveal(), f"{base_url}/bot", request=asking, get_updates_request=hearing)
        self._requests = (asking, hearing)

    async def open(self) -> None:
        """Make the two pools of connections ready; nothing is asked of Telegram yet."""
        for request in self._requests:
            await request.initialize()

    async def close(self) -> None:
        """Close every connection."""
        for request in self._requests:
            await request.shutdown()

    async def send(
        self, chat: int, text: str, buttons: Sequence[Button] = (), *, html: bool, reply_to: int | None = None
    ) -> int:
        """Send a text and return the message's number. Raises: MessengerError."""
        message = await _said(
            self._bot.send_message(
                chat,
                text,
                parse_mode=ParseMode.HTML if html else None,
                reply_markup=_keyboard(buttons),
                reply_parameters=_reply(reply_to),
                link_preview_options=telegram.LinkPreviewOptions(is_disabled=True),
            )
        )
        return int(message.message_id)

    async def send_picture(self, chat: int, png: bytes, caption: str, *, html: bool, reply_to: int | None) -> int:
        """Send a picture and return the message's number. Raises: MessengerError."""
        message = await _said(
            self._bot.send_photo(
                chat,
                io.BytesIO(png),
                caption=caption or None,
                parse_mode=ParseMode.HTML if html else None,
                reply_parameters=_reply(reply_to),
                filename="picture.png",
            )
        )
        return int(message.message_id)

    async def edit(self, chat: int, message: int, text: str, *, html: bool) -> None:
        """Put ``text`` in the place of a message's text and buttons. Raises: MessengerError."""
        mode = ParseMode.HTML if html else None
        await _said(self._bot.edit_message_text(text, chat_id=chat, message_id=message, parse_mode=mode))

    async def hide_buttons(self, chat: int, message: int) -> None:
        """Take the buttons off a message. Raises: MessengerError."""
        await _said(self._bot.edit_message_reply_markup(chat_id=chat, message_id=message))

    async def answer_press(self, press_id: str, text: str) -> None:
        """End the waiting of whoever pressed a button, with a short note. Raises: MessengerError."""
        await _said(self._bot.answer_callback_query(press_id, text[:200]))

    async def updates(self, offset: int, wait_s: int) -> list[Update]:
        """Return what people did from update ``offset`` on, waiting up to ``wait_s`` for it. Raises: MessengerError."""
        heard = await _said(
            self._bot.get_updates(offset=offset, timeout=wait_s, allowed_updates=HEARD, read_timeout=READ_S, limit=100)
        )
        return [_update(one) for one in heard]

    async def offer_commands(self, commands: Sequence[tuple[str, str]], language: str) -> None:
        """Show these commands in the menu of people with ``language``, "" for all others. Raises: MessengerError."""
        await _said(self._bot.set_my_commands(list(commands), language_code=language or None))


async def _said(asked: Awaitable[T]) -> T:
    """Return what Telegram answered. Raises: MessengerError of the kind that says what to do now."""
    try:
        return await asked
    except RetryAfter as error:
        after = error.retry_after
        seconds = after if isinstance(after, int | float) else after.total_seconds()
        raise TooFastError(round(seconds * 1000)) from None
    except BadRequest as error:
        if "chat not found" in error.message.lower():  # it has not pressed Start yet
            raise ChatClosedError(error.message) from None
        kind = NotParsedError if "can't parse" in error.message.lower() else NotTakenError
        raise kind(error.message) from None
    except Forbidden as error:
        raise ChatClosedError(error.message) from None
    except InvalidToken:
        reason = "Telegram does not know the token; correct TELEGRAM_TOKEN in .env"
        raise UnreachableError(reason, arrived=False) from None
    except TelegramError as error:
        arrived = not isinstance(error.__cause__, _NEVER_LEFT)
        raise UnreachableError(f"{type(error).__name__}: {type(error.__cause__).__name__}", arrived=arrived) from None
    except (KeyError, TypeError, ValueError) as error:  # an answer that is no answer of Telegram's
        raise UnreachableError(f"an answer that nobody understands ({type(error).__name__})", arrived=True) from None


def _update(update: telegram.Update) -> Update:
    query, message = update.callback_query, update.message
    if query is not None:
        under = query.message
        chat = under.chat.id if under is not None else 0
        alone = under is not None and under.chat.type == ChatType.PRIVATE and query.from_user.id == chat
        number = under.message_id if under is not None else 0
        return Update(update.update_id, chat, alone, None, "", query.data or "", query.id, number)
    if message is None:
        return Update(update.update_id, 0, alone=False, time=None)
    sender = message.from_user
    own = sender is not None and not sender.is_bot and sender.id == message.chat.id
    alone = own and message.chat.type == ChatType.PRIVATE and message.forward_origin is None
    time = to_ms(message.date.astimezone(UTC))
    return Update(update.update_id, message.chat.id, alone, time, message.text or "", message=message.message_id)


def _keyboard(buttons: Sequence[Button]) -> telegram.InlineKeyboardMarkup | None:
    if not buttons:
        return None
    row = [telegram.InlineKeyboardButton(one.label, callback_data=one.data) for one in buttons]
    return telegram.InlineKeyboardMarkup([row])


def _reply(message: int | None) -> telegram.ReplyParameters | None:
    return None if message is None else telegram.ReplyParameters(message, allow_sending_without_reply=True)
