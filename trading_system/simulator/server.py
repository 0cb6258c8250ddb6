"""The simulated venue on a port: REST, streams and a control plane around one exchange in memory.

Whoever runs it moves the market with ``advance``, in the same process or over ``/_sim``; nothing moves by itself.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from trading_system.simulator.disturbances import Disturbances, Troubles
from trading_system.simulator.exchange import Advanced, Exchange
from trading_system.simulator.faults import FaultScript
from trading_system.simulator.minute_frames import MinuteFrames, Shown
from trading_system.simulator.orders import Trade, VenueOrder
from trading_system.simulator.protection import ProtectionWatch
from trading_system.simulator.reports import Report, Reports
from trading_system.simulator.tape import Row
from trading_system.simulator.wire_port import Account, Answer, Request, UserFrame
from trading_system.simulator.wires import WIRES

_BREATH = 128  # steps after which a long advance lets others have the event loop


class Addresses(NamedTuple):
    """Where the venue is: base URLs without a trailing slash."""

    http: str
    ws: str


def wall_clock_ms() -> int:
    """Return the wall clock in ms UTC."""
    return time.time_ns() // 1_000_000


class _Minute(NamedTuple):
    """A minute that is over and has not gone out yet."""

    step: int
    symbol: str
    row: Row
    running: bool  # whether the minute is shown before it closes, as far as a market played at once is shown at all


class _StepEnd(NamedTuple):
    """The end of a step's frames."""

    step: int


class SimulatorServer:
    """One account on the wire of its venue. ``wall_ms`` is the clock that signatures are checked against."""

    def __init__(
        self,
        exchange: Exchange,
        faults: FaultScript | None = None,
        api_key: str = "simulated-key",
        secret: str = "simulated-secret",  # noqa: S107  opens nothing but this venue on loopback
        wall_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self.exchange = exchange
        self.faults = faults or FaultScript()
        self.reports = Reports()
        self._disturbances = Disturbances(exchange, self.faults)
        clock = partial(_disturbed, wall_ms, self._disturbances)
        self._troubles = Troubles(self.faults, clock)
        self._minutes = MinuteFrames(self.faults)
        account, silent = Account(api_key, secret), self._disturbances.is_silent
        self._wire = WIRES[exchange.venue](exchange, account, self.faults, clock, silent)
        self._outbox: deque[_Minute | UserFrame | _StepEnd] = deque()
        self._runner: web.ServerRunner | None = None
        self._handling = 0
        self._is_lagging = False
        self._shown = True
        self.protection = ProtectionWatch(exchange.books, wall_ms)
        exchange.listener = self

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> Addresses:
        """Open the port (0: any free one) and return where the venue is."""
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        bound = self._runner.addresses[0]
        return Addresses(f"http://{host}:{bound[1]}", f"ws://{host}:{bound[1]}")

    async def stop(self) -> None:
        """Close all connections and the port."""
        await self._wire.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def advance(self, until: int | None = None) -> Advanced:
        """Play to the next fill or the end of one step, or through to step ``until``, and send what came of it."""
        before = self.exchange.standing()
        target = before.step + 1 if until is None else until
        while True:
            standing = self.exchange.standing()
            if standing.step >= target or standing.done or standing.trade != before.trade:
                return standing
            self._shown = standing.step + 1 >= target  # a stretch played at once shows only its last minute running
            self.protection.before_move()
            self.exchange.advance()
            self.protection.look()
            if self.exchange.step > standing.step:
                self._outbox.append(_StepEnd(self.exchange.step))
                lag_s = self._disturbances.lag_s(self.exchange.step)
                if lag_s:
                    self._is_lagging = True
                    await asyncio.sleep(lag_s)
                    self._is_lagging = False
            await self._flush()
            if self.exchange.step % _BREATH == 0:
                await asyncio.sleep(0)

    async def show_running(self) -> None:
        """Send the running minute of every symbol, which has had no trade so far."""
        for symbol in self.exchange.books:
            row = self.exchange.running(symbol)
            if not row.gap:
                await self._wire.show(Shown(symbol, row, closed=False))

    def quiet(self) -> dict[str, Any]:
        """Return whether everything that was asked is answered and everything said is handed to the system."""
        waiting = len(self._outbox) + self._wire.unsent
        return {"quiet": not waiting and not self._handling, "requests": self._handling, "unsent": waiting}

    def trades(self) -> dict[str, Any]:
        """Return the account's trades as the venue booked them, and their canonical lines."""
        rows = [{**self._wire.trade_row(trade), "clientOrderId": trade.client_id} for trade in self.exchange.trades()]
        return {"trades": rows, "lines": self.exchange.fingerprint_lines()}

    def orders(self) -> list[str]:
        """Return the client id of every order that was ever taken, oldest first."""
        return [order.client_id for order in self.exchange.orders.values() if not order.parent]

    def state(self) -> dict[str, Any]:
        """Return where the market stands, what went over the wire, and which faults happened."""
        step, trade, done = self.exchange.standing()
        return {
            "step": step,
            "trade": trade,
            "done": done,
            "first_step": self.exchange.first_step,
            "last_step": self.exchange.last_step,
            "market_time": self.exchange.now,
            "wallet": self.exchange.wallet,
            "open_orders": sum(len(book.open) for book in self.exchange.books.values()),
            "positions": sum(1 for book in self.exchange.books.values() if book.position.side),
            "user_sockets": self._wire.user_sockets,
            "fences": self.exchange.fences._asdict(),
            "wire": self.wire,
            "faults": dict(self.faults.fired),
            "faults_waiting": len(self.faults.waiting),
            "asked_in_ban": self._troubles.asked_in_ban,
            "protection": self.protection.said(),
        }

    @property
    def wire(self) -> dict[str, int]:
        """What went over the wire: market frames and user events sent, signed requests that passed the door."""
        return {
            "frames": self._wire.frames,
            "signed_requests": self._wire.signed_requests,
            "user_events": self._wire.user_events,
        }

    # --- what the exchange says

    def minute_closed(self, step: int, symbol: str, row: Row) -> None:
        """Keep a closed minute for the streams."""
        self._outbox.append(_Minute(step, symbol, row, self._shown))

    def order_changed(self, order: VenueOrder, execution: str, trade: Trade | None, now: int) -> None:
        """Keep it for the user stream."""
        self._outbox.extend(self._wire.order_frames(order, execution, trade, now))

    def algo_changed(self, order: VenueOrder, now: int) -> None:
        """Keep it for the user stream."""
        self._outbox.extend(self._wire.algo_frames(order, now))

    def account_changed(self, symbol: str, reason: str, now: int) -> None:
        """Keep it for the user stream."""
        self._outbox.extend(self._wire.account_frames(symbol, reason, now))

    async def _flush(self) -> None:
        """Send what waits, in the order in which it happened; taken one by one, so two flushes cannot overtake."""
        while self._outbox:
            said = self._outbox.popleft()
            if isinstance(said, _Minute):
                for shown in [
                    *self._minutes.due(said.step),
                    *self._minutes.of(said.step, said.symbol, said.row, running=said.running),
                ]:
                    await self._wire.show(shown)
            elif isinstance(said, UserFrame):
                await self._wire.send_event(said)
            else:
                await self._disturbances.after_step(said.step, self._wire)

    # --- the port

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._wire.serve(request)
        path, _, query = request.raw_path.partition("?")
        if path.startswith("/_sim/"):
            return await self._control(request, path)
        self._handling += 1
        try:
            body = await request.text() if request.can_read_body else ""
            trouble = self._troubles.of_request()
            if trouble is not None:
                return _sent(self._wire.trouble(trouble))
            answer = self._wire.answer(Request(request.method, path, query, body, request.headers))
            self.protection.look()
            response = _sent(answer)
            if self._wire.answers_first and not answer.lost:
                with suppress(ConnectionError):  # whoever asked may be gone; what was done stays done
                    await response.prepare(request)
                    await response.write_eof()
            if not self._is_lagging:
                await self._flush()
        finally:
            self._handling -= 1
        if answer.lost and request.transport is not None:
            request.transport.abort()
        return response

    async def _control(self, request: web.BaseRequest, path: str) -> web.Response:
        """The control plane: answers on loopback only, and is no part of any venue's interface."""
        if not _is_loopback(request.remote):
            return _json({"error": "the control plane answers on loopback only"}, 403)
        if (request.method, path) == ("POST", "/_sim/advance"):
            try:
                wish = msgspec.json.decode(await request.read() or b"{}", type=_AdvanceWish)
            except msgspec.MsgspecError as error:
                return _json({"error": f'expected {{"until": step}}, was {error}'}, 400)
            return _json((await self.advance(wish.until))._asdict())
        if path == "/_sim/report":
            return await self._report(request)
        views = {
            "/_sim/quiet": self.quiet,
            "/_sim/trades": self.trades,
            "/_sim/state": self.state,
            "/_sim/orders": self.orders,
        }
        view = views.get(path)
        if request.method != "GET" or view is None:
            return _json(
                {"error": f"expected POST advance or report, or GET report, quiet, trades, state, orders; was {path}"},
                404,
            )
        return _json(view())

    async def _report(self, request: web.BaseRequest) -> web.Response:
        """Take a line's report, and answer where the market stands; or hand on the next one to a conductor."""
        try:
            if request.method == "POST":
                self.reports.take(msgspec.json.decode(await request.read(), type=_ReportMade).report())
                return _json(self.exchange.standing()._asdict())
            asked = msgspec.convert(dict(request.query), _ReportWish, strict=False)
        except msgspec.MsgspecError as error:
            return _json({"error": f"expected a report, or the number after which one is wanted; was {error}"}, 400)
        report = await self.reports.after(asked.after, asked.patience)
        return _json({"count": self.reports.count, "report": None if report is None else report._asdict()})


class _ReportMade(msgspec.Struct):
    """The body of ``POST /_sim/report``."""

    step: int
    trade: int
    open: int
    until: int | None

    def report(self) -> Report:
        return Report(self.step, self.trade, self.open, self.until)


class _ReportWish(msgspec.Struct):
    """The query of ``GET /_sim/report``: seconds of patience for a report after the ``after``-th."""

    after: int
    patience: float = 0.0


class _AdvanceWish(msgspec.Struct):
    """The body of ``POST /_sim/advance``."""

    until: int | None = None


def _disturbed(wall_ms: Callable[[], int], disturbances: Disturbances) -> int:
    """Return the venue's clock: it may have jumped or drifted away from this machine's."""
    return wall_ms() + disturbances.clock_off_ms


def _sent(answer: Answer) -> web.Response:
    """Return an answer as it leaves: JSON, or the page of whatever stands before the venue."""
    kind = "text/html" if answer.body.startswith(b"<") else "application/json"
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers, content_type=kind)


def _is_loopback(remote: str | None) -> bool:
    try:
        return remote is not None and ipaddress.ip_address(remote).is_loopback
    except ValueError:
        return False


def _json(content: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(content), content_type="application/json")
