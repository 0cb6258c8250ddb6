"""The closed table of what becomes of each kind of recorded message: who reads it, or why nobody does.

The first rule that fits decides. A message that no rule fits is an error, and so is a rule that fits none.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import payload_accounts as accounts
import payload_frames as frames
import payload_markets as markets
from payload_checks import Reader
from payload_files import Payload

from trading_system.venues.outcomes import Meaning


class Use(NamedTuple):
    """What becomes of a message. ``because``: why it is not consumed, "" for one that is.

    ``reader``: shows it; also that what is not consumed is passed over where it can come our way.
    """

    by: str
    because: str
    reader: Reader | None


class Rule(NamedTuple):
    """``venue`` and ``kind`` are patterns of the whole name."""

    venue: str
    kind: str
    use: Use

    def fits(self, payload: Payload) -> bool:
        """Tell whether this rule is about a message."""
        return bool(re.fullmatch(self.venue, payload.venue) and re.fullmatch(self.kind, payload.kind))


def read(by: str, reader: Reader) -> Use:
    """It is understood."""
    return Use(by, "", reader)


def passed(because: str, reader: Reader) -> Use:
    """It may come our way and is passed over."""
    return Use("", because, reader)


def unasked(because: str) -> Use:
    """We never ask for it."""
    return Use("", because, None)


FEED, USER, ACCOUNT = "the feed's session", "the account's stream", "the account"
MARKET, BOTH = "the public market", "the public market and the account"
NO_ACCOUNT = "no account is kept there: Binance spot is market data only"
TRADES_SEEN = "candles come whole from the venue; single trades and books are not followed"
NOT_SUBSCRIBED = "never subscribed to: the feed asks for minutes and mark prices alone"
BY_SOCKET = "orders and questions go over REST; the socket for them is not used"
OWN_LEDGER = "balances and positions are our own ledger's, checked against REST"

FUTURES, SPOT, BYBIT, BINANCE = "binance_futures", "binance_spot", "bybit", "binance_.*"

RULES: tuple[Rule, ...] = (
    # --- market sockets
    Rule(BINANCE, "session", read(FEED, frames.session)),
    Rule(BINANCE, "event kline 1m", read(FEED, frames.candle)),
    Rule(
        SPOT,
        "event kline at no minute",
        passed("an example whose times are no minutes: refused by name", frames.no_candle("expected")),
    ),
    Rule(BYBIT, r"topic kline\.1", read(FEED, frames.candle)),
    Rule(BYBIT, r"topic kline\.5", passed("longer candles are made of minutes", frames.no_candle())),
    Rule(FUTURES, "event markPriceUpdate", read(FEED, frames.mark)),
    Rule(BYBIT, "topic tickers of an option", passed("options are not traded", frames.no_candle())),
    Rule(BYBIT, "topic tickers", read(FEED, frames.mark)),
    Rule(SPOT, "event .* without a name", passed(NOT_SUBSCRIBED, frames.no_candle("e: expected"))),
    Rule(SPOT, "event (balanceUpdate|executionReport|listStatus|outboundAccountPosition)", unasked(NO_ACCOUNT)),
    Rule(SPOT, "event MARGIN_LEVEL_STATUS_CHANGE", unasked(NO_ACCOUNT)),
    Rule(
        BINANCE,
        "event (24hr|1h).*|event (aggTrade|trade|bookTicker|depthUpdate|forceOrder)",
        passed(NOT_SUBSCRIBED, frames.no_candle()),
    ),
    Rule(
        BYBIT,
        r"topic (allLiquidation|liquidation|orderbook\..*|priceLimit|publicTrade|system|trade\.linear)",
        passed(NOT_SUBSCRIBED, frames.no_candle()),
    ),
    Rule(f"{BINANCE}|{BYBIT}", "order by socket", unasked(BY_SOCKET)),
    Rule(BINANCE, "request SUBSCRIBE", read(FEED, frames.asked_alike)),
    Rule(BINANCE, "answer SUBSCRIBE", read(FEED, frames.acknowledged)),
    Rule(BYBIT, "request (subscribe|unsubscribe)", read(FEED, frames.asked_alike)),
    Rule(BYBIT, "answer subscribe", read(FEED, frames.acknowledged)),
    Rule(BYBIT, "answer ping", passed("that a pong came is all that it says", frames.no_candle())),
    Rule(BYBIT, "request (auth|ping)", read(USER, accounts.bybit_opening)),
    Rule(BYBIT, "answer auth", read(USER, accounts.bybit_granted)),
    # --- private streams
    Rule(FUTURES, "event listenKeyExpired", read(USER, accounts.ends("key has expired"))),
    Rule(FUTURES, "event ALGO_UPDATE", read(USER, accounts.usdm_stop)),
    Rule(FUTURES, "event ORDER_TRADE_UPDATE", read(USER, accounts.usdm_order)),
    Rule(FUTURES, "event ORDER_TRADE_UPDATE without a fee", read(USER, accounts.ends("without its fee"))),
    Rule(FUTURES, "event TRADE_LITE", passed("repeats a fill without its fee", accounts.said_nothing)),
    Rule(FUTURES, "event (ACCOUNT_UPDATE|MARGIN_CALL)", passed(OWN_LEDGER, accounts.said_nothing)),
    Rule(
        FUTURES,
        "event ACCOUNT_CONFIG_UPDATE",
        passed("leverage is set and read by REST before a symbol trades", accounts.said_nothing),
    ),
    Rule(
        FUTURES,
        "event CONDITIONAL_ORDER_TRIGGER_REJECT",
        passed("the venue no longer sends it; a stop that is rejected at its trigger says so", accounts.said_nothing),
    ),
    Rule(BYBIT, "topic order", read(USER, accounts.bybit_orders)),
    Rule(BYBIT, "topic execution", read(USER, accounts.bybit_trades)),
    Rule(BYBIT, r"topic execution\.fast", passed("repeats a trade without its fee", accounts.said_nothing)),
    Rule(BYBIT, "topic (position|wallet)", passed(OWN_LEDGER, accounts.said_nothing)),
    Rule(BYBIT, "topic greeks", passed("options are not traded", accounts.said_nothing)),
    # --- REST: Binance USDT-M
    Rule(FUTURES, "GET /fapi/v1/klines", read(MARKET, markets.minutes("binance_usdm"))),
    Rule(FUTURES, "GET /fapi/v1/exchangeInfo", read(BOTH, markets.usdm_instruments)),
    Rule(FUTURES, "GET /fapi/v1/ticker/24hr", read(MARKET, markets.volumes("binance_usdm"))),
    Rule(FUTURES, "GET /fapi/v1/time", read(BOTH, markets.time_of("binance_usdm"))),
    Rule(FUTURES, "GET /fapi/v1/(openOrders|allOrders|openOrder)", read(ACCOUNT, accounts.usdm_rows)),
    Rule(FUTURES, "GET /fapi/v1/(algoOrder|openAlgoOrders|allAlgoOrders)", read(ACCOUNT, accounts.usdm_stops)),
    Rule(FUTURES, "GET /fapi/v1/userTrades", read(ACCOUNT, accounts.usdm_trades)),
    Rule(FUTURES, "GET /fapi/v[23]/positionRisk", read(ACCOUNT, accounts.usdm_positions)),
    Rule(
        FUTURES,
        "GET /fapi/v1/(commissionRate|leverageBracket|positionSide/dual)|POST /fapi/v1/listenKey",
        read(ACCOUNT, accounts.usdm_terms),
    ),
    Rule(FUTURES, "POST /fapi/v1/(order|algoOrder)", read(ACCOUNT, accounts.usdm_acknowledged)),
    Rule(
        FUTURES,
        "POST /fapi/v1/(leverage|marginType)|DELETE /fapi/v1/(order|algoOrder)",
        read(ACCOUNT, accounts.usdm_accepted),
    ),
    Rule(FUTURES, "error -1121", read(BOTH, markets.refusal(Meaning.REFUSED))),
    Rule(FUTURES, "error (-2019|-4120|-4164)", read(BOTH, markets.refusal(Meaning.REFUSED))),
    Rule(
        FUTURES,
        "GET /fapi/v1/(aggTrades|trades|historicalTrades|depth|ticker/bookTicker)|GET /fapi/v[12]/ticker/price",
        unasked(TRADES_SEEN),
    ),
    Rule(
        FUTURES,
        "GET /fapi/v1/(continuousKlines|indexPriceKlines|lvtKlines|markPriceKlines|premiumIndexKlines)",
        unasked("other prices than the traded one are not stored"),
    ),
    Rule(FUTURES, "GET /fapi/v1/premiumIndex", unasked("mark prices come over the socket")),
    Rule(
        FUTURES,
        "GET /fapi/v1/(fundingRate|fundingInfo)",
        unasked("rates of funding are given to a backtest as a file"),
    ),
    Rule(FUTURES, "GET /fapi/v1/income", unasked("what was earned is summed up from our own fills")),
    Rule(
        FUTURES,
        "GET /fapi/v1/(indexInfo|openInterest)|GET /futures/data/.*|another answer",
        unasked("the strategy reads candles alone"),
    ),
    Rule(FUTURES, "GET /fapi/v[23]/(account|balance)", unasked(OWN_LEDGER)),
    Rule(
        FUTURES,
        "GET /fapi/v1/(accountConfig|symbolConfig|multiAssetsMargin|apiTradingStatus|adlQuantile|rateLimit/order)",
        unasked("what matters of the account's settings is set, not asked"),
    ),
    Rule(FUTURES, "GET /fapi/v1/forceOrders", unasked("our own liquidations come as fills")),
    Rule(
        FUTURES,
        "(PUT|POST|DELETE) /fapi/v1/batchOrders|PUT /fapi/v1/order|GET /fapi/v1/orderAmendment",
        unasked("orders are sent one by one and never changed"),
    ),
    Rule(FUTURES, "(POST|GET) /fapi/v1/positionMargin(/history)?", unasked("margin is not moved in mid-trade")),
    Rule(
        FUTURES,
        "DELETE /fapi/v1/algoOpenOrders|POST /fapi/v1/countdownCancelAll",
        unasked("a stop is only taken back when its successor stands"),
    ),
    # --- REST: Binance spot
    Rule(SPOT, "GET /api/v3/klines", read(MARKET, markets.minutes("binance"))),
    Rule(SPOT, "GET /api/v3/exchangeInfo", read(MARKET, markets.instruments("binance"))),
    Rule(SPOT, "GET /api/v3/ticker/24hr", read(MARKET, markets.volumes("binance"))),
    Rule(SPOT, "GET /api/v3/time", read(MARKET, markets.time_of("binance"))),
    Rule(SPOT, "error .*", unasked(NO_ACCOUNT)),
    Rule(
        SPOT,
        "GET /api/v3/(aggTrades|trades|historicalTrades|depth|avgPrice|ticker|ticker/(bookTicker|price|tradingDay))",
        unasked(TRADES_SEEN),
    ),
    Rule(
        SPOT,
        "GET /api/v3/(executionRules|referencePrice(/calculation)?)",
        unasked("they bound orders, and none are sent there"),
    ),
    Rule(SPOT, "GET /api/v3/ping", unasked("the time is asked instead, which shows as well that the venue is there")),
    Rule(
        SPOT,
        "(POST|PUT|DELETE) /api/v3/.*|GET /sapi/.*|GET /api/v3/(account(/commission)?|allOrders|openOrders|order"
        "|orderList|allOrderList|openOrderList|myTrades|myPreventedMatches|rateLimit/order)",
        unasked(NO_ACCOUNT),
    ),
    # --- REST: Bybit
    Rule(BYBIT, "GET /v5/market/kline", read(MARKET, markets.minutes("bybit_linear"))),
    Rule(BYBIT, "GET /v5/market/instruments-info linear", read(BOTH, markets.linear_instruments)),
    Rule(BYBIT, "GET /v5/market/instruments-info spot", read(MARKET, markets.instruments("bybit"))),
    Rule(
        BYBIT,
        "GET /v5/market/instruments-info (inverse|option)",
        unasked("inverse contracts and options are not traded"),
    ),
    Rule(BYBIT, "GET /v5/market/tickers", read(MARKET, markets.volumes("bybit_linear"))),
    Rule(BYBIT, "GET /v5/market/time", read(BOTH, markets.time_of("bybit_linear"))),
    Rule(BYBIT, "GET /v5/order/(realtime|history)", read(ACCOUNT, accounts.bybit_rows)),
    Rule(BYBIT, "GET /v5/execution/list", read(ACCOUNT, accounts.bybit_executions)),
    Rule(BYBIT, "GET /v5/position/list", read(ACCOUNT, accounts.bybit_positions)),
    Rule(BYBIT, "GET /v5/account/fee-rate", read(ACCOUNT, accounts.bybit_fees)),
    Rule(BYBIT, "GET /v5/market/risk-limit", read(ACCOUNT, accounts.bybit_margins)),
    Rule(
        BYBIT,
        "POST /v5/(order/(create|cancel)|position/(set-leverage|trading-stop))",
        read(ACCOUNT, accounts.bybit_accepted),
    ),
    Rule(BYBIT, "error 10001", read(BOTH, markets.refusal(Meaning.STOP_PASSED))),
    Rule(BYBIT, "error 110025", read(BOTH, markets.refusal(Meaning.ALREADY_SO))),
    Rule(BYBIT, "error (10032|110007|3400045)", read(BOTH, markets.refusal(Meaning.REFUSED))),
    Rule(BYBIT, "GET /v5/market/(orderbook|recent-trade)", unasked(TRADES_SEEN)),
    Rule(
        BYBIT,
        "GET /v5/market/(index-price-kline|mark-price-kline|premium-index-price-kline)",
        unasked("other prices than the traded one are not stored"),
    ),
    Rule(BYBIT, "GET /v5/market/(account-ratio|open-interest)", unasked("the strategy reads candles alone")),
    Rule(
        BYBIT,
        "GET /v5/market/funding/history",
        unasked("rates of funding are given to a backtest as a file"),
    ),
    Rule(BYBIT, "GET /v5/market/price-limit", unasked("an order beyond it is refused, and the refusal is read")),
    Rule(BYBIT, "GET /v5/account/(wallet-balance|transaction-log)", unasked(OWN_LEDGER)),
    Rule(BYBIT, "GET /v5/position/closed-pnl", unasked("what was earned is summed up from our own fills")),
    Rule(BYBIT, "GET /v5/account/instruments-info", unasked("the public list of instruments is read")),
    Rule(
        BYBIT,
        "GET /v5/(account/info|user/get-member-type)|POST /v5/account/set-limit-px-action"
        "|POST /v5/position/(set-auto-add-margin|set-risk-limit|set-tpsl-mode|switch-isolated|switch-mode)",
        unasked("what matters of the account's settings is set, not asked"),
    ),
    Rule(BYBIT, "POST /v5/position/add-margin", unasked("margin is not moved in mid-trade")),
    Rule(
        BYBIT,
        "POST /v5/order/(amend|amend-batch|cancel-all|cancel-batch|create-batch|pre-check)",
        unasked("orders are sent and taken back one by one and never changed"),
    ),
    Rule(
        BYBIT,
        "POST /v5/order/disconnected-cancel-all",
        unasked("a stop must outlive us: nothing of ours is cancelled when we are gone"),
    ),
    Rule(
        BYBIT,
        "another answer",
        unasked("a position's row without its list, and the socket of options; neither is asked for"),
    ),
)


class UnknownPayloadError(LookupError):
    """A message is in the folder about which the table says nothing."""


def rule_of(payload: Payload) -> Rule:
    """Return the rule of a message. Raises: UnknownPayloadError."""
    for rule in RULES:
        if rule.fits(payload):
            return rule
    raise UnknownPayloadError(f"expected a rule for {payload.name} ({payload.kind}), was none; add one")
