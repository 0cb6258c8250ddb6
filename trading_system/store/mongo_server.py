"""One MongoDB database as a store sees it: every call has a deadline, every failure is one of the store's errors.

Writes are acknowledged by the majority and its journals; reads see what the majority has. Nothing is used that FerretDB
lacks: no transactions, no validators.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlencode

from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    InvalidOperation,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    WaitQueueTimeoutError,
    WTimeoutError,
)

from .errors import StoreAccessError, StoreAwayError, StoreClosedError, StoreError, StoreFileError, StoreWriteError
from .mongo_words import Words

T = TypeVar("T")

DEADLINE_S = 5.0
PAGE = 1_000  # documents in one request, so that none needs longer than its deadline
DUPLICATE = 11000
_REFUSED = frozenset({13, 18, 8000})  # unauthorized, authentication failed, Atlas' word for both


class MongoServer:
    """A database on a server. The connection is made by the first call."""

    def __init__(self, url: str, *, deadline_s: float = DEADLINE_S) -> None:
        """Read ``url``: ``mongodb://USER:PASSWORD@HOST:PORT/NAME``. Raises: StoreFileError without the password."""
        address, name = _parts(url)
        self.place = f"mongodb://{address}/{name}"
        self._deadline_s = deadline_s
        milliseconds = max(round(deadline_s * 1000), 1)
        try:
            client: AsyncMongoClient[Words] = AsyncMongoClient(
                url,
                w="majority",
                journal=True,
                readConcernLevel="majority",
                serverSelectionTimeoutMS=milliseconds,
                connectTimeoutMS=milliseconds,
                socketTimeoutMS=milliseconds,
                waitQueueTimeoutMS=milliseconds,
                appname="trading-system",
            )
        except (InvalidURI, ConfigurationError, ValueError):
            # Not chained and not quoted: what is wrong may be the password.
            raise _no_address(self.place) from None
        self._client = client
        self._database = client[name]
        self.closed = False

    def collection(self, name: str) -> AsyncCollection[Words]:
        """Return a collection, for the calls below."""
        self.require_open()
        return self._database[name]

    def require_open(self) -> None:
        """Refuse a store that was closed. Raises: StoreClosedError."""
        if self.closed:
            raise StoreClosedError(self.place)

    async def call(self, operation: Awaitable[T]) -> T:
        """Await one request. Raises: StoreAwayError, StoreAccessError, StoreWriteError; DuplicateKeyError as it is."""
        try:
            async with asyncio.timeout(self._deadline_s):
                return await operation
        except DuplicateKeyError:
            raise
        except (PyMongoError, TimeoutError, OSError) as error:
            raise self._refused(error) from None  # the server's words may hold more of the address than ours do

    async def all(self, collection: str, where: Mapping[str, Any], *, newest: int = 0) -> list[Words]:
        """Return the documents that ``where`` describes by ascending ``_id``, page by page; or the ``newest``."""
        cursor = self.collection(collection).find(where).sort("_id", -1 if newest else 1).limit(newest)
        found: list[Words] = []
        try:
            while page := await self.call(cursor.to_list(PAGE)):
                found += page
        finally:
            await cursor.close()
        return found[::-1] if newest else found

    async def insert_all(self, collection: str, documents: list[Words]) -> list[Words]:
        """Insert in pages, in any order; return those whose ``_id`` was there already."""
        there: list[Words] = []
        for first in range(0, len(documents), PAGE):
            page = documents[first : first + PAGE]
            try:
                async with asyncio.timeout(self._deadline_s):
                    await self.collection(collection).insert_many(page, ordered=False)
            except BulkWriteError as error:
                failures = error.details.get("writeErrors", [])
                if error.details.get("writeConcernErrors") or any(one["code"] != DUPLICATE for one in failures):
                    raise self._refused(error) from None
                there += [page[one["index"]] for one in failures]
            except (PyMongoError, TimeoutError, OSError) as error:
                raise self._refused(error) from None
        return there

    async def names(self) -> set[str]:
        """Return the names of the database's collections."""
        self.require_open()
        return set(await self.call(self._database.list_collection_names()))

    async def close(self) -> None:
        """Let go of the connections; a second call changes nothing."""
        if not self.closed:
            self.closed = True
            await self._client.close()

    def _refused(self, error: Exception) -> StoreError:
        if self.closed or isinstance(error, InvalidOperation):
            return StoreClosedError(self.place)
        passing = (AutoReconnect, ConnectionFailure, WaitQueueTimeoutError, ExecutionTimeout, WTimeoutError)
        lost = isinstance(error, BulkWriteError) and bool(error.details.get("writeConcernErrors"))
        if lost or isinstance(error, (*passing, TimeoutError, OSError)):
            kind = "no answer" if isinstance(error, TimeoutError) else type(error).__name__
            return StoreAwayError(
                f"{self.place}: expected an answer within {self._deadline_s:g} s, was {kind}; "
                "nothing is lost, it is asked again: see whether the server runs and can be reached"
            )
        code = error.code if isinstance(error, OperationFailure) else None
        if code in _REFUSED:
            return StoreAccessError(
                f"{self.place}: expected a name and a password that may read and write, was refused (code {code}); "
                "correct DATABASE_URL in .env or the user's rights on the server"
            )
        if isinstance(error, ConfigurationError):
            return _no_address(self.place)
        return StoreWriteError(
            f"{self.place}: expected the server to take a request, was {type(error).__name__} (code {code}); all since "
            "the last commit is undone: see the server's log, then start again from the head"
        )


def split_mode(url: str) -> tuple[str, str]:
    """Return ``url`` without our own option ``mode``, and its value (``rw`` where there is none)."""
    place, mark, query = url.partition("?")
    if not mark:
        return url, "rw"
    options = parse_qsl(query, keep_blank_values=True)
    mode = dict(options).get("mode", "rw")
    rest = urlencode([(name, value) for name, value in options if name != "mode"])
    return (f"{place}?{rest}" if rest else place), mode


def _parts(url: str) -> tuple[str, str]:
    """Return the hosts and the database's name, neither of which is secret."""
    rest = url.partition("://")[2].partition("?")[0]
    credentials_and_hosts, _, path = rest.rpartition("/") if "/" in rest else (rest, "", "")
    hosts, name = credentials_and_hosts.rpartition("@")[2], unquote(path)
    if not hosts or not name or len(name) > 38 or set(name) & set('/\\. "$*<>:|?'):
        raise _no_address(f"mongodb://{hosts}/...")
    return hosts, name


def _no_address(place: str) -> StoreFileError:
    return StoreFileError(
        f"{place}: expected mongodb://USER:PASSWORD@HOST:27017/NAME with a database's NAME (and signs like @ : / % in "
        "the password percent-encoded), was something else; correct DATABASE_URL in .env"
    )
