"""Unsigned GETs to one venue: within its budget, silent while it bans, tried again when it stumbles.

How a venue words a ban and a refusal is its own business (``Manners``); what is done about them is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple, Protocol, TypeVar

import aiohttp
import msgspec

from trading_system.venues.clock import Clock
from trading_system.venues.market_errors import MarketAwayError, MarketForbiddenError
from trading_system.venues.network_trouble import network_trouble
from trading_system.venues.proxy import proxy_refusal
from trading_system.venues.rest_budget import RestBudget

Shape = TypeVar("Shape")

ATTEMPTS = 5
FIRST_WAIT_S = 0.2
DEADLINE_S = 10.0
FORBIDDEN_TIMES = 3  # 403 after 403: it is not the rate


class Answered(NamedTuple):
    """One HTTP answer. ``date_ms``: the venue's clock by its ``Date`` header, None without one."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def date_ms(self) -> int | None:
        """Return the venue's time of the answer in ms, to the second."""
        try:
            return int(parsedate_to_datetime(self.headers["Date"]).timestamp()) * 1000
        except (KeyError, ValueError):
            return None

    def start(self) -> str:
        """Return the first words of the body, for a sentence."""
        if self.body.lstrip()[:1] == b"<":
            return "a web page"
        return self.body[:120].decode(errors="replace")


class Ban(NamedTuple):
    """The venue wants to be left alone for ``ms``, in its own ``words``; ``address``: by everybody behind this one."""

    ms: int
    words: str
    address: bool = True


class Refusal(NamedTuple):
    """The venue's own word that this is not the answer. ``lasting``: the same question will be refused again."""

    code: int
    words: str
    lasting: bool


class Count(NamedTuple):
    """What an answer says of the budget: the weight counted by the venue, and how long to rest after it, in ms."""

    used: int | None = None
    rest_ms: int = 0


class Manners(Protocol):
    """How one family of venues says what is not the answer. ``now_ms``: our time."""

    def count(self, answer: Answered, now_ms: int) -> Count:
        """Return what the answer says of the budget."""

    def ban(self, answer: Answered, now_ms: int, forbidden_ms: int) -> Ban | None:
        """Return for how long nothing may be sent, None if the answer bans nobody."""

    def refusal(self, answer: Answered) -> Refusal | None:
        """Return the venue's word of a question that it does not answer, None if there is none."""


class RefusedQuestionError(Exception):
    """The venue answered that the question is wrong; what about it is the asker's to say."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.words}")
        self.code = refusal.code


def json_of(shape: type[Shape]) -> Callable[[bytes], Shape]:
    """Return the reader of a JSON body; numbers may come as texts."""
    decoder = msgspec.json.Decoder(shape, strict=False)
    return decoder.decode


class PublicRest:
    """The public REST of one venue at ``base``, asked over a session of ``proxy.open_http``."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        base: str,
        budget: RestBudget,
        clock: Clock,
        manners: Manners,
    ) -> None:
        self.base = base.rstrip("/")
        self._http = http
        self._budget = budget
        self._clock = clock
        self._manners = manners

    async def get(
        self, path: str, params: Mapping[str, str], weight: int, read: Callable[[bytes], Shape], *, urgent: bool = True
    ) -> Shape:
        """Return what ``read`` makes of the answer, after as many attempts as it is worth; its ValueError is one.

        Raises: RefusedQuestionError with the venue's words; MarketAwayError; MarketForbiddenError; ProxyRefusedError.
        """
        wait, failures, forbidden = FIRST_WAIT_S, 0, 0
        while True:
            await self._budget.take(weight, urgent=urgent)
            answer = await self._ask(path, params)
            if isinstance(answer, Answered):
                self._budget.heard(*self._manners.count(answer, self._clock.wall_ms()))
                if ban := self._manners.ban(answer, self._clock.wall_ms(), self._budget.terms.forbidden_ms):
                    forbidden += answer.status == 403
                    self._budget.ban(*ban[:2], address=ban.address)
                    if forbidden == FORBIDDEN_TIMES:
                        raise MarketForbiddenError(self.base, forbidden)
                    continue
                problem = self._problem(answer)
                if problem is None:
                    try:
                        return read(answer.body)
                    except (msgspec.MsgspecError, ValueError) as error:
                        problem = f"{answer.start()} ({error})"
            else:
                problem = answer
            failures += 1
            if failures == ATTEMPTS:
                raise MarketAwayError(f"{self.base}{path}", f"{problem} after {failures} attempts")
            await self._clock.sleep(wait)
            wait *= 2

    def _problem(self, answer: Answered) -> str | None:
        refusal = self._manners.refusal(answer)
        if refusal is not None and refusal.lasting:
            raise RefusedQuestionError(refusal)
        if refusal is not None:
            return f"{refusal.code}: {refusal.words[:120]}"
        return None if answer.status == 200 else f"HTTP {answer.status}: {answer.start()}"

    async def _ask(self, path: str, params: Mapping[str, str]) -> Answered | str:
        """Return the answer, or why there is none."""
        timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
        try:
            async with self._http.get(f"{self.base}{path}", params=params, timeout=timeout) as answer:
                return Answered(answer.status, answer.headers, await answer.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            if refusal := proxy_refusal(error):
                raise refusal from None
            return network_trouble(error)
