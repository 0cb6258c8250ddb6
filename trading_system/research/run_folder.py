"""The folder that a run or a backtest leaves behind: five plain files to compare, the trades, and a summary.

``candles.csv`` every minute, ``events.jsonl`` detection, ``orders.csv`` what rested at the venue, ``fills.csv`` the
canonical lines ``kind|id|time|price|qty|fee`` behind a step, ``equity.csv`` the marked account. The first column of
each is the step, so that two folders can be walked side by side.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from trading_system.rules.events import Event
from trading_system.rules.facts import Closed, EquityPoint, Fill, Placed
from trading_system.rules.grid import text_of
from trading_system.rules.matching import MINUTE_MS

CANDLES, EVENTS, ORDERS, FILLS, EQUITY = "candles.csv", "events.jsonl", "orders.csv", "fills.csv", "equity.csv"
COMPARED = (CANDLES, EVENTS, ORDERS, FILLS, EQUITY)
TRADES, REFUSED, SUMMARY = "trades.jsonl", "refused.jsonl", "summary.json"
UNFINISHED = SUMMARY + ".part"
STORE = "store.db"  # a line's own folder
BACKTEST = "backtest"


class FolderError(ValueError):
    """A folder whose files are not this run's to replace."""


@dataclass(frozen=True, eq=False)
class RunRecord:
    """What happened in a run, ready to be written. Symbols are in the order of the account."""

    symbols: Sequence[str]
    candles: Sequence[npt.NDArray[Any]]  # per symbol, CANDLE[n]
    events: Sequence[Event]
    orders: Sequence[Placed]
    fills: Sequence[Fill]
    equity: Sequence[EquityPoint]
    trades: Sequence[Closed]
    refused: Sequence[Mapping[str, Any]]


def canonical_line(kind: str, id_: str, time: int, price: float, quantity: float, fee: float) -> str:
    """Return one fill as the text that fingerprints are made of."""
    return f"{kind}|{id_}|{time}|{text_of(price)}|{text_of(quantity)}|{text_of(fee)}"


def fill_line(fill: Fill) -> str:
    """Return the canonical line of a fill."""
    return canonical_line(fill.role.name.lower(), fill.id, fill.time, fill.price, fill.quantity, fill.fee)


def fingerprint(lines: Iterable[str]) -> str:
    """Return the SHA-256 over canonical lines."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def write_run(folder: Path, record: RunRecord, summary: Mapping[str, Any]) -> None:
    """Write the files of one run into ``folder``, which is created; the summary last, so that it marks a whole run."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / UNFINISHED).touch()  # marks the files as a run's until its summary does
    (folder / SUMMARY).unlink(missing_ok=True)  # an older run's summary must not vouch for half of this one
    place = {symbol: n for n, symbol in enumerate(record.symbols)}
    _write_candles(folder / CANDLES, record)
    _write_lines(folder / EVENTS, event_lines(record.events, place))
    orders = sorted(record.orders, key=lambda placed: (placed.time, place[placed.symbol]))
    _write_lines(folder / ORDERS, (order_line(placed) for placed in orders))
    _write_lines(folder / FILLS, (f"{step_of_fill(fill)}|{fill.symbol}|{fill_line(fill)}" for fill in record.fills))
    _write_lines(folder / EQUITY, (f"{point.time // MINUTE_MS}|{point.equity!r}" for point in record.equity))
    _write_lines(folder / TRADES, (json.dumps(trade_row(closed)) for closed in record.trades))
    _write_lines(folder / REFUSED, (json.dumps(row) for row in record.refused))
    whole = folder / UNFINISHED
    whole.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    whole.replace(folder / SUMMARY)


def earlier_run(folder: Path, *, backtest: bool) -> dict[str, Any] | None:
    """Return the summary of the run that ended in ``folder`` and that a new one may replace, None where none has ended.

    backtest: whether the new one is a backtest; otherwise it is a line, which goes on in its own folder.
    Raises: FolderError when the folder is of the other kind, or holds files of those names that no run has written.
    """
    what = "a backtest" if backtest else "a line"
    if (folder / STORE).exists():
        if backtest:
            raise FolderError(
                f"{folder}: expected a new folder or one of {what}, was the folder of a line; give another --out"
            )
        return None
    names = [name for name in (*COMPARED, TRADES, REFUSED, SUMMARY) if (folder / name).exists()]
    if not names or (folder / UNFINISHED).exists():
        return None
    try:
        summary: dict[str, Any] = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        kind = summary["kind"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        raise FolderError(
            f"{folder}: expected a new folder or one of {what}, was one with {names[0]} that no run has written and "
            "that would be lost; give another --out"
        ) from None
    if (kind == BACKTEST) != backtest:
        raise FolderError(
            f"{folder}: expected a new folder or one of {what}, was the folder of a {kind}; give another --out"
        )
    return summary


def step_of_fill(fill: Fill) -> int:
    """Return the step in whose minute the fill happened."""
    return fill.time // MINUTE_MS + 1


def event_lines(events: Iterable[Event], place: Mapping[str, int]) -> list[str]:
    """Return events as lines in an order that does not depend on which room said them first."""
    ordered = sorted(events, key=lambda event: (event.confirmed_at, place[event.symbol], event.interval, event.kind))
    return [json.dumps({"step": event.confirmed_at // MINUTE_MS, **event_row(event)}) for event in ordered]


def event_row(event: Event) -> dict[str, Any]:
    """Return an event as the flat object that ``detect`` prints: prices by name, ``ref`` or ``replaces`` an id."""
    row: dict[str, Any] = {
        "id": event.id,
        "kind": event.kind,
        "exchange": event.exchange,
        "symbol": event.symbol,
        "interval": event.interval,
        "time": event.time,
        "confirmed_at": event.confirmed_at,
        "direction": event.direction,
    }
    if event.ref is not None:
        row["ref"] = event.ref
    if event.replaces is not None:
        row["replaces"] = event.replaces
    return {**row, **event.values}


def order_line(placed: Placed) -> str:
    """Return an order that rested at the venue as a line."""
    order = placed.order
    words = (order.role.name.lower(), order.type.name.lower(), "buy" if order.side > 0 else "sell")
    numbers = (text_of(order.price), text_of(order.quantity))
    return "|".join((str(placed.time // MINUTE_MS), placed.symbol, order.id, *words, *numbers))


def trade_row(closed: Closed) -> dict[str, Any]:
    """Return an ended trade as a row for people."""
    trade = closed.trade
    plan = trade.plan
    return {
        "symbol": closed.symbol,
        "signal": plan.id,
        "pattern": plan.pattern,
        "side": "long" if plan.side > 0 else "short",
        "opened_at": trade.opened_at,
        "closed_at": closed.time,
        "entry": trade.entry_price,
        "quantity": trade.quantity,
        "stop": plan.stop,
        "targets": [target.price for target in plan.targets],
        "reason": closed.reason,
        "earned": closed.earned,
        "r": closed.r,
    }


def _write_candles(path: Path, record: RunRecord) -> None:
    """Write all symbols' minutes, step by step, each step in the order of the account."""
    count = len(record.symbols)
    open_times = np.concatenate([candles["open_time"] for candles in record.candles])
    order = np.argsort(open_times, kind="stable")
    names = np.repeat(np.array(record.symbols, dtype=object), [len(candles) for candles in record.candles])
    columns: dict[str, Any] = {
        "step": open_times[order] // MINUTE_MS + 1,
        "symbol": names[order] if count else names,
    }
    for name in ("open", "high", "low", "close", "volume", "gap"):
        columns[name] = np.concatenate([candles[name] for candles in record.candles])[order]
    options = pa_csv.WriteOptions(include_header=False, delimiter="|", quoting_style="none")
    with path.open("wb") as file:
        pa_csv.write_csv(pa.table(columns), file, options)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
