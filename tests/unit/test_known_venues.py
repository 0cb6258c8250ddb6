"""The venues that can be named are those that are known, everywhere."""

from __future__ import annotations

from typing import get_args

import pytest

from trading_system._feed import Session
from trading_system.secret import Secret
from trading_system.service_run import ServiceProcess
from trading_system.settings import Settings, settings_with
from trading_system.simulator.wires import WIRES
from trading_system.venue_access import paper_access, simulated_access
from trading_system.venues.known import MARKETS, VENUES, NoAccountError


def test_settings_name_the_venues_that_are_known_and_each_has_a_wire_and_a_reader() -> None:
    named = get_args(Settings.model_fields["exchange"].annotation)
    assert list(named) == sorted(MARKETS)
    assert set(VENUES) <= set(WIRES) == set(MARKETS)
    assert set(VENUES) <= set(MARKETS)
    for name, market in MARKETS.items():
        assert market.name == name
        Session(["BTCUSDT"], venue=name)


@pytest.mark.parametrize("name", sorted(set(MARKETS) - set(VENUES)))
def test_where_only_market_data_is_known_nobody_has_an_account_but_on_paper(name: str) -> None:
    settings = settings_with(exchange=name)
    assert paper_access(settings).known.name == name
    with pytest.raises(NoAccountError, match=rf"with an account \(binance_usdm, bybit_linear\), was {name},"):
        simulated_access(settings, "http://127.0.0.1:1", Secret("k"), Secret("s"))
    beside = settings_with(
        ["bus_url=redis://x", "symbols=BTCUSDT", "market.conductor=http://127.0.0.1:1"], exchange=name
    )
    with pytest.raises(NoAccountError):
        ServiceProcess("data_feed", beside)
