"""What a line says of itself to a person: where it stands, what it holds, what it saw and what came of it.

Pure: a view in, plain rows out. The same rows are printed as tables and as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from trading_system.contracts import AccountDTO, TradeSignalDTO, from_ms, to_ms
from trading_system.research.line_view import LineView
from trading_system.research.run_folder import trade_row
from trading_system.rules.account import Account
from trading_system.rules.facts import Closed, Declined, EquityPoint, Fill, Withdrawn
from trading_system.rules.holdings import Holding, holdings
from trading_system.rules.interval_table import interval_ms
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.risk import Rejection
from trading_system.rules.roster import Roster, State
from trading_system.services.monitoring_engine.episodes import lasting_alerts

Row = dict[str, Any]

QUIET_S = 150.0  # a market that closes a minute every minute has been silent for two of them


class Market(NamedTuple):
    """What is newest: the rows of ``newest_rows``, and the account, None before its first step."""

    rows: Sequence[Row] = ()
    account: AccountDTO | None = None


NOTHING_NEW = Market()


def status_of(view: LineView, services: Sequence[Row] = (), market: Market = NOTHING_NEW) -> Row:
    """Return where the line stands and what it waits for. Times are texts in UTC, money is in quote currency.

    services: the rows of ``service_rows``, where services run as processes of their own. market: what is newest;
    without its account, equity is as the store's account was last marked.
    """
    trading = view.process is not None or any(
        one["service"] == "execution_engine" and one["status"] not in {"silent", "failed"} for one in services
    )
    account = view.account
    trades = [] if account is None else [slot.trade for slot in account.slots if slot.trade is not None]
    closed = view.facts_of(Closed)
    halted = () if account is None else _halted(account)
    marks = view.facts_of(EquityPoint)
    equity = float(view.terms["account.equity"]) if account is None else account.equity
    return {
        "folder": str(view.folder),
        "mode": "paper" if view.is_paper else "simulated",
        "process": view.process,
        "symbols": list(view.traded),
        "left": [one.symbol for one in view.symbols if one.symbol not in view.traded],
        "signal_interval": view.signal_interval,
        "origin": _text(view.origin),
        "first_signal": _text(view.first_signal),
        "last_minute": None if view.step is None else _text(view.step * MINUTE_MS),
        "behind": sum(max((one.head or 0) - (view.step or 0), 0) for one in view.symbols) if view.step else 0,
        "equity": equity if market.account is None else market.account["equity"],
        "marked_at": _text(marks[-1].time) if marks else None,
        "positions": sum(1 for trade in trades if not trade.waiting),
        "waiting_entries": sum(1 for trade in trades if trade.waiting),
        "offers": 0 if account is None else len(account.offers),
        "signals": sum(len(one.signals) for one in view.symbols),
        "trades": len(closed),
        "earned": sum(one.earned for one in closed),
        "entries_off": list(halted),
        "waits_for": waits_for(view, trading=trading),
        "trading": trading,
        "market": list(market.rows),
        "services": list(services),
        "alerts": [
            {
                "kind": one["kind"],
                "subject": one["subject"],
                "since": _text(to_ms(one["began"])),
                "numbers": one["numbers"],
            }
            for one in lasting_alerts(view.alerts)
        ],
    }


def waits_for(view: LineView, *, trading: bool | None = None) -> str:
    """Return in one sentence what has to happen before the line does something.

    trading: whether somebody trades it now; None: only a process of this machine can.
    """
    if not (view.process is not None if trading is None else trading):
        return "a start: no process trades this line; run the command again that began it"
    if view.step is None:
        return "the first candles of its history"
    now, first = view.step * MINUTE_MS, view.first_signal
    if now <= first:
        done, all_ = (now - view.origin) // MINUTE_MS, (first - view.origin) // MINUTE_MS
        return f"the end of its warm-up: {done:,} of {all_:,} minutes"
    account = view.account
    reasons: list[str] = []
    if view.quiet_s is not None and view.quiet_s > QUIET_S:
        reasons.append(f"the venue, of which nothing was heard for {view.quiet_s / 60:.0f} minutes")
    for slot in () if account is None else account.slots:
        trade = slot.trade
        if trade is None:
            continue
        symbol = trade.plan.symbol
        if trade.waiting:
            reasons.append(f"{symbol} to reach its entry {trade.plan.entry:g} until {_text(trade.plan.expires_at)}")
        else:
            reasons.append(f"the stop {trade.stop:g} or a target of {symbol}")
    reasons.extend(
        f"a person to take or skip {plan.id} of {plan.symbol} until {_text(plan.expires_at)}"
        for plan in (() if account is None else account.offers)
    )
    if account is not None and account.paused:
        return "; ".join([*reasons, "a person: entries are switched off until `resume`"])
    if account is not None and account.drawdown_locked:
        return "; ".join([*reasons, "a person: the drawdown stop has switched entries off"])
    if account is not None and account.day_locked:
        return "; ".join([*reasons, "the next UTC day: the daily loss limit has switched entries off"])
    length = interval_ms(view.signal_interval)
    reasons.append(f"the {view.signal_interval} candles that close at {_text((now // length + 1) * length)}")
    return "; ".join(reasons)


def symbols_of(roster: Roster) -> list[Row]:
    """Return every symbol that the line ever traded or was asked to, those that have left last.

    ``joined``: the close of the first minute of its newest stay that the account took, ``left`` of the last; both are
    None where there is none yet. ``detail``: the venue's own words.
    """
    members = sorted(roster.members.values(), key=lambda one: (one.state == State.LEFT, one.symbol))
    return [
        {
            "symbol": one.symbol,
            "state": State.UNSEEN.value if one.unseen else one.state.value,
            "why": one.why.value,
            "joined": _text(one.stints[-1].joined * MINUTE_MS) if one.stints else None,
            "left": _text(one.stints[-1].left * MINUTE_MS) if one.stints and one.stints[-1].left else None,
            "detail": one.detail,
        }
        for one in members
    ]


def positions_of(view: LineView) -> list[Row]:
    """Return what each symbol's slot holds: an entry that waits, or a position with its stop and targets.

    ``open`` is the profit at the last stored close before fees, ``r`` that and what was earned already in units of
    the planned risk; both are None while the entry waits or before the first close. ``covered``: a stop for the whole
    of the position rests by the account's word.
    """
    return [
        {
            "symbol": held.symbol,
            "state": "waiting" if held.waiting else "open",
            "pattern": held.trade.plan.pattern,
            "side": _side(held.side),
            "quantity": held.quantity,
            "entry": held.entry,
            "last": held.last,
            "stop": held.trade.stop,
            "covered": held.covered,
            "targets": list(held.targets),
            "open": held.unrealised,
            "r": held.r,
            "since": _text(held.since),
            "signal": held.trade.plan.id,
        }
        for held in held_by(view)
    ]


def held_by(view: LineView) -> tuple[Holding, ...]:
    """Return what the line's slots hold, at the last stored closes."""
    if view.account is None:
        return ()
    closes = {one.symbol: one.last["close"] for one in view.symbols if one.last is not None}
    return holdings(view.account, [one.symbol for one in view.symbols], closes)


def signals_of(view: LineView, symbol: str | None = None) -> list[Row]:
    """Return every signal with what came of it, the newest first; of one ``symbol`` or of all.

    ``outcome`` is offered, waiting, open, refused, declined, withdrawn, closed or unseen; ``because`` its rule, reason,
    or "".
    Raises: ViewError when the line does not trade ``symbol``.
    """
    ends = _ends(view)
    chosen = view.symbols if symbol is None else [view.of(symbol)]
    words = sorted((word for one in chosen for word in one.signals), key=lambda word: word["confirmed_at"])
    return [_signal_row(word, ends.get(word["id"])) for word in reversed(words)]


def trades_of(view: LineView, symbol: str | None = None) -> list[Row]:
    """Return every ended trade, the newest first; of one ``symbol`` or of all.

    Raises: ViewError when the line does not trade ``symbol``.
    """
    if symbol is not None:
        view.of(symbol)
    closed = [one for one in view.facts_of(Closed) if symbol in (None, one.symbol)]
    rows = [trade_row(one) for one in reversed(closed)]
    return [
        {
            **row,
            "opened_at": _text(row["opened_at"]),
            "closed_at": _text(row["closed_at"]),
            "fees": sum(fill.fee for fill in view.facts_of(Fill) if fill.id[:-1].endswith(row["signal"])),
        }
        for row in rows
    ]


def _signal_row(word: TradeSignalDTO, end: Row | None) -> Row:
    return {
        "time": word["confirmed_at"].strftime("%Y-%m-%d %H:%M"),
        "symbol": word["symbol"],
        "pattern": word["pattern"],
        "side": word["side"],
        "entry_type": word["entry_type"],
        "entry": word["entry_price"],
        "stop": word["stop_loss"],
        "targets": [target["price"] for target in word["take_profits"]],
        "rr_net": word["rr_net"],
        "score": word["score"],
        **(end or {"outcome": "unseen", "because": "", "numbers": {}, "r": None}),
        "signal": word["id"],
    }


def _ends(view: LineView) -> Mapping[str, Row]:
    """Return what came of each signal, by its id."""
    ends: dict[str, Row] = {}
    for slot in () if view.account is None else view.account.slots:
        if slot.trade is not None:
            state = "waiting" if slot.trade.waiting else "open"
            ends[slot.trade.plan.id] = {"outcome": state, "because": "", "numbers": {}, "r": None}
    for plan in () if view.account is None else view.account.offers:
        ends[plan.id] = {"outcome": "offered", "because": "", "numbers": {}, "r": None}
    for fact in view.facts:
        if isinstance(fact, Rejection):
            ends[fact.plan.id] = {
                "outcome": "refused",
                "because": fact.rule,
                "numbers": dict(fact.numbers),
                "r": None,
            }
        elif isinstance(fact, Withdrawn):
            ends[fact.plan] = {"outcome": "withdrawn", "because": fact.rule, "numbers": {}, "r": None}
        elif isinstance(fact, Declined):
            ends[fact.plan] = {"outcome": "declined", "because": fact.rule, "numbers": {}, "r": None}
        elif isinstance(fact, Closed):
            ends[fact.trade.plan.id] = {"outcome": "closed", "because": fact.reason, "numbers": {}, "r": fact.r}
    return ends


def _halted(account: Account) -> Sequence[str]:
    switches = {
        "paused": account.paused,
        "day_loss": account.day_locked,
        "drawdown_stop": account.drawdown_locked,
    }
    return [rule for rule, on in switches.items() if on]


def _side(side: int) -> str:
    return "long" if side > 0 else "short"


def _text(time: int) -> str:
    """Return an instant as people read it, in UTC, to the minute."""
    return from_ms(time).strftime("%Y-%m-%d %H:%M")
