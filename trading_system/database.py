"""Opens the store and the bus that two URLs name; what they promise is in ``store.port`` and ``bus.port``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote

from trading_system.bus.memory import MemoryBus
from trading_system.bus.port import Bus
from trading_system.store.memory import MemoryStore
from trading_system.store.port import Store
from trading_system.store.sqlite import SqliteStore

STORE_FORMS = (
    "memory://, sqlite:///store.db (sqlite:////var/lib/trading/store.db for an absolute path) or "
    "mongodb://USER:PASSWORD@HOST:27017/NAME"
)
BUS_FORMS = "memory:// or redis://[USER:PASSWORD@]HOST:PORT/0 (rediss:// with TLS, unix:///path/of/socket)"


class DatabaseUrlError(ValueError):
    """A URL that opens nothing; the sentence says what was expected, what was given and what to write instead."""

    def __init__(self, setting: str, expected: str, was: str) -> None:
        self.setting = setting
        self.expected = expected
        self.was = was
        super().__init__(f"{setting}: expected {expected}, was {was}; correct it in .env or in the environment")


def open_store(url: str, *, synchronous: Literal["NORMAL", "FULL"] = "NORMAL") -> Store:
    """Open the store at ``url``: ``memory://``, ``sqlite:///PATH`` or ``mongodb://...``, to read only with ``mode=ro``.

    Three slashes make PATH relative to the working folder, four absolute. ``synchronous="FULL"`` forces every commit to
    the disk; MongoDB's journal always is. A server is not contacted before the first call.
    Raises: DatabaseUrlError, StoreError.
    """
    scheme, rest = _split("DATABASE_URL", url, STORE_FORMS)
    if scheme == "memory":
        return MemoryStore()
    if scheme == "sqlite":
        place, _, query = rest.partition("?")
        options = dict(parse_qsl(query, keep_blank_values=True))
        mode = options.pop("mode", "rw")
        if not place.startswith("/") or len(place) < 2 or place.endswith("/") or options or mode not in {"ro", "rw"}:
            raise DatabaseUrlError("DATABASE_URL", STORE_FORMS, f"{url!r}")
        return SqliteStore(Path(unquote(place[1:])), synchronous=synchronous, read_only=mode == "ro")
    if scheme in {"mongodb", "mongodb+srv"}:
        return _mongo_store(url)
    raise DatabaseUrlError("DATABASE_URL", STORE_FORMS, f"{scheme}://")


def _mongo_store(url: str) -> Store:
    try:
        # MongoDB's driver is an extra, and loading it takes longer than a command that needs none may last.
        from trading_system.store.mongo import MongoStore  # noqa: PLC0415
        from trading_system.store.mongo_server import split_mode  # noqa: PLC0415
    except ImportError as error:
        was = f"mongodb:// without {error.name} (pip install 'trading-system[mongo]')"
        raise DatabaseUrlError("DATABASE_URL", "the driver of the store that it names", was) from error
    plain, mode = split_mode(url)
    if mode not in {"ro", "rw"}:
        raise DatabaseUrlError("DATABASE_URL", "mode=ro or mode=rw", "another mode")
    return MongoStore(plain, read_only=mode == "ro")


def open_bus(url: str) -> Bus:
    """Open the bus at ``url``: ``memory://``, or a Redis server by ``redis://``, ``rediss://`` or ``unix://``.

    ``?prefix=NAME`` goes before every channel and key, for a second line on the same server. Nothing is sent yet.
    Raises: DatabaseUrlError.
    """
    scheme, _ = _split("BUS_URL", url, BUS_FORMS)
    if scheme == "memory":
        return MemoryBus()
    if scheme in {"redis", "rediss", "unix"}:
        return _redis_bus(url)
    raise DatabaseUrlError("BUS_URL", BUS_FORMS, f"{scheme}://")


def _redis_bus(url: str) -> Bus:
    try:
        # The library is an extra, and loading it takes longer than a command that needs none may last.
        from trading_system.bus.redis import RedisBus  # noqa: PLC0415
    except ImportError as error:
        expected = "the redis library beside a Redis URL (`pip install 'trading-system[redis]'`)"
        raise DatabaseUrlError("BUS_URL", expected, f"none ({error})") from error
    try:
        return RedisBus(url)
    except ValueError as error:
        raise DatabaseUrlError("BUS_URL", BUS_FORMS, str(error)) from error


def _split(setting: str, url: str, forms: str) -> tuple[str, str]:
    scheme, found, rest = url.partition("://")
    if not found:
        # Not quoted back: what is no URL may be a password in the wrong place.
        raise DatabaseUrlError(setting, forms, "no URL" if url else "empty")
    return scheme.lower(), rest
