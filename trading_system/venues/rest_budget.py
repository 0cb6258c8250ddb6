"""How much a venue may be asked: a budget of weight in a sliding window, and silence for as long as a ban lasts.

One budget serves every request of a process to one venue, the market's and the account's: the venue counts, and shuts
out, an address. What the venue counts itself leads: others behind the same address spend from the same purse.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from datetime import UTC, datetime
from typing import NamedTuple

from trading_system.venues.clock import Clock
from trading_system.venues.errors import left_alone

log = logging.getLogger(__name__)

UNMETERED = 1 << 60  # the weight of a budget that never ends
LONGEST_BAN_MS = 3 * 86_400_000  # the longest that a venue has been known to ask for


class BudgetTerms(NamedTuple):
    """A venue's limit of ``weight`` in each ``window_ms``, of which market data takes no more than these shares.

    What is left is for the account, its orders first. ``share``: for what should come soon. ``history_share``: for
    history, which can wait. ``account_share``: for what the account asks, all but its orders.
    ``forbidden_ms``: how long HTTP 403 keeps us away when it does not say.
    """

    name: str
    weight: int
    window_ms: int
    share: float = 0.8
    history_share: float = 0.7
    account_share: float = 0.95
    forbidden_ms: int = 600_000


class RestBudget:
    """The purse of one venue. ``spent`` counts all weight, ``waited_ms`` the time that was waited for more."""

    def __init__(self, terms: BudgetTerms, clock: Clock) -> None:
        self.terms = terms
        self.spent = 0
        self.waited_ms = 0
        self._clock = clock
        self._window: deque[tuple[int, int]] = deque()  # (when, weight), own and others' requests
        self._used = 0
        self._rests_until = 0  # of market data alone
        self._shut_out_until = 0
        self._turns = {True: asyncio.Lock(), False: asyncio.Lock()}  # those of a kind wait in line, urgent ones ahead

    async def take(self, weight: int, *, urgent: bool) -> None:
        """Wait until a request of ``weight`` may be sent, and count it."""
        limit = int(self.terms.weight * (self.terms.share if urgent else self.terms.history_share))
        async with self._turns[urgent]:
            while wait_ms := self._wait_ms(weight, limit):
                self.waited_ms += wait_ms
                await self._clock.sleep(wait_ms / 1000)
            self._add(weight)
            self.spent += weight

    async def take_for_account(self, weight: int) -> None:
        """As ``take``, for a question of the account: no page of the market is waited for in line.

        Raises: NotTakenError while this address is shut out; nothing was counted.
        """
        limit = int(self.terms.weight * self.terms.account_share)
        self.require_open()
        while wait_ms := self._wait_for_room_ms(weight, limit):
            self.waited_ms += wait_ms
            await self._clock.sleep(wait_ms / 1000)
            self.require_open()
        self.spend(weight)

    def spend(self, weight: int) -> None:
        """Count what waits for nobody: an order, or its cancellation.

        Raises: NotTakenError while this address is shut out; nothing was counted.
        """
        self.require_open()
        self._add(weight)
        self.spent += weight

    def heard(self, used: int | None, rest_ms: int = 0) -> None:
        """Take over what the venue counts in its own window: what is beyond ours was spent by others.

        rest_ms: for how long it will take nothing more, although it bans nobody.
        """
        self._forget_old()
        if used is not None and used > self._used:
            self._add(used - self._used)
        if rest_ms > 0:
            self._rests_until = max(self._rests_until, self._clock.wall_ms() + rest_ms)

    def ban(self, ms: int, why: str, *, address: bool = True) -> None:
        """Send nothing for ``ms``; said once a ban, with its end.

        address: the whole address is shut out, so the account sends nothing either; else it is the market's questions
        that were too many.
        """
        now, banned = self._clock.wall_ms(), self.banned_ms
        until = now + min(max(ms, 1_000), LONGEST_BAN_MS)
        if address:
            self._shut_out_until = max(self._shut_out_until, until)
        else:
            self._rests_until = max(self._rests_until, until)
        if not banned:
            end = datetime.fromtimestamp(until / 1000, UTC)
            log.warning(
                "%s: no request before %s UTC, for it says %s", self.terms.name, f"{end:%Y-%m-%d %H:%M:%S}", why
            )

    @property
    def banned_ms(self) -> int:
        """How long the market must still be asked nothing."""
        return max(0, max(self._rests_until, self._shut_out_until) - self._clock.wall_ms())

    @property
    def shut_out_ms(self) -> int:
        """How long the venue must still be left alone by everybody behind this address."""
        return max(0, self._shut_out_until - self._clock.wall_ms())

    def require_open(self) -> None:
        """Send nothing while this address is shut out. Raises: NotTakenError."""
        left_s = self.shut_out_ms / 1000
        if left_s > 0:
            raise left_alone(left_s)

    def _wait_ms(self, weight: int, limit: int) -> int:
        return self.banned_ms or self._wait_for_room_ms(weight, limit)

    def _wait_for_room_ms(self, weight: int, limit: int) -> int:
        self._forget_old()
        if not self._window or self._used + weight <= limit:
            return 0
        return self._window[0][0] + self.terms.window_ms - self._clock.wall_ms()

    def _forget_old(self) -> None:
        oldest = self._clock.wall_ms() - self.terms.window_ms
        while self._window and self._window[0][0] <= oldest:
            self._used -= self._window.popleft()[1]

    def _add(self, weight: int) -> None:
        now = self._clock.wall_ms()
        self._used += weight
        if self._window and self._window[-1][0] == now:
            weight += self._window.pop()[1]
        self._window.append((now, weight))


def unmetered(terms: BudgetTerms) -> BudgetTerms:
    """Return the terms of an exchange that counts nothing, e.g. on this machine; it may still shut out an address."""
    return terms._replace(weight=UNMETERED)
