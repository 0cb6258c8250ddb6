"""Why a line did or did not trade a symbol: the funnel from candles to trades, every refusal with its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from trading_system.contracts import RejectionDTO
from trading_system.research.line_rows import signals_of
from trading_system.research.line_view import LineView
from trading_system.rules.facts import DECLINES, WITHDRAWALS, Closed, Declined, Withdrawn
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.risk import REJECTIONS, Rejection
from trading_system.rules.signals import SIGNAL_REFUSALS
from trading_system.rules.words import rejection_dto

REASONS: Mapping[str, str] = {**SIGNAL_REFUSALS, **REJECTIONS, **DECLINES, **WITHDRAWALS}


def why(view: LineView, symbol: str) -> dict[str, Any]:
    """Return the funnel of ``symbol`` on the line's signal interval.

    ``refused`` and ``refused_by_account`` have a row a rule: how often, what the rule means, and the newest refusal
    with the numbers that decided it. Raises: ViewError when the line does not trade ``symbol``.
    """
    one = view.of(symbol)
    kinds = Counter(event.kind for event in one.events if event.interval == view.signal_interval)
    account = [rejection_dto(fact) for fact in view.facts_of(Rejection) if fact.plan.symbol == symbol]
    withdrawn = Counter(
        fact.rule for fact in view.facts if isinstance(fact, Withdrawn | Declined) and fact.symbol == symbol
    )
    closed = [fact for fact in view.facts_of(Closed) if fact.symbol == symbol]
    signals = signals_of(view, symbol)
    return {
        "symbol": symbol,
        "signal_interval": view.signal_interval,
        "minutes": 0 if one.head is None else one.head - view.origin // MINUTE_MS,
        "swings": kinds["swing_high"] + kinds["swing_low"],
        "order_blocks": kinds["ob_formed"],
        "flags": kinds["flag_breakout"],
        "candidates": len(one.refused) + len(one.signals),
        "refused": _by_rule(one.refused),
        "signals": len(one.signals),
        "refused_by_account": _by_rule(account),
        "withdrawn": [
            {"rule": rule, "count": count, "meaning": REASONS[rule]} for rule, count in sorted(withdrawn.items())
        ],
        "live": [
            {key: row[key] for key in ("outcome", "time", "side", "entry")}
            for row in signals
            if row["outcome"] in ("offered", "waiting", "open")
        ],
        "trades": len(closed),
        "won": sum(1 for fact in closed if fact.earned > 0),
        "earned": sum(fact.earned for fact in closed),
    }


def _by_rule(rows: Iterable[RejectionDTO]) -> list[dict[str, Any]]:
    """Return one row a rule, the most frequent first, with the newest refusal."""
    counts: Counter[str] = Counter()
    newest: dict[str, RejectionDTO] = {}
    for row in rows:
        counts[row["rule"]] += 1
        if row["rule"] not in newest or row["confirmed_at"] >= newest[row["rule"]]["confirmed_at"]:
            newest[row["rule"]] = row
    return [
        {
            "rule": rule,
            "count": count,
            "meaning": REASONS[rule],
            "newest": {
                "time": newest[rule]["confirmed_at"].strftime("%Y-%m-%d %H:%M"),
                "pattern": newest[rule].get("pattern", ""),
                "side": newest[rule].get("side", ""),
                "numbers": dict(newest[rule]["numbers"]),
            },
        }
        for rule, count in counts.most_common()
    ]
