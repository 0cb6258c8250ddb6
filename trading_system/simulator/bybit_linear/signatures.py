"""The venue's door: is the key known, is the request fresh by the venue's clock, and did the secret sign it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping

from trading_system.simulator.bybit_linear.refusal_codes import CodedRefusalError

AHEAD_MS = 1000  # a timestamp may lie this far in the future
WINDOW_MS = 5000


def signature_of(secret: str, payload: str) -> str:
    """Return the hexadecimal HMAC-SHA256 of ``payload``."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


class Door:
    """Lets requests and sockets in. ``wall_ms`` returns the venue's clock in ms UTC."""

    def __init__(self, api_key: str, secret: str, wall_ms: Callable[[], int]) -> None:
        self._api_key = api_key
        self._secret = secret
        self.wall_ms = wall_ms

    def check_signed(self, headers: Mapping[str, str], payload: str, *, damaged: bool = False) -> None:
        """Check a request: ``payload`` is the query of a GET or the body of a POST as it was sent.

        Raises: CodedRefusalError 10001 (no timestamp), 10003 (key), 10002 (outside of the window), 10004 (signature).
        """
        key, stamp = headers.get("X-BAPI-API-KEY", ""), headers.get("X-BAPI-TIMESTAMP", "")
        window = headers.get("X-BAPI-RECV-WINDOW", "") or str(WINDOW_MS)
        self._check_key(key)
        if not (stamp.isdecimal() and window.isdecimal()):
            raise CodedRefusalError(10001, "X-BAPI-TIMESTAMP and X-BAPI-RECV-WINDOW must be numbers")
        now = self.wall_ms()
        if not now - int(window) <= int(stamp) < now + AHEAD_MS:
            raise CodedRefusalError(10002, f"req_timestamp[{stamp}],server_timestamp[{now}],recv_window[{window}]")
        sent = headers.get("X-BAPI-RECV-WINDOW", "")
        self._check(headers.get("X-BAPI-SIGN", ""), f"{stamp}{key}{sent}{payload}", damaged=damaged)

    def check_socket(self, key: str, expires: int, given: str) -> None:
        """Check what a socket signs. Raises: CodedRefusalError 10003, 10002 (expired), 10004."""
        self._check_key(key)
        if expires <= self.wall_ms():
            raise CodedRefusalError(10002, f"expires[{expires}]")
        self._check(given, f"GET/realtime{expires}")

    def _check_key(self, key: str) -> None:
        if not hmac.compare_digest(key.encode(), self._api_key.encode()):
            raise CodedRefusalError(10003)

    def _check(self, given: str, payload: str, *, damaged: bool = False) -> None:
        if damaged and given:
            given = ("1" if given[0] == "0" else "0") + given[1:]
        if not hmac.compare_digest(given.lower().encode(), signature_of(self._secret, payload).encode()):
            raise CodedRefusalError(10004)
