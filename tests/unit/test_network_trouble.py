"""What went wrong on the network is said of the other end, not of a class of Python."""

from __future__ import annotations

import asyncio
import errno
import socket

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from trading_system.venues.network_trouble import network_trouble

KEY = ConnectionKey("venue.example", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            aiohttp.ClientConnectorError(KEY, OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 443)")),
            "no connection to venue.example:443 (connection refused)",
        ),
        (
            aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-2, "Name or service not known")),
            "no address for the name venue.example (name or service not known)",
        ),
        (aiohttp.ServerTimeoutError(), "no answer in time"),
        (aiohttp.ServerDisconnectedError(), "an answer that breaks off"),
        (aiohttp.ClientPayloadError("Response payload is not completed"), "an answer that breaks off"),
        (ConnectionResetError(104, "Connection reset by peer"), "an answer that breaks off"),
        (aiohttp.InvalidURL("ftp://x"), "an address that nobody can be asked at"),
        (ValueError("Port out of range 0-65535"), "Port out of range 0-65535"),
        (asyncio.QueueEmpty(), "QueueEmpty"),
    ],
)
def test_each_trouble_names_what_was_there_instead_of_an_answer(error: Exception, said: str) -> None:
    assert network_trouble(error) == said
