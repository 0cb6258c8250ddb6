"""The way of unsigned requests to a venue: directly, or through an HTTP or SOCKS5 proxy that carries all of a session.

Whoever asks a venue in public opens its session here, so that no request can pass a proxy by.
"""

from __future__ import annotations

import asyncio
import ssl as tls
from urllib.parse import unquote, urlsplit

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp_socks import ProxyConnector, ProxyType
from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

from trading_system.secret import Secret
from trading_system.venues.market_errors import ProxyRefusedError

NO_PROXY = Secret("")
CONNECT_S = 5.0  # until a SOCKS5 proxy has reached the venue
BEYOND_IT = frozenset({1, 3, 4, 5, 6})  # RFC 1928: the proxy is willing, but the venue is not reached, perhaps later


def open_http(proxy: Secret = NO_PROXY) -> aiohttp.ClientSession:
    """Return a session whose requests all go through ``proxy`` (``http://`` or ``socks5://``), directly without one.

    Its requests raise ProxyRefusedError when a SOCKS5 proxy carries nothing; ``proxy_refusal`` tells it of an HTTP one.
    """
    way = urlsplit(proxy.reveal())
    if way.scheme.startswith("socks5"):
        return aiohttp.ClientSession(connector=_Socks(way.hostname or "", way.port or 0, way.username, way.password))
    return aiohttp.ClientSession(proxy=proxy.reveal() or None)


def proxy_refusal(error: Exception) -> ProxyRefusedError | None:
    """Return an error of an HTTP proxy as ours; raise it ``from None``, for the cause may show a password."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        place = error.request_info.real_url
        return ProxyRefusedError(f"{place.host}:{place.port}", f"its refusal, HTTP {error.status}")
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return ProxyRefusedError(f"{error.host}:{error.port}", "no connection to it")
    return None


class _Socks(ProxyConnector):
    """Connections through a SOCKS5 proxy, which resolves the names of the venue's hosts itself, as for the streams."""

    def __init__(self, host: str, port: int, name: str | None, password: str | None) -> None:
        super().__init__(
            host,
            port,
            ProxyType.SOCKS5,
            None if name is None else unquote(name),
            None if password is None else unquote(password),
            rdns=True,
        )
        self._shown = f"{host}:{port}"

    async def _connect_via_proxy(
        self,
        host: str,
        port: int,
        ssl: tls.SSLContext | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  the library's name
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        try:
            return await super()._connect_via_proxy(host, port, ssl, timeout or CONNECT_S)
        except (ProxyConnectionError, ProxyTimeoutError, asyncio.IncompleteReadError, ProxyError) as error:
            if isinstance(error, ProxyError) and error.error_code in BEYOND_IT:
                raise aiohttp.ClientConnectionError(f"no way on from the proxy {self._shown} ({error})") from None
            raise _socks_refusal(self._shown, error) from None


def _socks_refusal(shown: str, error: Exception) -> ProxyRefusedError:
    problem = f"its refusal ({error})"
    if isinstance(error, ProxyConnectionError):
        problem = "no connection to it"
    elif isinstance(error, ProxyTimeoutError):
        problem = "no connection through it in time"
    elif isinstance(error, asyncio.IncompleteReadError):
        problem = "an answer that breaks off"
    return ProxyRefusedError(shown, problem)
