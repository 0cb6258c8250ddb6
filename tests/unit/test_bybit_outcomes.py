"""What each answer of Bybit means for the order that was sent."""

from __future__ import annotations

import pytest

from trading_system.venues.bybit_linear.outcomes import TABLE, TOO_FREQUENT_S, UNSAID_S, waiting_s
from trading_system.venues.outcomes import Meaning, Row, meaning_of

ANSWERS: list[tuple[int, int | None, str, Meaning]] = [
    (200, 0, "OK", Meaning.DONE),
    (200, 10000, "Server Timeout", Meaning.UNKNOWN),
    (200, 10016, "Internal system error.", Meaning.UNKNOWN),
    (200, 10019, "ApiKey in unbind.", Meaning.UNKNOWN),
    (200, 10403, "Exceeded the IP rate limit.", Meaning.UNKNOWN),
    (200, 10429, "System level frequency protection.", Meaning.UNKNOWN),
    (200, 429, "The trading service is experiencing a high server load.", Meaning.UNKNOWN),
    (200, 170007, "Timeout waiting for response from backend server.", Meaning.UNKNOWN),
    (200, 500000, "System error", Meaning.UNKNOWN),
    (200, 110072, "OrderLinkedID is duplicate", Meaning.UNKNOWN),
    (429, None, "", Meaning.UNKNOWN),
    (500, 0, "a success under a status that is none", Meaning.UNKNOWN),
    (500, 10001, "a refusal under a status that does not refuse", Meaning.UNKNOWN),
    (502, None, "<html>Bad Gateway</html>", Meaning.UNKNOWN),
    (200, None, "not JSON", Meaning.UNKNOWN),
    (200, 999999, "a code that nobody has seen", Meaning.UNKNOWN),
    (302, None, "", Meaning.UNKNOWN),
    (200, 10002, "invalid request, please check your server timestamp or recv_window param", Meaning.CLOCK),
    (200, 10006, "Too many visits!", Meaning.NOT_TAKEN),
    (200, 10018, "Exceeded the IP Rate Limit.", Meaning.NOT_TAKEN),
    (200, 110079, "The order is processing and can not be operated, please try again later", Meaning.NOT_TAKEN),
    (403, None, "<html>access too frequent</html>", Meaning.NOT_TAKEN),
    (401, None, "Invalid request", Meaning.REFUSED),
    (404, None, "Cannot find path", Meaning.REFUSED),
    (200, 110025, "Position mode is not modified", Meaning.ALREADY_SO),
    (200, 110026, "Cross/isolated margin mode is not modified", Meaning.ALREADY_SO),
    (200, 110043, "Set leverage has not been modified", Meaning.ALREADY_SO),
    (200, 34040, "not modified", Meaning.ALREADY_SO),
    (200, 110001, "order not exists or too late to cancel", Meaning.NO_SUCH_ORDER),
    (200, 110010, "The order has been cancelled", Meaning.NO_SUCH_ORDER),
    (200, 110092, "expect Rising, but trigger_price[98000] <= current[99000]", Meaning.STOP_PASSED),
    (200, 110093, "expect Falling, but trigger_price[99000] >= current[98000]", Meaning.STOP_PASSED),
    (
        200,
        10001,
        "StopLoss:324000000 set for Buy position should lower than base_price:161600000??LastPrice",
        Meaning.STOP_PASSED,
    ),
    (200, 110017, "current position is zero, cannot fix reduce-only order qty", Meaning.NOTHING_TO_REDUCE),
    (200, 10001, "can not set tp/sl/ts for zero position", Meaning.NOTHING_TO_REDUCE),
    (200, 10001, "params error: Qty invalid", Meaning.REFUSED),
    (200, 10003, "API key is invalid.", Meaning.REFUSED),
    (200, 10004, "error sign! origin_string[...]", Meaning.REFUSED),
    (200, 10005, "Permission denied for current apikey", Meaning.REFUSED),
    (200, 10010, "Unmatched IP", Meaning.REFUSED),
    (200, 10032, "Demo trading are not supported.", Meaning.REFUSED),
    (200, 3400045, "Set margin mode failed", Meaning.REFUSED),
    (200, 110004, "Wallet balance is insufficient", Meaning.REFUSED),
    (200, 110007, "ab not enough for new order", Meaning.REFUSED),
    (200, 110012, "Insufficient available balance", Meaning.REFUSED),
    (200, 110094, "Order does not meet minimum order value 5USDT", Meaning.REFUSED),
]


@pytest.mark.parametrize(("status", "code", "message", "meaning"), ANSWERS)
def test_an_answer_means_what_the_table_says(status: int, code: int | None, message: str, meaning: Meaning) -> None:
    assert meaning_of(status, code, message, TABLE) == meaning


@pytest.mark.parametrize("row", [row for row in TABLE if row.meaning != Meaning.UNKNOWN])
def test_every_row_of_the_table_decides_some_answer(row: Row) -> None:
    without = [other for other in TABLE if other is not row]
    assert any(meaning_of(*answer[:3], TABLE) != meaning_of(*answer[:3], without) for answer in ANSWERS)


def test_the_venue_says_how_long_it_wants_to_be_left_alone() -> None:
    assert waiting_s(200, 10006, "1700000000750", 1_700_000_000_000) == 0.75
    assert waiting_s(200, 10006, "1700000000000", 1_700_000_000_750) == 0.0
    assert waiting_s(200, 10006, None, 0) == waiting_s(429, None, None, 0) == UNSAID_S == 5.0
    assert waiting_s(200, 0, "1700000000750", 0) == 0.0
    assert waiting_s(403, None, None, 0) == TOO_FREQUENT_S == 600.0
    assert waiting_s(403, 10024, None, 0) == 0.0
