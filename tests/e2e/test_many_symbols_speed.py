"""Hundreds of symbols within bars that even a busy machine keeps: processor time, and twice what is promised."""

from __future__ import annotations

import statistics

import many_symbols
import pytest
from measure.crowd import crowd, line_settings


@pytest.mark.slow
async def test_a_minute_of_five_hundred_symbols_is_stored_and_rung_in_time() -> None:
    spent = await many_symbols.closes(crowd(line_settings(), 500, 500), upto=5, minutes=20)
    assert statistics.median(took.worked for took in spent) < 2 * 50


@pytest.mark.slow
async def test_the_whole_line_stores_the_signals_of_two_hundred_symbols_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(many_symbols, "LIVE", 30)
    monkeypatch.setattr(many_symbols, "WARM_UP", 480)
    monkeypatch.setattr(many_symbols, "IDLE_S", 5.0)
    lived = await many_symbols.life()
    assert many_symbols.latest([took.worked for took in lived.closes]) < 2 * 100
    assert lived.idle < 2 * 0.05
