"""Commands as a person types them, run inside the test's own process, and what a refusal looks like."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from program import sets
from small_markets import QUICK, SMALL

from trading_system.cli import main

SET = sets((*QUICK, *SMALL))


class Told(NamedTuple):
    """How a command ended: its exit code, and what it wrote on its two outputs."""

    code: int
    out: str
    err: str


Command = Callable[..., Told]


def command_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return what runs a command from its words to its exit code."""

    def run(*words: str | Path) -> Told:
        monkeypatch.setattr(sys, "argv", ["trading-system", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Told(ended.value.code, out, err)

    return run


def assert_refused(told: Told, *words: str) -> None:
    """One sentence on standard error, exit code 2, nothing on standard output."""
    assert told.code == 2, told.err
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert len(told.err.splitlines()) == 1, told.err
    for word in words:
        assert word in told.err
