"""What a scripted fault does to the venue: to its connections, its clock, its answers and what it trades.

The shapes of a refusal, a ban and a notice are the wire's.
"""

from __future__ import annotations

from collections.abc import Callable

from trading_system.simulator.exchange import Exchange
from trading_system.simulator.faults import Fault, FaultKind, FaultScript
from trading_system.simulator.wire_port import Trouble, Wire


class Troubles:
    """Keeps requests from their answers; a ban lasts for its time, whoever asks meanwhile makes it no shorter.

    ``asked_in_ban`` counts the requests that came although the venue had said to wait.
    """

    def __init__(self, faults: FaultScript, wall_ms: Callable[[], int]) -> None:
        self._faults = faults
        self._wall_ms = wall_ms
        self._ban: Trouble | None = None
        self.asked_in_ban = 0

    def of_request(self) -> Trouble | None:
        """Return what hits the next request, None when it is answered."""
        now = self._wall_ms()
        if self._ban is not None and now < self._ban.until:
            self.asked_in_ban += 1
            return self._ban._replace(now=now, again=True)
        fault = self._faults.on_request()
        if fault is None:
            return None
        bans = fault.kind in {FaultKind.RATE_LIMITED, FaultKind.FORBIDDEN}
        trouble = Trouble(fault.kind, now, now + fault.ms if bans else 0)
        self._ban = trouble if bans else self._ban
        return trouble


class Disturbances:
    """Does to a venue what its script says between two steps."""

    def __init__(self, exchange: Exchange, faults: FaultScript) -> None:
        self._exchange = exchange
        self._faults = faults
        self._silent_connections = 0
        self._drift_ms = 0
        self._lag: tuple[int, int] = (0, 0)  # up to which step, ms
        self._leaving: list[int] = []  # steps after which those that were told of a shutdown are cut
        self.clock_off_ms = 0

    def is_silent(self) -> bool:
        """Tell whether the connection that opens now is one that never brings anything."""
        if not self._silent_connections:
            return False
        self._silent_connections -= 1
        return True

    def lag_s(self, step: int) -> float:
        """Return by how many seconds the frames of ``step`` come late."""
        upto, ms = self._lag
        return ms / 1000 if step <= upto else 0.0

    async def after_step(self, step: int, wire: Wire) -> None:
        """Let happen what follows the frames of ``step``."""
        self.clock_off_ms += self._drift_ms
        if step in self._leaving:
            self._leaving.remove(step)
            _break_off(wire)
        for fault in self._faults.after_step(step):
            await self._happen(fault, step, wire)

    async def _happen(self, fault: Fault, step: int, wire: Wire) -> None:
        match fault.kind:
            case FaultKind.USER_CUT:
                wire.cut_user()
            case FaultKind.STREAM_LAG:
                self._lag = (step + fault.steps, fault.ms)
            case FaultKind.CLOCK_JUMP:
                self.clock_off_ms += fault.ms
            case FaultKind.CLOCK_DRIFT:
                self._drift_ms = fault.ms
            case FaultKind.HALTED:
                self._exchange.halt(fault.symbol, step + fault.steps)
            case FaultKind.DELISTED:
                self._exchange.delist(fault.symbol)
            case FaultKind.NEW_TICK:
                self._exchange.change_tick(fault.symbol, fault.factor)
            case _:
                await self._end_market(fault, step, wire)

    async def _end_market(self, fault: Fault, step: int, wire: Wire) -> None:
        """End the market connections, or tell them that they will end."""
        match fault.kind:
            case FaultKind.CLOSED:
                for socket in wire.market_sockets():
                    await socket.say_goodbye(fault.code or 1000)
            case FaultKind.HALF_OPEN:
                for socket in wire.market_sockets():
                    socket.half_open = True
            case FaultKind.SHUTDOWN:
                self._leaving.append(step + fault.steps)
                for socket in wire.market_sockets():
                    notice = wire.shutdown_notice(socket)
                    if notice is not None:
                        await socket.send(notice)
            case FaultKind.SILENT_SUBSCRIPTION:
                self._silent_connections += fault.count
                _break_off(wire)
            case _:
                _break_off(wire)


def _break_off(wire: Wire) -> None:
    for socket in wire.market_sockets():
        socket.break_off()
