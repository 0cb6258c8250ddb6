"""A service that trusts its bells: what it did not hear while it was away it never looks up. A control."""

from __future__ import annotations

from trading_system.app import Line
from trading_system.cli import main
from trading_system.services.room import Room


async def _never(self: object) -> None:
    del self


if __name__ == "__main__":
    Room.catch_up = _never  # type: ignore[method-assign]
    Line._poll = _never  # type: ignore[method-assign,assignment]
    main()
