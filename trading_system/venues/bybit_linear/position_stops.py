"""Which stop of ours the stop of a position is.

Bybit holds a stop as a price of the position: there is one, the last price set counts, and the order that it makes of
it has no name of ours. What names it are its price and the entry that it came with.
"""

from __future__ import annotations

from trading_system.rules.client_ids import is_ours
from trading_system.venues.bybit_linear.rows import OrderRow, number
from trading_system.venues.port import KnownStop, KnownStops

REMEMBERED_STOPS = 20  # of one symbol; a trade has a handful
REMEMBERED_ORDERS = 10_000


class PositionStops:
    """The stops that we have sent, and what the venue showed of the orders that it makes of them."""

    def __init__(self, known_stops: KnownStops | None = None) -> None:
        """Keep ``known_stops``, which remembers across a restart what this object has forgotten."""
        self._known_stops = known_stops
        self._sent: dict[str, dict[str, KnownStop]] = {}
        self._shown: dict[str, OrderRow] = {}

    def sent(self, symbol: str, client_id: str, price: float, venue_id: str = "") -> None:
        """Remember that a stop was sent, or, with a ``venue_id``, that the venue has it."""
        stops = self._sent.setdefault(symbol, {})
        stops[client_id] = KnownStop(client_id, price, venue_id)
        while len(stops) > REMEMBERED_STOPS:
            del stops[next(iter(stops))]

    def stop(self, symbol: str, client_id: str) -> KnownStop | None:
        """Return one of our stops, None if it is not known."""
        return next((stop for stop in self._known(symbol) if stop.client_id == client_id), None)

    def name_of(self, row: OrderRow) -> str | None:
        """Return which stop of ours a position's stop is: the newest of that trade at that price; None without one.

        It has come with its entry then and was not sent by itself yet, or it is none of ours.
        """
        self._shown[row.order_id] = row
        if len(self._shown) > REMEMBERED_ORDERS:
            del self._shown[next(iter(self._shown))]
        price = number(row.trigger_price)
        return next((stop.client_id for stop in reversed(self._of_trade(row)) if stop.price == price), None)

    def name_of_filled(self, row: OrderRow) -> str | None:
        """Return to which stop of ours the trades of a position's stop belong, None if it is none of ours.

        Without one at its price that is the newest of the trade, or the first that the trade would have sent.
        """
        name = self.name_of(row)
        if name is None:
            stops, trade = self._of_trade(row), _trade_of(row)
            name = stops[-1].client_id if stops else f"{trade}s00" if trade else None
        return name

    def shown(self, order_id: str) -> OrderRow | None:
        """Return how the venue showed a position's stop last, None if it was never shown."""
        return self._shown.get(order_id)

    def _known(self, symbol: str) -> list[KnownStop]:
        """Return our stops of a symbol, oldest first: of earlier lives what the journal has, of this one all."""
        sent = self._sent.get(symbol, {})
        earlier = self._known_stops(symbol) if self._known_stops is not None else ()
        return [*(stop for stop in earlier if stop.client_id not in sent), *sent.values()]

    def _of_trade(self, row: OrderRow) -> list[KnownStop]:
        """Return the stops of the trade that a row belongs to; those of its symbol if the row does not say."""
        trade = _trade_of(row)
        return [stop for stop in self._known(row.symbol) if stop.client_id.startswith(trade)]


def _trade_of(row: OrderRow) -> str:
    """Return with what the names of a trade's orders begin whose entry brought the stop, "" if the row names none."""
    return row.parent_order_link_id[:-3] if is_ours(row.parent_order_link_id) else ""
