"""What the programs around other people's clients share: official names lead here, and one step goes at a time.

They run in the client's own environment, which holds nothing of this project.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any


def lead_names_to(port: int) -> None:
    """Let every name of a host lead to ``port`` on loopback, in this process: the client keeps its official URLs."""

    def found(_host: object, _port: object, *_args: object, **_more: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]

    socket.getaddrinfo = found  # type: ignore[assignment]


def say(step: str, saw: Any) -> None:
    """Print one line of the transcript, and wait until whoever reads it has looked and says to go on."""
    sys.stdout.write(json.dumps({"step": step, "saw": saw}) + "\n")
    sys.stdout.flush()
    if not sys.stdin.readline():
        sys.exit("the other side is gone")


def picked(row: Any, *names: str) -> dict[str, Any]:
    """Return some members of an answer."""
    return {name: row[name] for name in names}
