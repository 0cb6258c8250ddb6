"""The plain text of every message about a signal: what it is, what became of it, and how a run ended.

Pure: DTOs and numbers in, text out. Prices carry no thousands separators, so that a tap copies a usable number and
parsers of signal channels can read them. What is not known is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from trading_system.contracts import FillDTO, OrderDTO, RejectionDTO, TradeSignalDTO
from trading_system.languages.speech import Speech
from trading_system.rules.grid import text_of
from trading_system.services.telegram_engine.wording import IN_ENGLISH

_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD")
_MINUTE_MS = 60_000


class RunSummary(NamedTuple):
    """How a day or a run ended. ``best`` and ``worst`` are (symbol, R), None without a trade; money in quote currency.

    ``refused`` counts signals by the rule that refused them; ``drawdown_percent`` is positive.
    """

    period: str
    mode: str
    net_percent: float
    net: float
    quote: str
    trades: int
    won: int
    lost: int
    equity: float
    drawdown_percent: float
    best: tuple[str, float] | None
    worst: tuple[str, float] | None
    signals: int
    taken: int
    refused: Mapping[str, int]


def short_id(signal_id: str) -> str:
    """Return the four characters by which people speak of a signal."""
    return signal_id[:4].upper()


def setup_text(signal: TradeSignalDTO, speech: Speech = IN_ENGLISH) -> str:
    """Return what was seen, e.g. ``Flag breakout + order block``."""
    setup = speech.named("setup", signal["pattern"])
    on_block = signal["pattern"] == "flag" and "confluence" in signal["reasons"]
    return speech.say("setup.confluence", setup=setup) if on_block else setup


def r_multiple(signal: TradeSignalDTO, price: float) -> float:
    """Return how many times the plan's risk lies between its entry and ``price``, positive in profit."""
    return (price - signal["entry_price"]) / (signal["entry_price"] - signal["stop_loss"])


def alert_text(
    signal: TradeSignalDTO,
    *,
    mode: str,
    risk_percent: float | None = None,
    quantity: str | None = None,
    leverage: float | None = None,
    refused: RejectionDTO | None = None,
    speech: Speech = IN_ENGLISH,
) -> str:
    """Return the message of a new signal; ``quantity`` is a ready text such as ``0.083 BTC``.

    The line of risk, size and leverage shows what is given and is left out when nothing is; ``refused`` says in a line
    of its own why the account did not take the signal.
    """
    side = signal["side"]
    distance = abs(signal["entry_price"] - signal["stop_loss"]) / signal["entry_price"] * 100
    lines = [
        speech.say(
            "signal.head",
            light="🟢" if side == "long" else "🔴",
            side=speech.say(f"side.{side}"),
            symbol=signal["symbol"],
            interval=signal["interval"],
        ),
        speech.say("signal.setup", setup=setup_text(signal, speech), score=f"{signal['score']:.0f}"),
        "",
        speech.say("signal.entry", price=text_of(signal["entry_price"])),
        speech.say("signal.stop", price=text_of(signal["stop_loss"]), percent=f"{distance:.2f}"),
    ]
    for number, target in enumerate(signal["take_profits"], start=1):
        r, weight = f"{r_multiple(signal, target['price']):.1f}", f"{target['weight'] * 100:.0f}"
        lines.append(speech.say("signal.target", number=number, price=text_of(target["price"]), r=r, weight=weight))
    sizing = []
    if risk_percent is not None:
        sizing.append(speech.say("signal.risk", percent=f"{risk_percent:.2f}".removesuffix("0")))
    if quantity is not None:
        sizing.append(speech.say("signal.size", quantity=quantity))
    if leverage is not None:
        sizing.append(speech.say("signal.leverage", leverage=text_of(leverage)))
    if sizing:
        lines.append(" · ".join(sizing))
    if refused is not None:
        lines.append(refusal_text(refused, speech))
    lines.append(
        speech.say(
            "signal.foot",
            mode=speech.named("mode", mode),
            venue=speech.named("venue", signal["exchange"]),
            id=short_id(signal["id"]),
        )
    )
    return "\n".join(lines)


def refusal_text(refused: RejectionDTO, speech: Speech = IN_ENGLISH) -> str:
    """Return why a signal was not taken, e.g. ``Not taken: too many positions (positions 3, limit 3)``."""
    between = speech.words["between"]
    numbers = between.join(
        f"{speech.named('number', name)} {_rounded(value)}" for name, value in refused["numbers"].items()
    )
    why = speech.named("refused", refused["rule"])
    return speech.say("signal.not_taken", why=f"{why} ({numbers})" if numbers else why)


def quantity_text(symbol: str, quantity: float) -> str:
    """Return ``0.083 BTC``; the bare number when the symbol's name does not say what its quote currency is."""
    quote = quote_of(symbol)
    return f"{text_of(quantity)} {symbol.removesuffix(quote)}" if quote else text_of(quantity)


def order_text(signal: TradeSignalDTO, order: OrderDTO, *, stop_armed: bool, speech: Speech = IN_ENGLISH) -> str:
    """Return the message of a placed entry; ``stop_armed`` only when the exchange has confirmed the stop."""
    verb, quantity = speech.say(order["side"]), text_of(order["quantity"])
    if order["type"] == "limit" and "price" in order:
        what = speech.say("order.limit", verb=verb, quantity=quantity, price=text_of(order["price"]))
    else:
        what = speech.say("order.market", verb=verb, quantity=quantity)
    stop = speech.say("order.stop_armed" if stop_armed else "order.stop_later", price=text_of(signal["stop_loss"]))
    return f"{_head(speech, 'order.head', signal)}\n{what} · {stop}"


def fill_text(signal: TradeSignalDTO, fill: FillDTO, speech: Speech = IN_ENGLISH) -> str:
    """Return the message of a filled entry; slip is against the plan's entry, positive when it cost us."""
    sign = 1 if signal["side"] == "long" else -1
    slip = sign * (fill["price"] - signal["entry_price"])
    decimals = max(_decimals(fill["price"]), _decimals(signal["entry_price"]))
    line = speech.say(
        "fill.line",
        quantity=text_of(fill["quantity"]),
        price=text_of(fill["price"]),
        slip=signed(slip, decimals),
        fee=money_text(f"{fill['fee']:.2f}", signal["symbol"]),
    )
    return f"{_head(speech, 'fill.head', signal)}\n{line}"


def target_text(
    signal: TradeSignalDTO,
    fill: FillDTO,
    number: int,
    *,
    rest: float,
    stop_moved: bool,
    speech: Speech = IN_ENGLISH,
) -> str:
    """Return the message of target ``number`` (from 1); ``rest`` is the share (0..1) of the position still open."""
    head = _head(speech, "target.head", signal, number=number, r=signed(r_multiple(signal, fill["price"]), 1))
    verb = speech.say("sold" if signal["side"] == "long" else "bought")
    line = speech.say("target.line", verb=verb, quantity=text_of(fill["quantity"]), price=text_of(fill["price"]))
    after = [speech.say("target.stop_moved")] if stop_moved and rest > 0 else []
    percent = round(rest * 100)
    if percent == 50:
        after.append(speech.say("target.half"))
    else:
        after.append(speech.say("target.rest", percent=percent) if percent > 0 else speech.say("target.done"))
    return "\n".join([head, _with_profit(speech, line, signal, fill), " ".join(after)])


def stop_text(
    signal: TradeSignalDTO,
    fill: FillDTO,
    *,
    held_ms: int | None = None,
    by_stop: bool = True,
    speech: Speech = IN_ENGLISH,
) -> str:
    """Return the message of a closed position: by its stop, or (``by_stop`` False) by a time stop or a person."""
    r = signed(r_multiple(signal, fill["price"]), 1)
    head = _head(speech, "stop.head" if by_stop else "exit.head", signal, r=r)
    line = speech.say("stop.line", quantity=text_of(fill["quantity"]), price=text_of(fill["price"]))
    line = _with_profit(speech, line, signal, fill)
    if held_ms is not None:
        line += " · " + speech.say("stop.held", duration=duration_text(held_ms, speech))
    return f"{head}\n{line}"


def summary_text(summary: RunSummary, speech: Speech = IN_ENGLISH) -> str:
    """Return the message that ends a day or a run: profit or loss, equity, best and worst, the fate of the signals."""
    lines = [
        speech.say("summary.head", period=summary.period, mode=speech.named("mode", summary.mode).lower()),
        speech.say(
            "summary.net",
            percent=signed(summary.net_percent, 2),
            money=f"{signed(summary.net, 2)} {summary.quote}",
            trades=speech.counted("summary.trades", summary.trades),
            won=summary.won,
            lost=summary.lost,
        ),
        speech.say("summary.equity", equity=f"{summary.equity:,.2f}", drawdown=f"{summary.drawdown_percent:.1f}"),
    ]
    if summary.best is not None and summary.worst is not None:
        (best, best_r), (worst, worst_r) = summary.best, summary.worst
        lines.append(
            speech.say("summary.best", best=best, best_r=signed(best_r, 1), worst=worst, worst_r=signed(worst_r, 1))
        )
    fates = [speech.say("summary.taken", count=summary.taken)]
    for rule, count in sorted(summary.refused.items(), key=lambda item: (-item[1], item[0])):
        fates.append(speech.say("summary.refused", count=count, why=speech.named("refused", rule)))
    lines.append(speech.say("summary.signals", signals=summary.signals, fates=speech.words["between"].join(fates)))
    return "\n".join(lines)


def signed(value: float, decimals: int) -> str:
    """Return ``value`` with its sign, a true minus; what rounds to zero is +0."""
    text = f"{abs(value):,.{decimals}f}"
    negative = value < 0 and any(digit in text for digit in "123456789")
    return ("−" if negative else "+") + text


def duration_text(milliseconds: int, speech: Speech = IN_ENGLISH) -> str:
    """Return a time span as ``45 m``, ``3 h 20 m`` or ``2 d 4 h``."""
    minutes = milliseconds // _MINUTE_MS
    hours, days = minutes // 60, minutes // 1440
    if days:
        return speech.say("time.days", days=days, hours=hours % 24)
    if hours:
        return speech.say("time.hours", hours=hours, minutes=minutes % 60)
    return speech.say("time.minutes", minutes=minutes)


def _head(speech: Speech, key: str, signal: TradeSignalDTO, **values: object) -> str:
    side = speech.say(f"side.{signal['side']}")
    return speech.say(key, symbol=signal["symbol"], side=side, id=short_id(signal["id"]), **values)


def _with_profit(speech: Speech, line: str, signal: TradeSignalDTO, fill: FillDTO) -> str:
    if "realized" not in fill:
        return line
    return speech.say("with_profit", line=line, money=money_text(signed(fill["realized"], 2), signal["symbol"]))


def money_text(amount: str, symbol: str) -> str:
    """Return ``amount`` with the quote currency where the symbol's name says it."""
    return f"{amount} {quote_of(symbol)}".rstrip()


def quote_of(symbol: str) -> str:
    """Return the quote currency that a symbol's name ends in, "" when it is none of those known."""
    return next((quote for quote in _QUOTES if symbol.endswith(quote) and symbol != quote), "")


def _rounded(value: float | str) -> str:
    """Return a number with eight significant digits, plainly written; a word as it is."""
    return value if isinstance(value, str) else text_of(float(f"{value:.8g}"))


def _decimals(price: float) -> int:
    return len(text_of(price).partition(".")[2])
