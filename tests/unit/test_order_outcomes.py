"""What each answer of Binance USDT-M means for the order that was sent."""

from __future__ import annotations

import pytest

from trading_system.venues.binance_usdm.outcomes import TABLE
from trading_system.venues.errors import (
    NoSuchOrderError,
    NothingToReduceError,
    NotTakenError,
    OutcomeUnknownError,
    RefusedError,
    StopPassedError,
)
from trading_system.venues.outcomes import (
    Meaning,
    Row,
    error_of,
    meaning_of,
    waiting_time,
)

ANSWERS: list[tuple[int, int | None, str, Meaning]] = [
    (200, None, "", Meaning.DONE),
    (400, -1000, "An unknown error occurred while processing the request.", Meaning.UNKNOWN),
    (400, -1006, "An unexpected response was received from the message bus.", Meaning.UNKNOWN),
    (408, -1007, "Timeout waiting for response from backend server.", Meaning.UNKNOWN),
    (503, None, "Unknown error, please check your request or try again later.", Meaning.UNKNOWN),
    (500, None, "", Meaning.UNKNOWN),
    (502, None, "<html>Bad Gateway</html>", Meaning.UNKNOWN),
    (504, None, "", Meaning.UNKNOWN),
    (403, None, "<html>WAF</html>", Meaning.UNKNOWN),
    (418, None, "", Meaning.UNKNOWN),
    (429, None, "", Meaning.UNKNOWN),
    (400, None, "not JSON", Meaning.UNKNOWN),
    (400, -9999, "a code that nobody has seen", Meaning.UNKNOWN),
    (503, -9999, "a code that nobody has seen", Meaning.UNKNOWN),
    (500, -2019, "a refusal under a status that does not refuse", Meaning.UNKNOWN),
    (302, None, "", Meaning.UNKNOWN),
    (400, -4116, "ClientOrderId is duplicated.", Meaning.UNKNOWN),
    (503, None, "Service Unavailable.", Meaning.NOT_TAKEN),
    (503, -1008, "Request throttled by system-level protection.", Meaning.NOT_TAKEN),
    (500, -1001, "Internal error; unable to process your request.", Meaning.NOT_TAKEN),
    (429, -1003, "Too many requests.", Meaning.NOT_TAKEN),
    (418, -1003, "Way too many requests; IP banned until 1700000060000.", Meaning.NOT_TAKEN),
    (400, -1015, "Too many new orders.", Meaning.NOT_TAKEN),
    (503, -1016, "This service is no longer available.", Meaning.NOT_TAKEN),
    (400, -4117, "Stop order is triggering.", Meaning.NOT_TAKEN),
    (400, -1021, "Timestamp for this request is outside of the recvWindow.", Meaning.CLOCK),
    (400, -5028, "Timestamp for this request is outside of the ME recvWindow.", Meaning.CLOCK),
    (400, -4046, "No need to change margin type.", Meaning.ALREADY_SO),
    (400, -4059, "No need to change position side.", Meaning.ALREADY_SO),
    (400, -2011, "Unknown order sent.", Meaning.NO_SUCH_ORDER),
    (400, -2013, "Order does not exist.", Meaning.NO_SUCH_ORDER),
    (400, -2021, "Order would immediately trigger.", Meaning.STOP_PASSED),
    (400, -4142, "REJECT: take-profit or stop order will be triggered immediately.", Meaning.STOP_PASSED),
    (400, -2022, "ReduceOnly Order is rejected.", Meaning.NOTHING_TO_REDUCE),
    (400, -4118, "ReduceOnly Order Failed.", Meaning.NOTHING_TO_REDUCE),
    (400, -1022, "Signature for this request is not valid.", Meaning.REFUSED),
    (400, -1102, "Mandatory parameter was not sent.", Meaning.REFUSED),
    (400, -1111, "Precision is over the maximum defined for this asset.", Meaning.REFUSED),
    (401, -2015, "Invalid API-key, IP, or permissions for action.", Meaning.REFUSED),
    (400, -2018, "Balance is insufficient.", Meaning.REFUSED),
    (400, -2019, "Margin is insufficient.", Meaning.REFUSED),
    (400, -4003, "Quantity less than zero.", Meaning.REFUSED),
    (400, -4005, "Quantity greater than max quantity.", Meaning.REFUSED),
    (400, -4014, "Price not increased by tick size.", Meaning.REFUSED),
    (400, -4015, "Client order id length should be less than 36 chars.", Meaning.REFUSED),
    (400, -4023, "Qty not increased by step size.", Meaning.REFUSED),
    (400, -4061, "Order's position side does not match user's setting.", Meaning.REFUSED),
    (400, -4120, "Order type not supported for this endpoint.", Meaning.REFUSED),
    (400, -4130, "An open stop with closePosition is existing.", Meaning.REFUSED),
    (400, -4164, "Order's notional must be no smaller than 5.", Meaning.REFUSED),
    (400, -4400, "Futures Trading Quantitative Rules violated.", Meaning.REFUSED),
]


@pytest.mark.parametrize(("status", "code", "message", "meaning"), ANSWERS)
def test_an_answer_means_what_the_table_says(status: int, code: int | None, message: str, meaning: Meaning) -> None:
    assert meaning_of(status, code, message, TABLE) == meaning


@pytest.mark.parametrize("row", [row for row in TABLE if row.meaning != Meaning.UNKNOWN])
def test_every_row_of_the_table_decides_some_answer(row: Row) -> None:
    without = [other for other in TABLE if other is not row]
    assert any(meaning_of(*answer[:3], TABLE) != meaning_of(*answer[:3], without) for answer in ANSWERS)


@pytest.mark.parametrize(
    ("meaning", "error"),
    [
        (Meaning.UNKNOWN, OutcomeUnknownError),
        (Meaning.NOT_TAKEN, NotTakenError),
        (Meaning.CLOCK, NotTakenError),
        (Meaning.REFUSED, RefusedError),
        (Meaning.STOP_PASSED, StopPassedError),
        (Meaning.NOTHING_TO_REDUCE, NothingToReduceError),
        (Meaning.NO_SUCH_ORDER, NoSuchOrderError),
    ],
)
def test_every_meaning_but_success_has_its_own_error(meaning: Meaning, error: type[Exception]) -> None:
    assert type(error_of(meaning, -1, "words", 0.0)) is error


@pytest.mark.parametrize("meaning", [Meaning.DONE, Meaning.ALREADY_SO])
def test_what_is_so_already_is_a_success(meaning: Meaning) -> None:
    assert error_of(meaning, None, "", 0.0) is None


def test_an_unknown_outcome_is_no_refusal() -> None:
    assert not issubclass(OutcomeUnknownError, RefusedError)


def test_the_venue_says_how_long_it_wants_to_be_left_alone() -> None:
    assert waiting_time("7", "", 0) == 7.0
    assert waiting_time(None, "IP banned until 1700000060000.", 1_700_000_000_000) == 60.0
    assert waiting_time(None, "IP banned until 1700000000000.", 1_700_000_060_000) == 0.0
    assert waiting_time("soon", "", 0) == 0.0
