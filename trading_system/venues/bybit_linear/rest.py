"""Requests to Bybit's REST: stamped, signed, sent once, and what their answers mean.

Only a read is repeated here, once, after the clock was measured anew. While the venue wants to be left alone, it is: on
one path of the account's, or, by the budget that is shared with the market's side, by this whole address.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

import aiohttp
import msgspec
from yarl import URL

from trading_system.secret import Secret
from trading_system.venues.answers import decoded
from trading_system.venues.bybit.manners import ADDRESS_TOO_MANY
from trading_system.venues.bybit_linear.outcomes import ADDRESS_SHUT_OUT, TABLE, waiting_s
from trading_system.venues.bybit_linear.rows import Envelope, Page, Row, ServerTime
from trading_system.venues.bybit_linear.signing import Params, body_of, query_of, signed_headers
from trading_system.venues.clock import Clock, clock_offset
from trading_system.venues.errors import OutcomeUnknownError, VenueError, left_alone
from trading_system.venues.network_trouble import network_trouble
from trading_system.venues.outcomes import Meaning, error_of, meaning_of
from trading_system.venues.port import VenueRecord
from trading_system.venues.rest_budget import RestBudget

log = logging.getLogger(__name__)

JSON = {"Content-Type": "application/json"}
RESET = "X-Bapi-Limit-Reset-Timestamp"


class Answer(NamedTuple):
    """An answer as it came. ``code`` is None when its body is not Bybit's envelope."""

    status: int
    code: int | None
    message: str
    result: bytes
    reset_at: str | None


class Rest:
    """One account's requests to one address."""

    def __init__(
        self,
        url: str,
        key: Secret,
        secret: Secret,
        record: VenueRecord,
        clock: Clock,
        budget: RestBudget,
        timeout_s: float,
    ) -> None:
        self.closed = False
        self._url = url.rstrip("/")
        self._key = key
        self._secret = secret
        self._record = record
        self._clock = clock
        self._budget = budget
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None
        self._offset: int | None = None
        self._quiet_until: dict[str, int] = {}  # by path; local time in ms

    async def measure_clock(self) -> int:
        """Measure and keep the venue's time less ours, in ms."""
        self._offset = await clock_offset(self._server_time, self._clock.wall_ms)
        return self._offset

    async def venue_ms(self) -> int:
        """Return the venue's time now, ms UTC."""
        offset = await self.measure_clock() if self._offset is None else self._offset
        return self._clock.wall_ms() + offset

    async def ask(self, path: str, params: Params) -> bytes:
        """Return what the venue tells everybody."""
        await self._budget.take_for_account(1)
        return self._plain(*await self._answer("GET", path, query_of(params), {}))

    async def ask_pages(self, path: str, params: Params, shape: type[Row], limit: int) -> list[Row]:
        """Return all rows of a public list."""
        return await self._pages(path, params, shape, limit, signed=False)

    async def read(self, path: str, params: Params) -> bytes:
        """Return what the venue tells us; a wrong clock is measured and forgiven once."""
        await self._budget.take_for_account(1)
        answer = await self._signed("GET", path, query_of(params), None)
        if answer[0] == Meaning.CLOCK:
            await self._budget.take_for_account(1)
            answer = await self._signed("GET", path, query_of(params), None)
        return self._plain(*answer)

    async def read_pages(self, path: str, params: Params, shape: type[Row], limit: int) -> list[Row]:
        """Return all rows of a list of ours."""
        return await self._pages(path, params, shape, limit, signed=True)

    async def write(self, path: str, params: Params, sent_ms: int | None = None) -> bytes:
        """Send something once, stamped with ``sent_ms`` (local clock, now if None), and return the answer to it."""
        self._budget.spend(1)
        return self._plain(*await self._signed("POST", path, body_of(params), sent_ms))

    def session(self) -> aiohttp.ClientSession:
        """Return the open connections. Raises: VenueError when they were closed."""
        if self.closed:
            raise VenueError("expected an open connection to the venue, was closed; make a new one")
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    async def close(self) -> None:
        """Let go of every connection; a second call changes nothing."""
        self.closed = True
        if self._session is not None:
            await self._session.close()

    async def _server_time(self) -> int:
        return decoded(await self.ask("/v5/market/time", {}), ServerTime).time_nano // 1_000_000

    async def _pages(self, path: str, params: Params, shape: type[Row], limit: int, *, signed: bool) -> list[Row]:
        found: list[Row] = []
        asked: Params = {**params, "limit": limit}
        while True:
            body = await self.read(path, asked) if signed else await self.ask(path, asked)
            page = decoded(body, Page[shape])  # type: ignore[valid-type]
            found += page.rows
            if not page.next_page_cursor or len(page.rows) < limit:  # the last page may have a cursor as well
                return found
            asked = {**params, "limit": limit, "cursor": page.next_page_cursor}

    async def _signed(self, method: str, path: str, sent: str, sent_ms: int | None) -> tuple[Meaning, str, Answer]:
        offset = await self.measure_clock() if self._offset is None else self._offset
        timestamp = (self._clock.wall_ms() if sent_ms is None else sent_ms) + offset
        window = self._record.recv_window_ms
        headers = signed_headers(sent, self._key, self._secret, timestamp=timestamp, recv_window=window)
        meaning, path, answer = await self._answer(method, path, sent, headers)
        if meaning == Meaning.CLOCK:
            await self.measure_clock()
        return meaning, path, answer

    async def _answer(self, method: str, path: str, sent: str, headers: dict[str, str]) -> tuple[Meaning, str, Answer]:
        """Send one request and say what its answer means. Raises: OutcomeUnknownError when there is no answer."""
        self._leave_alone(path)
        posted = method == "POST"
        url = f"{self._url}{path}" + (f"?{sent}" if sent and not posted else "")
        try:
            async with self.session().request(
                method,
                URL(url, encoded=True),
                data=sent if posted else None,
                headers=headers | (JSON if posted else {}),
                allow_redirects=False,
            ) as response:
                answer = _read(response.status, await response.read(), response.headers.get(RESET))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise OutcomeUnknownError(f"{method} {path}: expected an answer, was {network_trouble(error)}") from None
        return meaning_of(answer.status, answer.code, answer.message, TABLE), path, answer

    def _plain(self, meaning: Meaning, path: str, answer: Answer) -> bytes:
        now = self._clock.wall_ms()
        wait_s = waiting_s(answer.status, answer.code, answer.reset_at, now + (self._offset or 0))
        if wait_s:
            self._hear_ban(path, answer, wait_s)
        error = error_of(meaning, answer.code, answer.message, wait_s)
        if error is not None:
            raise error
        return answer.result

    def _hear_ban(self, path: str, answer: Answer, wait_s: float) -> None:
        if answer.status == ADDRESS_SHUT_OUT or answer.code == ADDRESS_TOO_MANY:
            self._budget.ban(round(wait_s * 1000), answer.message)
            return
        self._quiet_until[path] = self._clock.wall_ms() + round(wait_s * 1000)
        log.warning("the venue wants to be left alone for %.1f s (%s): %s", wait_s, path, answer.message)

    def _leave_alone(self, path: str) -> None:
        """Send nothing there while the venue wants it so. Raises: NotTakenError."""
        left = (self._quiet_until.get(path, 0) - self._clock.wall_ms()) / 1000
        if left > 0:
            raise left_alone(left)


def _read(status: int, body: bytes, reset_at: str | None) -> Answer:
    try:
        said = msgspec.json.decode(body, type=Envelope, strict=False)
    except msgspec.MsgspecError:
        return Answer(status, None, body.decode(errors="replace")[:200], b"", reset_at)
    return Answer(status, said.ret_code, said.ret_msg, bytes(said.result), reset_at)
