"""The program as a person starts it: a process of its own, with nothing of this shell's settings."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

COMMAND = [sys.executable, "-m", "trading_system.cli"]
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRADING_", "BUS_", "DATABASE_"))}
    return {**kept, "PYTHONPATH": str(ROOT), **(extra or {})}


def program(*words: str | Path, cwd: Path, extra: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        cwd=cwd,
        env=environment(extra),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def started(*words: str | Path, cwd: Path) -> subprocess.Popen[str]:
    """Start one command and return it running; its two outputs are pipes."""
    return subprocess.Popen(
        [*COMMAND, *map(str, words)],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def sets(settings: tuple[str, ...]) -> list[str]:
    """Return settings as the words of a command."""
    return [word for setting in settings for word in ("--set", setting)]
