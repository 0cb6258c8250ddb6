"""The canonical line of a trade, by which two runs of the same candles are compared."""

from __future__ import annotations

from trading_system.rules.client_ids import canonical, is_ours
from trading_system.rules.grid import text_of
from trading_system.rules.matching import Role
from trading_system.simulator.orders import Trade

_KINDS = {"e": "entry", "s": "stop", "x": "exit"}


def stop_of(entry_id: str) -> str:
    """Return the client order id by which the stop of a position is known whose entry carried it without a name."""
    return _sibling_of(entry_id, "s")


def exit_of(entry_id: str) -> str:
    """Return the client order id by which the venue's settlement of a position is known, after its entry."""
    return _sibling_of(entry_id, "x")


def _sibling_of(entry_id: str, name: str) -> str:
    return f"{canonical(entry_id)[:-1]}{name}00" if is_ours(entry_id) else ""


def line_of(trade: Trade, owner: str) -> str:
    """Return ``kind|id|time|price|qty|fee`` of a trade that belongs to the client order id ``owner``.

    An id of ours loses its generation and its role letter names the kind; a liquidation is named ``l`` after the entry
    it ended. A trade of another program keeps its id.
    """
    kind, id_ = trade.role.name.lower(), owner
    if is_ours(owner):
        id_ = canonical(owner)
        if trade.role == Role.LIQUIDATION:
            id_ = f"{id_[:-1]}l"
        else:
            kind = _KINDS.get(id_[-1], "target")
    return f"{kind}|{id_}|{trade.time}|{text_of(trade.price)}|{text_of(trade.quantity)}|{text_of(trade.fee)}"
