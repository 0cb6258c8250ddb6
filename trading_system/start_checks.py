"""What a service refuses to start with: passwords that protect nothing, an open .env, a bot for nobody.

Each refusal is one sentence; ``doctor`` shows the same ones before anything is started. What else a setting may be is
for ``settings`` to say.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote, urlsplit

from trading_system.setting_sources import DOTENV_FILE, OPEN_TO_OTHERS
from trading_system.settings import Settings

HOST_DOTENV = Path("/run/host/.env")  # where docker-compose.yml shows a container the .env of its host
LEAST_CHARACTERS, LEAST_DIFFERENT = 12, 6
WELL_KNOWN = ("password", "passwort", "changeme", "secret", "example", "default", "trading", "12345678", "qwerty")
ON_SERVERS = {"redis", "rediss", "mongodb", "mongodb+srv"}

_PLAIN = re.compile(r"[A-Za-z0-9._~-]*")


class StartRefusedError(ValueError):
    """A start that would put the account or its secrets at risk."""


def require_safe_start(settings: Settings, dotenv: Sequence[Path] = (Path(DOTENV_FILE), HOST_DOTENV)) -> None:
    """Refuse to start a service with ``settings`` that protect nothing. Raises: StartRefusedError, the first reason."""
    reasons = [*open_files(dotenv), *weak_passwords(settings), *open_bot(settings)]
    if not reasons:
        return
    first, others = reasons[0], len(reasons) - 1
    raise StartRefusedError(f"{first} ({others} more: run `trading-system doctor`)") if others else first


def open_files(dotenv: Sequence[Path]) -> list[StartRefusedError]:
    """Refuse each file of secrets that others than its owner may read; what is not there hides nothing."""
    if os.name != "posix":
        return []
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in dotenv if path.exists()}
    return [
        StartRefusedError(
            f"{path}: expected a file that only its owner can read (mode 600), was mode {mode:o}; run `chmod 600 .env` "
            "and start again"
        )
        for path, mode in modes.items()
        if mode & OPEN_TO_OTHERS
    ]


def weak_passwords(settings: Settings) -> list[StartRefusedError]:
    """Refuse a server's URL without a password worth the name; on this machine itself one may be left out, not weak."""
    found = []
    for name, url in (("BUS_URL", settings.bus_url), ("DATABASE_URL", settings.database_url)):
        scheme, _, rest = url.partition("://")
        if scheme.lower() not in ON_SERVERS:
            continue
        password, hosts = _password_and_hosts(rest)
        if password is None and all(_is_here(host) for host in hosts):
            continue
        weakness = weakness_of(password or "")
        if weakness:
            found.append(
                StartRefusedError(
                    f"{name}: expected a password of your own ({LEAST_CHARACTERS} or more of A-Z a-z 0-9 . _ ~ -, no "
                    f"well-known word), was {weakness}; run deploy/fill_env.sh, or write one into .env"
                )
            )
    return found


def weakness_of(password: str) -> str:
    """Return what makes a password worthless, in words that do not tell it; empty if nothing does."""
    if not password:
        return "none"
    if not _PLAIN.fullmatch(password):
        return "one with other characters"
    if len(password) < LEAST_CHARACTERS:
        return "a shorter one"
    bare = re.sub("[._~-]", "", password.lower())
    if any(word in bare for word in WELL_KNOWN) or len(set(password)) < LEAST_DIFFERENT:
        return "one that is easily guessed"
    return ""


def open_bot(settings: Settings) -> list[StartRefusedError]:
    """Refuse a bot that nobody may command and nobody can be paired with."""
    if not settings.telegram_token or settings.telegram.chats or settings.telegram.pairing:
        return []
    return [
        StartRefusedError(
            "TELEGRAM_TOKEN: expected an allowed chat or pairing beside it, was neither; write "
            "TRADING_TELEGRAM__CHATS=NUMBER:owner into .env, or leave TRADING_TELEGRAM__PAIRING at true"
        )
    ]


def _password_and_hosts(rest: str) -> tuple[str | None, list[str]]:
    """Return the password of a URL behind its scheme (None: there is none), and its hosts, which commas part."""
    place = urlsplit(f"//{rest}").netloc
    user, at, hosts = place.rpartition("@")
    _, colon, password = user.partition(":")
    names = [re.sub(r":\d*$", "", host).strip("[]") for host in hosts.split(",")]
    return (unquote(password) if at and colon else None), names


def _is_here(host: str) -> bool:
    if host in {"", "localhost"}:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
