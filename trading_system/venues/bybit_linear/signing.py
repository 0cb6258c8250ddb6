"""How Bybit wants a request signed: HMAC-SHA256 over stamp, key, window and the very text that is sent.

Source: Bybit v5 documentation, "Integration Guidance" and "WebSocket Connect".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

import msgspec

from trading_system.secret import Secret

Params = Mapping[str, str | int | bool]


def query_of(params: Params) -> str:
    """Return ``params`` as a query, values as they are: a cursor comes percent-encoded and goes back as it came."""
    return "&".join(f"{name}={value}" for name, value in params.items())


def body_of(params: Params) -> str:
    """Return ``params`` as the JSON that is signed and sent."""
    return msgspec.json.encode(params).decode()


def signature_of(text: str, secret: Secret) -> str:
    """Return the hexadecimal HMAC-SHA256 of ``text``."""
    return hmac.new(secret.reveal().encode(), text.encode(), hashlib.sha256).hexdigest()


def signed_headers(sent: str, key: Secret, secret: Secret, *, timestamp: int, recv_window: int) -> dict[str, str]:
    """Return the headers of a request whose query, or body, is ``sent``.

    timestamp: venue time in ms UTC; recv_window: ms during which the venue may still accept the request.
    """
    name = key.reveal()
    return {
        "X-BAPI-API-KEY": name,
        "X-BAPI-TIMESTAMP": str(timestamp),
        "X-BAPI-RECV-WINDOW": str(recv_window),
        "X-BAPI-SIGN": signature_of(f"{timestamp}{name}{recv_window}{sent}", secret),
    }


def stream_signature(expires: int, secret: Secret) -> str:
    """Return what opens the private stream until ``expires`` (venue time, ms UTC)."""
    return signature_of(f"GET/realtime{expires}", secret)
