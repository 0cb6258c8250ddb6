"""Every whole-system test starts from the defaults, whatever the shell or a .env file says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from commands import Command, command_of
from small_markets import candle_rows, small_market, small_settings

from trading_system.venues.known import VENUES

pytest.register_assert_rewrite("oracle", "ccxt_play", "pybit_play")  # what was expected there is said in full, too


@pytest.fixture(autouse=True)
def _defaults_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name in {"BUS_URL", "DATABASE_URL"} or (name.startswith("TRADING_") and name != "TRADING_SHARED"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """What runs a command in this process."""
    return command_of(monkeypatch, capsys)


@pytest.fixture(scope="session")
def rows() -> list[str]:
    """The lines of the small market's candle file, header first; not to be changed."""
    return candle_rows(small_market(small_settings()).candles["BTCUSDT"])


@pytest.fixture(params=sorted(VENUES))
def venue(request: pytest.FixtureRequest) -> str:
    """Each whole venue in turn."""
    return str(request.param)
