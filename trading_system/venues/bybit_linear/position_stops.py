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
    """The stops that we have sent, and the venue's orders that were recognised as one of them."""

    def __init__(self, known_stops: KnownStops | None = None) -> None:
        """Keep ``known_stops``, which remembers across a restart what this object has forgotten."""
        self._known_stops = known_stops
        self._sent: dict[str, dict[str, KnownStop]] = {}
        self._names: dict[str, str] = {}

    def sent(self, symbol: str, client_id: str, price: float, venue_id: str = "") -> None:
        """Remember that a stop was sent, or, with a ``venue_id``, that the venue has it."""
        stops = self._sent.setdefault(symbol, {})
        stops[client_id] = KnownStop(client_id, price, venue_id)
        while len(stops) > REMEMBERED_STOPS:
            del stops[next(iter(stops))]

    def known(self, symbol: str) -> list[KnownStop]:
        """Return our stops of a symbol, oldest first: of earlier lives what the journal has, of this one all."""
        sent = self._sent.get(symbol, {})
        earlier = self._known_stops(symbol) if self._known_stops is not None else ()
        return [*(stop for stop in earlier if stop.client_id not in sent), *sent.values()]

    def stop(self, symbol: str, client_id: str) -> KnownStop | None:
        """Return one of our stops, None if it is not known."""
        return next((stop for stop in self.known(symbol) if stop.client_id == client_id), None)

    def learn(self, order_id: str, client_id: str) -> None:
        """Remember that the venue's order ``order_id`` is what we call ``client_id``."""
        self._names[order_id] = client_id
        if len(self._names) > REMEMBERED_ORDERS:
            del self._names[next(iter(self._names))]

    def learnt(self, order_id: str) -> str | None:
        """Return our name of the venue's order, None if it is not known."""
        return self._names.get(order_id)

    def name_of(self, row: OrderRow) -> str | None:
        """Return our name of a position's stop, and learn it; None when it is none of ours.

        The newest of our stops at its price; without one (its price was never asked for by itself: the entry has
        brought it) the newest of that trade, or the first that the trade would have sent.
        """
        stops = self.known(row.symbol)
        trade = row.parent_order_link_id[:-3] if is_ours(row.parent_order_link_id) else ""
        if trade:
            stops = [stop for stop in stops if stop.client_id.startswith(trade)]
        price = number(row.trigger_price)
        at_price = [stop.client_id for stop in stops if stop.price == price]
        name = at_price[-1] if at_price else self._names.get(row.order_id)
        if name is None and stops:
            name = stops[-1].client_id
        if name is None and trade:
            name = f"{trade}s00"
        if name is not None:
            self.learn(row.order_id, name)
        return name
