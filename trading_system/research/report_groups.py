"""By what closed trades are grouped, and what is said about each group: where do the results come from?

The numbers of a group are ``statistics``'; the words for its name are ``report_words``'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from trading_system.research.statistics import Figure, expectancy_r, profit_factor, win_rate_percent
from trading_system.rules.facts import Closed


class Group(NamedTuple):
    """Closed trades that share something, e.g. a setup or the hour of their entry."""

    name: str
    trades: int
    win_rate: Figure
    expectancy: Figure
    profit_factor: Figure
    total_r: float


def grouped(trades: Iterable[Closed], key: Callable[[Closed], str]) -> tuple[Group, ...]:
    """Return ``trades`` grouped by ``key``, in the order of the keys."""
    groups: dict[str, list[Closed]] = {}
    for trade in trades:
        groups.setdefault(key(trade), []).append(trade)
    return tuple(
        Group(
            name,
            len(mine),
            win_rate_percent(mine),
            expectancy_r(mine),
            profit_factor(mine),
            sum(trade.r for trade in mine),
        )
        for name, mine in sorted(groups.items())
    )


def by_setup(trades: Iterable[Closed]) -> tuple[Group, ...]:
    """Group by pattern; a flag on an order block is a setup of its own."""
    return grouped(trades, setup_of)


def by_side(trades: Iterable[Closed]) -> tuple[Group, ...]:
    """Group by long and short."""
    return grouped(trades, lambda closed: "long" if closed.trade.plan.side > 0 else "short")


def by_symbol(trades: Iterable[Closed]) -> tuple[Group, ...]:
    """Group by symbol."""
    return grouped(trades, lambda closed: closed.symbol)


def by_hour(trades: Iterable[Closed]) -> tuple[Group, ...]:
    """Group by the UTC hour (00 to 23) in which the entry filled."""
    return grouped(trades, lambda closed: f"{closed.trade.opened_at // 3_600_000 % 24:02d}")


def by_score(trades: Iterable[Closed]) -> tuple[Group, ...]:
    """Group by the score of the signal in tens: does a better score bring more?"""
    return grouped(trades, lambda closed: f"{closed.trade.plan.score // 10 * 10:02d}")


def by_exit(trades: Iterable[Closed]) -> tuple[Group, ...]:
    """Group by what ended the trade, as ``exit_of``."""
    return grouped(trades, exit_of)


def exit_of(closed: Closed) -> str:
    """Return the code of what ended a trade; a stop that a target had moved to the entry is ``break_even``."""
    moved = closed.trade.stop != closed.trade.plan.stop
    return "break_even" if closed.reason == "stop" and moved else closed.reason


def setup_of(closed: Closed) -> str:
    """Return the code of a trade's setup: order_block, flag or flag_on_block."""
    plan = closed.trade.plan
    return "flag_on_block" if plan.pattern == "flag" and "confluence" in plan.reasons else plan.pattern
