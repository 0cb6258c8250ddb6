"""A step's bell remembers its word within the process, and is nothing but its bytes to everybody else."""

from __future__ import annotations

import pytest

from trading_system.contracts import ContractError, StepDTO, serialize, to_step
from trading_system.services.step_bell import heard_step, step_bell

WORD: StepDTO = {"exchange": "binance_usdm", "symbol": "BTCUSDT", "step": 7, "candles": [], "gap": True}


def test_what_was_made_here_is_not_read_again() -> None:
    assert heard_step(step_bell(serialize(WORD), WORD)) is WORD


def test_what_came_from_elsewhere_is_read_and_says_the_same() -> None:
    bell = step_bell(serialize(WORD), WORD)
    assert heard_step(bytes(bell)) == WORD
    assert to_step(bell) == WORD


def test_nonsense_from_elsewhere_is_refused() -> None:
    with pytest.raises(ContractError):
        heard_step(b"{}")
