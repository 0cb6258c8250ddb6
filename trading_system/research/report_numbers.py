"""How a report writes numbers: signs, units, durations and dates, the same on a page and on a terminal.

A number that does not exist is a dash; nothing here ever prints NaN.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from trading_system.research.report_words import Words, say
from trading_system.research.statistics import Figure, Undefined

MINUTE_MS = 60_000
_SIGNED = {"net_profit", "return_pct", "expectancy_r", "average_win_r", "average_loss_r", "open_profit", "cagr_pct"}
_SIGNED |= {"buy_and_hold_pct"}
_WHOLE = {"trades", "longest_losing_streak", "trades_needed"}
_GOOD_WHEN_POSITIVE = {"net_profit", "return_pct", "expectancy_r", "cagr_pct", "open_profit"}


def signed(value: float, decimals: int) -> str:
    """Return ``value`` with its sign, a true minus; what rounds to zero has none."""
    text = f"{abs(value):,.{decimals}f}"
    if not any(digit in text for digit in "123456789"):
        return text
    return ("−" if value < 0 else "+") + text


def plain(value: float, decimals: int) -> str:
    """Return ``value`` with thousands separators and a true minus."""
    return signed(value, decimals).removeprefix("+")


def figure_text(words: Words, name: str, value: Figure) -> str:
    """Return a figure as text by the unit that its name says; a dash when it does not exist."""
    if isinstance(value, Undefined) or not math.isfinite(value):
        return words["dash"]
    if name in _WHOLE:
        return f"{value:,.0f}"
    write = signed if name in _SIGNED else plain
    if name == "max_drawdown_pct":
        return plain(-value, 1) + "%"
    if name.endswith("_pct"):
        return write(value, 1) + "%"
    if name.endswith("_ms"):
        return duration_text(words, int(value))
    if name.endswith("_r"):
        return write(value, 2) + " R"
    return write(value, 2)


def tone(name: str, value: Figure) -> str:
    """Return ``up``, ``down`` or nothing: whether a figure is shown as good, bad or neither."""
    if isinstance(value, Undefined) or abs(value) < 0.005:  # what is printed as zero is neither good nor bad
        return ""
    if name == "max_drawdown_pct":
        return "down"
    if name in _GOOD_WHEN_POSITIVE:
        return "up" if value > 0 else "down"
    return ""


def reason_text(words: Words, value: Figure) -> str:
    """Return why a figure does not exist, or nothing when it does."""
    return words[f"reason.{value.reason}"] if isinstance(value, Undefined) else ""


def duration_text(words: Words, milliseconds: int) -> str:
    """Return a time span as ``45 m``, ``3 h 20 m`` or ``2 d 4 h``."""
    minutes = milliseconds // MINUTE_MS
    hours, days = minutes // 60, minutes // 1440
    if days:
        return say(words, "time.days", days=days, hours=hours % 24)
    if hours:
        return say(words, "time.hours", hours=hours, minutes=f"{minutes % 60:02d}")
    return say(words, "time.minutes", minutes=minutes)


def date_text(words: Words, time: int, *, clock: bool = False, year: bool = True) -> str:
    """Return ``time`` (ms UTC) as ``18 Nov 2025``, with ``clock`` as ``18 Nov 2025 06:30``."""
    moment = datetime.fromtimestamp(time / 1000, UTC)
    text = f"{moment.day} {words['months'].split()[moment.month - 1]}"
    if year:
        text += f" {moment.year}"
    return f"{text} {moment.hour:02d}:{moment.minute:02d}" if clock else text
