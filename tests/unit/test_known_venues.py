"""The venues that can be named are those that are known, everywhere."""

from __future__ import annotations

from typing import get_args

from trading_system._feed import Session
from trading_system.settings import Settings
from trading_system.simulator.wires import WIRES
from trading_system.venues.known import MARKETS, VENUES


def test_settings_name_the_venues_that_are_known_and_each_has_a_wire_and_a_reader() -> None:
    named = get_args(Settings.model_fields["exchange"].annotation)
    assert list(named) == list(VENUES)
    assert set(VENUES) <= set(WIRES) <= set(MARKETS)
    assert set(VENUES) <= set(MARKETS)
    for name, market in MARKETS.items():
        assert market.name == name
        Session(["BTCUSDT"], venue=name)
