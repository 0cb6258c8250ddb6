"""One connection to a Redis server: opened within a deadline, proven by a PING, made anew with a growing pause."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import AuthenticationError, AuthorizationError, RedisError, ResponseError

from .errors import BusRefusedError, BusServerError, BusUnreachableError

log = logging.getLogger(__name__)

LINK_ERRORS: Final = (RedisError, OSError, TimeoutError)
"""What a connection raises when the server is away, hangs, refuses or speaks something else."""

_REFUSALS = (AuthenticationError, AuthorizationError, ResponseError)
_OPTIONS = frozenset({"db", "username", "password"})


@asynccontextmanager
async def within(seconds: float) -> AsyncGenerator[None, None]:
    """Raise TimeoutError when the body takes longer, half of which is counted while this process surely runs.

    A process that was busy meanwhile must not take its own absence for the server's: the second half begins when the
    event loop turns again, so what has come by then is read first.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as fuse:
        half = loop.call_later(seconds / 2, lambda: fuse.reschedule(loop.time() + seconds / 2))
        try:
            yield
        finally:
            half.cancel()


class Address:
    """Where a server is and how to sign in there; ``prefix`` goes before every channel and key."""

    def __init__(self, url: str) -> None:
        """Read ``url``: redis://, rediss:// or unix://, with ``?prefix=`` for a second line on the same server.

        Raises: ValueError whose text never repeats the URL, as a password may be in it.
        """
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.prefix = options.pop("prefix", "")
        if strange := [name for name in options if name not in _OPTIONS and not name.startswith("ssl_")]:
            raise ValueError(f"the option {strange[0]}")
        if parts.scheme != "unix" and parts.path.strip("/") and not parts.path.strip("/").isdecimal():
            raise ValueError("a database that is no number")
        if " " in self.prefix or not self.prefix.isprintable():
            raise ValueError("a prefix with white space")
        arguments: dict[str, Any] = dict(parse_url(urlunsplit(parts._replace(query=urlencode(options)))))
        self._kind: type[AbstractConnection] = arguments.pop("connection_class", Connection)
        if parts.scheme == "unix":
            self.server = f"unix://{arguments.get('path', '')}"
        else:
            self.server = f"{parts.scheme}://{arguments.get('host', 'localhost')}:{arguments.get('port', 6379)}"
        # The deadlines are set where the calls are made, and a listening connection may wait for ever.
        self._arguments = arguments | {"socket_timeout": None, "protocol": 2, "driver_info": None}
        self.connection()

    def connection(self) -> AbstractConnection:
        """Return a connection that is not open yet. Raises: ValueError for an option that it does not know."""
        try:
            return self._kind(**self._arguments)
        except (TypeError, RedisError) as error:
            raise ValueError("an option that the library does not know") from error


class Link:
    """The way to the server for one purpose, told by ``name``; ``trouble`` is empty while it is open."""

    def __init__(
        self,
        name: str,
        address: Address,
        *,
        deadline_s: float,
        pauses_s: tuple[float, float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        """Keep how to connect. pauses_s: the first and the longest pause between two attempts."""
        self._name = name
        self._address = address
        self._deadline_s = deadline_s
        self._first_s, self._longest_s = pauses_s
        self._pause_s = self._first_s
        self._sleep = sleep
        self._connection: AbstractConnection | None = None
        self._failure: BusServerError | None = None

    @property
    def server(self) -> str:
        """The server's address without its password."""
        return self._address.server

    @property
    def trouble(self) -> str:
        """Why the link is down, or an empty text."""
        return "" if self._failure is None else str(self._failure)

    @property
    def failure(self) -> BusServerError | None:
        """The error of the newest attempt, None while the link is up or was never tried."""
        return self._failure

    async def open(self) -> AbstractConnection:
        """Connect, sign in and wait for the answer to a PING. Raises: LINK_ERRORS."""
        self._connection = connection = self._address.connection()
        async with within(self._deadline_s):
            await connection.connect()  # type: ignore[no-untyped-call]
            # A server that hangs still accepts connections; only an answer proves it.
            await connection.send_command("PING", check_health=False)
            await connection.read_response()
        return connection

    def works(self) -> None:
        """Note that the server answered: the outage, if there was one, is over."""
        if self._failure is not None:
            log.info("%s: %s answers again", self._name, self.server)
        self._failure = None
        self._pause_s = self._first_s

    def failed(self, error: Exception) -> BusServerError:
        """Note that the server is away or refuses, say so once an outage, and return the sentence as an error."""
        was = str(error) or f"no answer within {self._deadline_s:g} s"
        kind = BusRefusedError if isinstance(error, _REFUSALS) else BusUnreachableError
        found = kind(self.server, was)
        if type(self._failure) is not kind:
            log.warning("%s: %s; trying again with a growing pause", self._name, found)
        self._failure = found
        return found

    async def drop(self) -> None:
        """Close the connection without waiting for the server; a second call changes nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)
            await asyncio.sleep(0)  # the socket is let go of in the loop's next turn

    async def pause(self) -> None:
        """Wait before the next attempt, each time twice as long up to the longest pause."""
        pause, self._pause_s = self._pause_s, min(2 * self._pause_s, self._longest_s)
        await self._sleep(pause)
