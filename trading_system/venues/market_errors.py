"""What can come of a question to a venue's public side other than its answer; each sentence says what to do."""

from __future__ import annotations

import difflib
from collections.abc import Collection


class MarketError(RuntimeError):
    """A venue's public side did not give what it was asked for."""


class MarketAwayError(MarketError):
    """A venue's public side did not answer, or not in a form that can be trusted; it may do so later."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(
            f"{url}: expected the venue's public answer, was {problem}; look at the network, or give another host "
            "with --set market.rest=URL"
        )


class MarketForbiddenError(MarketError):
    """A venue's public side turns this machine away, also after the time it asks for."""

    def __init__(self, url: str, times: int) -> None:
        super().__init__(
            f"{url}: expected the venue's public answer, was HTTP 403 {times} times, each after the wait that it asks "
            "for; it does not serve this address or country: use another network, or a host that serves you with "
            "--set market.rest=URL"
        )


class ProxyRefusedError(MarketError):
    """The proxy on the way to the venue lets nothing through."""

    def __init__(self, proxy: str, problem: str) -> None:
        super().__init__(f"expected a way to the venue through the proxy {proxy}, was {problem}; correct TRADING_PROXY")


class UnknownSymbolError(MarketError):
    """A symbol that the venue does not know, or does not trade now."""

    def __init__(self, symbol: str, where: str, known: Collection[str] = ()) -> None:
        near = difflib.get_close_matches(symbol, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; give a symbol that it trades"
        expected = f"one of the {len(known)} symbols" if known else "a symbol"
        super().__init__(f"{symbol}: expected {expected} of {where}, was not{hint}")


class NotTradedError(UnknownSymbolError):
    """A symbol that the venue lists, but does not trade now. ``for_good``: by its status it never will again."""

    def __init__(self, symbol: str, where: str, status: str, *, for_good: bool) -> None:
        self.for_good = for_good
        MarketError.__init__(
            self,
            f"{symbol}: expected a symbol that trades at {where}, was {status}; give another one, or wait until it "
            "trades again",
        )
