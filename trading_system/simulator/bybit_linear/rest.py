"""The REST of Bybit v5 as one table: who is let in, how an answer is wrapped, and the limits beside it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from trading_system.simulator.bybit_linear.account_answers import AccountAnswers
from trading_system.simulator.bybit_linear.frames import Json
from trading_system.simulator.bybit_linear.market_answers import MarketAnswers
from trading_system.simulator.bybit_linear.order_answers import Batch, OrderAnswers
from trading_system.simulator.bybit_linear.parameters import Params, parameters
from trading_system.simulator.bybit_linear.refusal_codes import CodedRefusalError, LostAnswerError, coded
from trading_system.simulator.bybit_linear.signatures import Door
from trading_system.simulator.exchange import Exchange
from trading_system.simulator.faults import FaultKind, FaultScript
from trading_system.simulator.refusals import RefusedError
from trading_system.simulator.wire_port import Answer, Request, Trouble

REQUESTS_A_WINDOW, WINDOW_MS = 600, 5_000


class Endpoint(NamedTuple):
    """One line of the table: whether it must be signed, and who answers."""

    signed: bool
    answer: Callable[[Params], Json | Batch]


class Rest:
    """Answers requests; ``signed_requests`` counts those that passed the door.

    ``category``: what the exchange trades; only ``linear`` has an account.
    """

    def __init__(self, exchange: Exchange, category: str, door: Door, faults: FaultScript) -> None:
        self._door = door
        self._faults = faults
        self._asked: deque[int] = deque()
        self.signed_requests = 0
        market = MarketAnswers(exchange, category, faults, door.wall_ms).by_path()
        self._table = {("GET", path): Endpoint(False, answer) for path, answer in market.items()}
        if category == "linear":
            account, orders = AccountAnswers(exchange, faults), OrderAnswers(exchange, faults, door.wall_ms)
            own = {**account.by_path(), **orders.by_path()}
            self._table |= {where: Endpoint(True, answer) for where, answer in own.items()}

    def answer(self, request: Request) -> Answer:
        """Return the answer to one request; its HTTP status is 200 also for a refusal."""
        method, path, query, body, sent = request
        endpoint = self._table.get((method, path))
        headers = self._limits()
        if endpoint is None:
            return Answer(404, b"", headers)
        if method == "GET" and body:
            return Answer(403, _FORBIDDEN, {})  # the venue's first door takes no GET with a body
        try:
            if endpoint.signed:
                payload = body if method == "POST" else query
                self._door.check_signed(sent, payload, damaged=self._faults.on_signed_request())
                self.signed_requests += 1
            said = endpoint.answer(parameters(query, body))
        except (CodedRefusalError, RefusedError) as refused:
            refusal = coded(refused) if isinstance(refused, RefusedError) else refused
            return Answer(200, self._envelope(refusal.code, refusal.message, {}), headers)
        except LostAnswerError:
            return Answer(200, b"", headers, lost=True)
        result, beside = said if isinstance(said, Batch) else Batch(said, {})
        return Answer(200, self._envelope(0, "OK", result, beside), headers)

    def trouble(self, trouble: Trouble) -> Answer:
        """Return what a request meets that is not answered."""
        match trouble.kind:
            case FaultKind.RATE_LIMITED if not trouble.again:
                headers = {"X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": str(trouble.until)}
                error = CodedRefusalError(10006)
                return Answer(200, self._envelope(error.code, error.message, {}), headers)
            case FaultKind.RATE_LIMITED | FaultKind.FORBIDDEN:
                return Answer(403, _FORBIDDEN, {})
            case FaultKind.HTML:
                return Answer(200, b"<html><head><title>502 Bad Gateway</title></head></html>", {})
            case _:
                return Answer(503, b"", {})

    def _envelope(self, code: int, message: str, result: Json, beside: Json | None = None) -> bytes:
        said = {"retCode": code, "retMsg": message, "result": result, "retExtInfo": beside or {}}
        return msgspec.json.encode({**said, "time": self._door.wall_ms()})

    def _limits(self) -> dict[str, str]:
        now = self._door.wall_ms()
        while self._asked and self._asked[0] <= now - WINDOW_MS:
            self._asked.popleft()
        self._asked.append(now)
        left = max(REQUESTS_A_WINDOW - len(self._asked), 0)
        return {
            "X-Bapi-Limit": str(REQUESTS_A_WINDOW),
            "X-Bapi-Limit-Status": str(left),
            "X-Bapi-Limit-Reset-Timestamp": str(self._asked[0] + WINDOW_MS),
        }


_FORBIDDEN = b"<html>access too frequent</html>"
