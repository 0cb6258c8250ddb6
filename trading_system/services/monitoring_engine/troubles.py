"""What is not in order in a view of the line. Pure; for how long it must last before it is told is for ``episodes``."""

from __future__ import annotations

from collections.abc import Iterator

from trading_system.rules.account import Account
from trading_system.services.monitoring_engine.view import View
from trading_system.services.vital_signs import Limits, Trouble, service_trouble

ACCOUNT = "account"
MACHINE = "machine"
FEED = "data_feed"


def troubles_of(view: View, limits: Limits) -> list[Trouble]:
    """Return every trouble of ``view``. One cause is named once: a silent service is not also called behind."""
    ill: list[Trouble] = []
    if view.bus_away:  # then nobody's sign could be heard
        ill.append(Trouble("bus_away", "bus", {}))
    else:
        for service in view.expected:
            health = view.health.get(service)
            if health is None and view.watched_s <= limits.silent_s:
                continue
            trouble = service_trouble(service, health, None, view.time, limits, unheard_s=view.watched_s)
            if trouble is not None:
                ill.append(trouble)
    found = {trouble.subject for trouble in ill}
    behind = [
        Trouble("service_behind", service, {"behind": lag})
        for service, lag in view.lags.items()
        if lag > limits.behind_steps and service not in found
    ]
    silent = [] if FEED in found else list(_silent_symbols(view, limits))
    return [*ill, *behind, *silent, *_positions(view), *_account(view.account), *_machine(view, limits), *_heard(view)]


def unjudged(kind: str, subject: str, view: View, limits: Limits) -> bool:
    """Tell whether ``view`` cannot show if a trouble is over: what cannot be seen is not in order for that."""
    if kind in {"service_silent", "service_failed"}:
        return view.bus_away or (subject not in view.health and view.watched_s <= limits.silent_s)
    if kind == "position_unprotected":
        return any(one.symbol == subject for one in view.open_positions) and not _is_told(view, limits)
    if kind in {"orders_unknown", "symbol_unseen"}:
        return not _is_told(view, limits)
    if kind == "feed_silent":
        return view.candle_age_s(subject) is None
    if kind == "disk_low":
        return view.free_disk_bytes is None
    return kind == "clock_off" and subject == MACHINE and view.clock_off_ms is None


def _is_told(view: View, limits: Limits) -> bool:
    """Tell whether execution has said lately what the venue holds."""
    health = view.health.get("execution_engine")
    return service_trouble("execution_engine", health, None, view.time, limits) is None


def _silent_symbols(view: View, limits: Limits) -> Iterator[Trouble]:
    for symbol in view.heads:
        age = view.candle_age_s(symbol)
        if age is not None and age > limits.feed_silent_s:
            yield Trouble("feed_silent", symbol, {"age_s": round(age)})


def _positions(view: View) -> Iterator[Trouble]:
    for one in view.open_positions:
        if not view.protected(one):
            yield Trouble("position_unprotected", one.symbol, {"quantity": one.quantity, "stop": one.trade.stop})
    for symbol in view.unseen:
        yield Trouble("symbol_unseen", symbol, {})
    unknown = view.execution_number("unknown")
    if unknown:
        yield Trouble("orders_unknown", ACCOUNT, {"unknown": unknown})


def _account(account: Account | None) -> Iterator[Trouble]:
    if account is None:
        return
    if account.day_locked:
        yield Trouble("day_loss", ACCOUNT, _fall(account.day_equity, account.equity))
    if account.drawdown_locked:
        yield Trouble("drawdown_stop", ACCOUNT, _fall(account.peak, account.equity))


def _fall(top: float, equity: float) -> dict[str, float | int | str]:
    return {"from": top, "equity": equity, "loss_pct": round((1 - equity / top) * 100, 2)}


def _heard(view: View) -> Iterator[Trouble]:
    for service, count in view.nonsense.items():
        yield Trouble("bad_messages", service, {"messages": count})


def _machine(view: View, limits: Limits) -> Iterator[Trouble]:
    free, off = view.free_disk_bytes, view.clock_off_ms
    if free is not None and free < limits.free_disk_bytes:
        yield Trouble("disk_low", MACHINE, {"free_mb": free // 1_000_000})
    if off is not None and abs(off) > limits.clock_off_ms:
        yield Trouble("clock_off", MACHINE, {"off_s": off / 1000})
