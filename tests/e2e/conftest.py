"""Every whole-system test starts from the defaults, whatever the shell or a .env file says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _defaults_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name in {"BUS_URL", "DATABASE_URL"} or (name.startswith("TRADING_") and name != "TRADING_SHARED"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
