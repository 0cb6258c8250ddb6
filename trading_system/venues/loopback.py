"""Signed requests leave this machine only when an issue of their own has proven execution: until then, loopback."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from trading_system.venues.errors import NotLoopbackError


def require_loopback(url: str) -> None:
    """Raises: NotLoopbackError unless ``url`` names this very machine."""
    host = urlsplit(url).hostname
    try:
        here = host == "localhost" or (host is not None and ipaddress.ip_address(host).is_loopback)
    except ValueError:
        here = False
    if not here:
        raise NotLoopbackError(host)
