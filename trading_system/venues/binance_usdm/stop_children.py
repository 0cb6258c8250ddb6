"""Which stop of ours an order belongs to that the venue made of it when it triggered.

The venue gives such an order an id, and perhaps a client id, of its own. The link is the id that the stop reports;
client ids alone are no proof.
"""

from __future__ import annotations

from trading_system.venues.port import KnownStops

FOREIGN_NAMES = ("autoclose-", "adl_autoclose", "settlement_autoclose-", "delivery_autoclose-")
"""Orders that the exchange itself sends against our position."""


class StopChildren:
    """The names of venue orders as far as they are known, and the stops that may still turn into one."""

    def __init__(self, known_stops: KnownStops | None = None) -> None:
        """Keep ``known_stops``, which remembers across a restart what this object has forgotten."""
        self._known_stops = known_stops
        self._names: dict[str, str] = {}
        self._placed: dict[str, list[str]] = {}

    def placed(self, symbol: str, client_id: str) -> None:
        """Remember that a stop was sent."""
        self._placed.setdefault(symbol, []).append(client_id)

    def learn(self, order_id: str, client_id: str) -> None:
        """Remember that the venue's order ``order_id`` is what we call ``client_id``."""
        self._names[order_id] = client_id

    def name_of(self, order_id: str) -> str | None:
        """Return our name of the venue's order, None if it is not known."""
        return self._names.get(order_id)

    def candidates(self, symbol: str) -> list[str]:
        """Return the stops that have no order of their own yet, newest first."""
        taken = set(self._names.values())
        known = [stop.client_id for stop in self._known_stops(symbol)] if self._known_stops is not None else []
        both = dict.fromkeys((*self._placed.get(symbol, ()), *known))
        return [client_id for client_id in reversed(both) if client_id not in taken]
