"""The venue's door: is the key known, is the request fresh by the wall clock, and did the secret sign it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from urllib.parse import parse_qsl

from trading_system.simulator.binance_usdm.order_requests import required, whole
from trading_system.simulator.binance_usdm.refusal_codes import CodedRefusalError

AHEAD_MS = 1000  # a timestamp may lie this far in the future
WINDOW_MS = 5000
WIDEST_WINDOW_MS = 60_000


def signature_of(secret: str, payload: str) -> str:
    """Return the hexadecimal HMAC-SHA256 of the request's parameters as they were sent."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def parameters(query: str, body: str) -> dict[str, str]:
    """Return the decoded parameters of query and body; the query wins where both name one."""
    return {**dict(parse_qsl(body, keep_blank_values=True)), **dict(parse_qsl(query, keep_blank_values=True))}


class Door:
    """Lets requests in. ``wall_ms`` returns the server's wall clock in ms UTC."""

    def __init__(self, api_key: str, secret: str, wall_ms: Callable[[], int]) -> None:
        self._api_key = api_key
        self._secret = secret
        self.wall_ms = wall_ms

    def check_key(self, api_key: str | None) -> None:
        """Raise CodedRefusalError -2014 without a key, -2015 with an unknown one."""
        if not api_key:
            raise CodedRefusalError(-2014)
        if not hmac.compare_digest(api_key.encode(), self._api_key.encode()):
            raise CodedRefusalError(-2015)

    def check_signed(self, query: str, body: str, *, damaged: bool = False) -> None:
        """Check a signed request's time and signature; ``damaged`` says that one character of it was lost on the way.

        Raises: CodedRefusalError -1102 (no timestamp or signature), -1131, -1021 (outside of the window), -1022.
        """
        params = parameters(query, body)
        stamp = whole({"timestamp": required(params, "timestamp")}, "timestamp", 0)
        window = whole(params, "recvWindow", WINDOW_MS)
        if window > WIDEST_WINDOW_MS:
            raise CodedRefusalError(-1131)
        given = required(params, "signature")
        now = self.wall_ms()
        if not now - window <= stamp < now + AHEAD_MS:
            raise CodedRefusalError(-1021)
        payload = _unsigned(query) + _unsigned(body)
        if damaged:
            given = ("1" if given[0] == "0" else "0") + given[1:]
        if not hmac.compare_digest(given.lower().encode(), signature_of(self._secret, payload).encode()):
            raise CodedRefusalError(-1022)


def _unsigned(text: str) -> str:
    return "&".join(part for part in text.split("&") if not part.startswith("signature="))
