"""What Bybit v5 answers about the account: its key, wallet, fees, positions, leverage, modes, and a position's stop."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trading_system.rules.matching import OrderType
from trading_system.simulator.admission import goes_off
from trading_system.simulator.books import Book
from trading_system.simulator.bybit_linear import account_rows, market_rows
from trading_system.simulator.bybit_linear.chosen_books import books_of, nothing_elsewhere
from trading_system.simulator.bybit_linear.frames import Json
from trading_system.simulator.bybit_linear.order_requests import position_price
from trading_system.simulator.bybit_linear.parameters import (
    Params,
    limit,
    page,
    require_linear,
    require_one_of,
    required,
    text,
)
from trading_system.simulator.bybit_linear.refusal_codes import (
    CodedRefusalError,
    LostAnswerError,
    beyond_base_price,
)
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.faults import FaultKind, FaultScript

MOST_POSITIONS = 200
_POSITION_ORDERS = (("stopLoss", "sl", OrderType.STOP, "StopLoss"), ("takeProfit", "tp", OrderType.TOUCH, "TakeProfit"))


class AccountAnswers:
    """Answers about the one account of an exchange."""

    def __init__(self, exchange: Exchange, faults: FaultScript) -> None:
        self._exchange = exchange
        self._faults = faults

    def by_path(self) -> Mapping[tuple[str, str], Callable[[Params], Json]]:
        """Return who answers each method and path."""
        return {
            ("GET", "/v5/asset/coin/query-info"): lambda _: {"rows": []},
            ("GET", "/v5/user/query-api"): lambda _: account_rows.KEY_INFO,
            ("GET", "/v5/account/info"): lambda _: account_rows.ACCOUNT_INFO,
            ("GET", "/v5/account/fee-rate"): nothing_elsewhere(self._fee_rates),
            ("GET", "/v5/account/wallet-balance"): self._wallet,
            ("POST", "/v5/account/set-margin-mode"): self._set_margin_mode,
            ("GET", "/v5/position/list"): nothing_elsewhere(self._positions),
            ("POST", "/v5/position/set-leverage"): self._set_leverage,
            ("POST", "/v5/position/switch-mode"): self._switch_mode,
            ("POST", "/v5/position/trading-stop"): self._trading_stop,
        }

    def _fee_rates(self, params: Params) -> Json:
        return {"list": [account_rows.fee_row(book) for book in books_of(self._exchange, params)]}

    def _wallet(self, params: Params) -> Json:
        if required(params, "accountType") != "UNIFIED":
            raise CodedRefusalError(10001, "accountType only support UNIFIED.")
        return {"list": [account_rows.wallet_row(self._exchange)]}

    def _positions(self, params: Params) -> Json:
        """One page of positions; a symbol that is asked for has its row also when it is flat."""
        require_one_of(params, "symbol", "settleCoin", "baseCoin")
        books = [book for book in books_of(self._exchange, params) if text(params, "symbol") or book.position.side]
        found, after = page(params, books, limit(params, 20, MOST_POSITIONS))
        rows = [account_rows.position_row(book, self._exchange) for book in found]
        return {"category": "linear", "list": rows, "nextPageCursor": after}

    def _set_leverage(self, params: Params) -> Json:
        require_linear(params)
        book = self._exchange.book(required(params, "symbol"))
        buy, sell = (_whole_leverage(required(params, name)) for name in ("buyLeverage", "sellLeverage"))
        if buy != sell:
            raise CodedRefusalError(10001, "buyLeverage and sellLeverage must be equal")
        if buy > market_rows.MAX_LEVERAGE:
            raise CodedRefusalError(110013)
        if buy == book.leverage:
            raise CodedRefusalError(110043)
        self._exchange.set_leverage(book.instrument.symbol, buy)
        return {}

    def _set_margin_mode(self, params: Params) -> Json:
        if required(params, "setMarginMode") != "ISOLATED_MARGIN":
            raise CodedRefusalError(3400045)  # isolated is all that this venue knows
        return {"reasons": []}

    def _switch_mode(self, params: Params) -> Json:
        require_linear(params)
        raise CodedRefusalError(110025 if required(params, "mode") == "0" else 110029)

    def _trading_stop(self, params: Params) -> Json:
        """Move, give or take away the stop and the target of a position; what is not named stays as it is."""
        require_linear(params)
        book = self._exchange.book(required(params, "symbol"))
        fault = self._faults.on_order_request()
        if fault is not None and fault.kind == FaultKind.REJECTED_ORDER:
            raise CodedRefusalError(fault.code or 110007, message=fault.message or None)
        changes = self._changes(params, book)
        for kind, at in changes:
            self._exchange.set_position_order(book.instrument.symbol, kind, at)
        if fault is not None:
            raise LostAnswerError
        if not changes:
            raise CodedRefusalError(34040)
        return {}

    def _changes(self, params: Params, book: Book) -> list[tuple[OrderType, float]]:
        """Return what is to become otherwise. Raises: CodedRefusalError; then nothing does."""
        if text(params, "trailingStop") not in {"", "0"}:
            raise CodedRefusalError(10001, "trailingStop is not played here")
        if text(params, "positionIdx") not in {"", "0"}:
            raise CodedRefusalError(10001, "position idx not match position mode")
        side = book.position.side
        if not side:
            raise CodedRefusalError(10001, "can not set tp/sl/ts for zero position")
        changes = []
        for name, prefix, kind, called in _POSITION_ORDERS:
            if not text(params, name):
                continue
            at, known = position_price(params, name, prefix, book.instrument), book.held_by_position(kind)
            if at and goes_off(kind, -side, at, book.last):
                raise beyond_base_price(called, at, side)
            if at != (0.0 if known is None else known.price):
                changes.append((kind, at))
        return changes


def _whole_leverage(value: str) -> int:
    """Return a leverage, which may be written with decimals. Raises: CodedRefusalError 10001 unless it is whole."""
    units, _, decimals = value.partition(".")
    if not units.isdecimal() or decimals.strip("0") or not int(units):
        raise CodedRefusalError(10001, "leverage must be a whole number here")
    return int(units)
