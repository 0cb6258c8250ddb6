"""Where a bot's token may be sent, and the bot itself where its library is installed."""

from __future__ import annotations

from urllib.parse import urlsplit

from trading_system.secret import Secret
from trading_system.services.telegram_engine.messenger import Messenger

TELEGRAM = "https://api.telegram.org"
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


class BotAddressError(ValueError):
    """An address to which the token would be sent although it is not Telegram's."""


def checked_address(url: str, *, own_server: bool) -> str:
    """Return ``url`` without a slash at its end if a token may go there.

    Raises: BotAddressError for anything but Telegram and this machine, unless ``own_server`` says that it is meant.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    known = url.rstrip("/") == TELEGRAM or (parts.scheme in {"http", "https"} and host in _LOCAL)
    if known or (own_server and parts.scheme == "https" and host):
        return url.rstrip("/")
    raise BotAddressError(
        f"telegram.base_url: expected {TELEGRAM} or an address of this machine, was {url}; the bot's token is part of "
        "every address, so another server needs https:// and telegram.own_server = true"
    )


class TelegramLibraryError(RuntimeError):
    """There is a token, but not the library that speaks with Telegram."""


def bot_of(token: Secret, base_url: str, *, own_server: bool) -> Messenger:
    """Return the bot with ``token`` at ``base_url``; nothing is sent yet.

    Raises: BotAddressError; TelegramLibraryError.
    """
    url = checked_address(base_url, own_server=own_server)
    try:
        # The library is an extra, and loading it takes longer than a command that needs none may last.
        from trading_system.services.telegram_engine.bot import TelegramBot  # noqa: PLC0415
    except ImportError as error:
        raise TelegramLibraryError(
            f"TELEGRAM_TOKEN: expected python-telegram-bot beside a token, was none ({error}); install it with "
            "`pip install 'trading-system[telegram]'`, or empty TELEGRAM_TOKEN in .env: alerts then go to a folder"
        ) from error
    return TelegramBot(token, url)
