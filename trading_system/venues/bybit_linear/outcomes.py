"""What an answer of Bybit means, and how long it asks to be left alone.

Bybit answers 200 to almost everything; the word is the ``retCode`` inside. Source: Bybit v5 documentation, "Error
Codes" and "Rate Limit Rules".
"""

from __future__ import annotations

from trading_system.venues.outcomes import Meaning, Row

TOO_FREQUENT_S = 600.0
"""How long an address that came too often is shut out (HTTP 403): each request meanwhile makes it longer."""
UNSAID_S = 5.0  # the window of its limits, where it names no end

ADDRESS_SHUT_OUT = 403
_TOO_MANY = 429
TOO_MANY_VISITS = frozenset({10006, 10018})

TABLE: tuple[Row, ...] = (
    Row(Meaning.UNKNOWN, statuses=range(500, 600)),
    Row(Meaning.DONE, statuses=range(200, 300), codes={0}),
    # May have been executed: the request got past the door and nobody can say how far.
    Row(Meaning.UNKNOWN, codes={429, 10000, 10016, 10019, 10403, 10429, 20003, 20006, 170001, 170005, 170007, 170032}),
    Row(Meaning.UNKNOWN, codes={500000}),
    # The id is known at the venue already, so this very order may be the one that has it.
    Row(Meaning.UNKNOWN, codes={110072}),
    # Turned away at the door.
    Row(Meaning.CLOCK, codes={10002}),
    Row(Meaning.NOT_TAKEN, codes=TOO_MANY_VISITS),
    Row(Meaning.NOT_TAKEN, codes={110079}),  # the order is being processed just now
    Row(Meaning.NOT_TAKEN, statuses={ADDRESS_SHUT_OUT}, coded=False),
    Row(Meaning.REFUSED, statuses={400, 401, 404}, coded=False),
    # Answers about orders and settings.
    Row(Meaning.ALREADY_SO, codes={34040, 110025, 110026, 110043}),
    Row(Meaning.NO_SUCH_ORDER, codes={110001, 110008, 110010}),
    Row(Meaning.STOP_PASSED, codes={110092, 110093}),
    Row(Meaning.STOP_PASSED, codes={10001}, says="base_price"),
    Row(Meaning.NOTHING_TO_REDUCE, codes={110017}),
    Row(Meaning.NOTHING_TO_REDUCE, codes={10001}, says="zero position"),
    # Refused before the matching engine.
    Row(Meaning.REFUSED, codes={10001, 10003, 10004, 10005, 10007, 10008, 10009, 10010, 10014, 10017, 10020}),
    Row(Meaning.REFUSED, codes={10024, 10027, 10028, 10029, 10032, 3400045}),
    Row(Meaning.REFUSED, codes=range(110003, 110200)),  # margin, limits, filters, modes, trading rules
)


def waiting_s(status: int, code: int | None, reset_at: str | None, venue_now_ms: int) -> float:
    """Return the seconds that the venue asks to be left alone, 0.0 if it does not say.

    reset_at: the header ``X-Bapi-Limit-Reset-Timestamp``, ms UTC.
    """
    if status == ADDRESS_SHUT_OUT and code is None:
        return TOO_FREQUENT_S
    if code not in TOO_MANY_VISITS and status != _TOO_MANY:
        return 0.0
    if reset_at is not None and reset_at.isdecimal():
        return max(0.0, (int(reset_at) - venue_now_ms) / 1000)
    return UNSAID_S
