"""What is alike in every venue's public market by REST: its list of symbols, their records, and a refused question.

Paths, parameters and rows are each venue's own; what it lists it says as ``Listed``.
"""

from __future__ import annotations

import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, NamedTuple, Protocol, TypeVar

import aiohttp
import msgspec

from trading_system.rules.grid import GridError, Instrument, grid_of_text
from trading_system.venues.clock import Clock
from trading_system.venues.market_errors import MarketAwayError, NotTradedError, UnknownSymbolError
from trading_system.venues.market_port import AccountTerms
from trading_system.venues.public_rest import Manners, PublicRest, RefusedQuestionError, json_of
from trading_system.venues.rest_budget import RestBudget

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

QUOTE = "USDT"


class Standing(msgspec.Struct):
    """``{"symbol":"BTCUSDT","status":"Closed", ...}``: what must be read of a row, whatever else is in it."""

    symbol: str
    status: str


class _Named(Protocol):
    @property
    def symbol(self) -> str: ...


Row = TypeVar("Row", bound=_Named)
_bare = json_of(Standing)


class Listed(NamedTuple):
    """One symbol of a venue's list. ``ours``: quoted in USDT and of the kind that we trade.

    ``tick``, ``step`` and ``notional``: decimals as the venue writes them, "" where it says none.
    """

    status: str
    ours: bool
    tick: str
    step: str
    notional: str


class RestMarket(ABC):
    """The ground of one venue's ``PublicMarket``. ``terms``: fees and maintenance, which are not public."""

    name: ClassVar[str]
    manners: ClassVar[Manners]
    trades: ClassVar[str]  # the status of what trades
    ended: ClassVar[frozenset[str]]  # the statuses of what will never trade again

    def __init__(
        self,
        http: aiohttp.ClientSession,
        base: str,
        budget: RestBudget,
        clock: Clock,
        terms: AccountTerms,
    ) -> None:
        self._rest = PublicRest(http, base, budget, clock, self.manners)
        self._terms = terms
        self._unreadable: set[str] = set()  # symbols whose records were left out, and were named

    async def trading(self) -> Mapping[str, bool]:
        """Return every listed symbol, True for those whose status says that they trade."""
        return {symbol: row.status == self.trades for symbol, row in (await self._listed()).items()}

    async def instruments(self, symbols: Sequence[str] | None = None) -> tuple[Instrument, ...]:
        """Return the records of ``symbols`` by the venue's filters, None: of all that trade and are ours.

        A record that cannot be read is an error for who asks for it by name, and is left out of all.
        """
        rows = await self._listed()
        if symbols is None:
            traded = [symbol for symbol, row in rows.items() if row.status == self.trades and row.ours]
            return tuple(one for symbol in traded if (one := self._if_readable(symbol, rows[symbol])) is not None)
        for symbol in symbols:
            status = rows[symbol].status if symbol in rows else await self._unlisted(symbol)
            if status is None:
                raise UnknownSymbolError(symbol, self._rest.base, rows)
            if status != self.trades or symbol not in rows:
                raise NotTradedError(symbol, self._rest.base, status, for_good=status in self.ended)
        return tuple(self._instrument(symbol, rows[symbol]) for symbol in symbols)

    def _if_readable(self, symbol: str, row: Listed) -> Instrument | None:
        try:
            return self._instrument(symbol, row)
        except MarketAwayError as error:
            if symbol not in self._unreadable:
                self._unreadable.add(symbol)
                log.warning("%s is left out of what trades: %s", symbol, error)
            return None

    def _each(
        self, rows: Sequence[msgspec.Raw], read: Callable[[bytes], Row], said: Callable[[Row], Listed]
    ) -> dict[str, Listed]:
        """Return the rows of a list by symbol, each judged alone: one without a name or a standing is left out."""
        listed: dict[str, Listed] = {}
        for raw in rows:
            try:
                row = read(raw)
                listed[row.symbol] = said(row)
            except msgspec.MsgspecError:
                with contextlib.suppress(msgspec.MsgspecError):
                    bare = _bare(raw)
                    listed[bare.symbol] = Listed(bare.status, True, "", "", "")  # by its filters nobody can trade it
        return listed

    @abstractmethod
    async def _listed(self) -> Mapping[str, Listed]:
        """Return the venue's list by symbol. Raises: MarketError."""

    async def _unlisted(self, symbol: str) -> str | None:
        """Return the status of a symbol that is not on the list, None if there is none. Raises: MarketError."""
        del symbol
        return None

    @abstractmethod
    def _knows_no_symbol(self, refused: RefusedQuestionError) -> bool:
        """Tell whether the venue refused the symbol of a question."""

    async def _get(
        self,
        path: str,
        params: Mapping[str, str],
        weight: int,
        read: Callable[[bytes], Answer],
        *,
        symbol: str = "",
        urgent: bool = True,
    ) -> Answer:
        """Return the answer to a question, about ``symbol`` if one is named. Raises: MarketError."""
        try:
            return await self._rest.get(path, params, weight, read, urgent=urgent)
        except RefusedQuestionError as refused:
            if symbol and self._knows_no_symbol(refused):
                raise UnknownSymbolError(symbol, self._rest.base) from None
            raise MarketAwayError(f"{self._rest.base}{path}", str(refused)) from None

    def _instrument(self, symbol: str, row: Listed) -> Instrument:
        try:
            tick, step, notional = grid_of_text(row.tick), grid_of_text(row.step), float(row.notional)
        except (ValueError, GridError) as error:
            raise MarketAwayError(
                self._rest.base, f"a record of {symbol} without tick, step or least notional ({error!r})"
            ) from None
        return Instrument(self.name, symbol, tick, step, notional, *self._terms)
