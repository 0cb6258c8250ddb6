"""Binance USDT-M as one wire: its REST, its market and user sockets, and the shapes of what happens to the account."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import msgspec

from trading_system.simulator.binance_usdm import account_rows, frames
from trading_system.simulator.binance_usdm.listen_keys import ListenKeys
from trading_system.simulator.binance_usdm.rest import Rest
from trading_system.simulator.binance_usdm.signatures import Door
from trading_system.simulator.binance_usdm.streams import Streams
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.faults import FaultScript
from trading_system.simulator.orders import Trade, VenueOrder
from trading_system.simulator.wire_port import Account, UserFrame, Wire


class BinanceUsdmWire(Wire):
    """What each member promises is in ``wire_port.Wire``. ``rest`` and ``streams``: which market of Binance it is."""

    rest: ClassVar[type[Rest]] = Rest
    streams: ClassVar[type[Streams]] = Streams

    def __init__(
        self,
        exchange: Exchange,
        account: Account,
        faults: FaultScript,
        wall_ms: Callable[[], int],
        is_silent: Callable[[], bool],
    ) -> None:
        keys = ListenKeys(wall_ms)
        door = Door(account.api_key, account.secret, wall_ms)
        super().__init__(self.rest(exchange, door, faults, keys), self.streams(exchange, faults, keys, is_silent))
        self._exchange = exchange

    @property
    def answers_first(self) -> bool:
        """Return False: an event may be there before its answer."""
        return False

    def order_frames(self, order: VenueOrder, execution: str, trade: Trade | None, now: int) -> Iterable[UserFrame]:
        """Return an ORDER_TRADE_UPDATE."""
        return (_frame(frames.order_event(order, execution, trade, now)),)

    def algo_frames(self, order: VenueOrder, now: int) -> Iterable[UserFrame]:
        """Return an ALGO_UPDATE."""
        return (_frame(frames.algo_event(order, now)),)

    def account_frames(self, symbol: str, reason: str, now: int) -> Iterable[UserFrame]:
        """Return an ACCOUNT_UPDATE."""
        return (_frame(account_rows.account_event(self._exchange, symbol, reason, now)),)

    def trade_row(self, trade: Trade) -> dict[str, Any]:
        """Return a row of ``GET /fapi/v1/userTrades``."""
        return frames.trade_row(trade)


def _frame(event: dict[str, Any]) -> UserFrame:
    return UserFrame(event["e"], msgspec.json.encode(event))
