"""What went wrong on the network between us and a venue, in words that name the other end instead of a Python class."""

from __future__ import annotations

import os
import ssl

import aiohttp


def network_trouble(error: Exception) -> str:
    """Return what was there instead of an answer."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"no address for the name {error.host} ({_cause(error)})"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"a certificate that cannot be trusted ({error.certificate_error})"
    if isinstance(error.__cause__, ssl.SSLCertVerificationError):
        return f"a certificate that cannot be trusted ({error.__cause__.verify_message})"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection to {error.host}:{error.port} ({_cause(error)})"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | ConnectionError):
        return "an answer that breaks off"
    if isinstance(error, aiohttp.InvalidURL):
        return "an address that nobody can be asked at"
    return str(error) or type(error).__name__


def _cause(error: aiohttp.ClientConnectorError) -> str:
    number = error.os_error.errno
    said = os.strerror(number) if number and number > 0 else error.os_error.strerror
    return (said or str(error.os_error)).lower()
