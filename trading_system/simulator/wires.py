"""Which wire each venue speaks: the one place of the simulator that lists venues."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from trading_system.simulator.binance.wire import BinanceSpotWire
from trading_system.simulator.binance_usdm.wire import BinanceUsdmWire
from trading_system.simulator.bybit_linear.wire import BybitWire
from trading_system.simulator.wire_port import WireMaker

WIRES: Mapping[str, WireMaker] = {
    "binance": BinanceSpotWire,
    "binance_usdm": BinanceUsdmWire,
    "bybit_linear": partial(BybitWire, "linear"),
    "bybit": partial(BybitWire, "spot"),
}
