"""How Binance wants a request signed: the parameters as they go over the wire, HMAC-SHA256 over them, signature last.

Source: Binance documentation, "SIGNED Endpoint Security".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlencode

from trading_system.secret import Secret


def payload_of(params: Mapping[str, str | int]) -> str:
    """Return ``params`` percent-encoded in their own order; this very text is signed and sent."""
    return urlencode(params)


def signature_of(payload: str, secret: Secret) -> str:
    """Return the hexadecimal HMAC-SHA256 of ``payload``."""
    return hmac.new(secret.reveal().encode(), payload.encode(), hashlib.sha256).hexdigest()


def signed_payload(params: Mapping[str, str | int], secret: Secret, *, timestamp: int, recv_window: int) -> str:
    """Return the signed text of a request.

    timestamp: venue time in ms UTC; recv_window: ms during which the venue may still accept the request.
    """
    payload = payload_of({**params, "recvWindow": recv_window, "timestamp": timestamp})
    return f"{payload}&signature={signature_of(payload, secret)}"
