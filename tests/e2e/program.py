"""The program as a person starts it: a process of its own, with nothing of this shell's settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "trading_system.cli")
AS_ANY_USER = (sys.executable, str(Path(__file__).with_name("as_any_user.py")))  # even as root; see there
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRADING_", "BUS_", "DATABASE_"))}
    return {**kept, "PYTHONPATH": str(ROOT), **(extra or {})}


def program(
    *words: str | Path, cwd: Path, extra: Mapping[str, str] | None = None, command: Sequence[str] = COMMAND
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*command, *map(str, words)],
        cwd=cwd,
        env=environment(extra),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def started(
    *words: str | Path, cwd: Path, extra: Mapping[str, str] | None = None, command: Sequence[str] = COMMAND
) -> subprocess.Popen[str]:
    """Start one command and return it running; its two outputs are pipes."""
    return subprocess.Popen(
        [*command, *map(str, words)],
        cwd=cwd,
        env=environment(extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def sets(settings: tuple[str, ...]) -> list[str]:
    """Return settings as the words of a command."""
    return [word for setting in settings for word in ("--set", setting)]


class ExchangeProcess:
    """`trading-system exchange` on a free port, asked over its control plane."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.url = process.stdout.readline().strip()

    def state(self) -> dict[str, Any]:
        said: dict[str, Any] = self._asked("state")
        return said

    def orders(self) -> list[str]:
        """Return the client id of every order that the exchange has ever taken."""
        said: list[str] = self._asked("orders")
        return said

    def _asked(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/_sim/{what}", timeout=10) as answer:  # noqa: S310  loopback
            return json.load(answer)


@contextmanager
def exchange_process(candles: Path, settings: tuple[str, ...], cwd: Path) -> Iterator[ExchangeProcess]:
    """Serve the candles of BTCUSDT as an exchange in a process of its own, as long as the block lasts."""
    words = ("exchange", "--replay", candles, "--symbol", "BTCUSDT", *sets(settings))
    process = started(*words, cwd=cwd)
    try:
        yield ExchangeProcess(process)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def line_words(url: str, folder: Path, settings: tuple[str, ...]) -> list[str]:
    """Return the words that trade BTCUSDT on the exchange at ``url`` into ``folder``."""
    words = ["run", "--simulator", url, "--symbol", "BTCUSDT", "--out", str(folder), "--json", "--no-alerts"]
    return [*words, *sets(settings)]
