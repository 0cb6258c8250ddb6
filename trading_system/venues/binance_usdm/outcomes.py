"""What an answer of Binance USDT-M means.

Source: Binance derivatives documentation, "Error Codes" and "General Info / HTTP Return Codes".
"""

from __future__ import annotations

from trading_system.venues.outcomes import Meaning, Row

_CLIENT_ERRORS = range(400, 500)

TABLE: tuple[Row, ...] = (
    Row(Meaning.DONE, statuses=range(200, 300), coded=False),
    # May have been executed: the request got past the door and its answer was lost on the way back.
    Row(Meaning.UNKNOWN, codes={-1000, -1006, -1007}),
    # The id is open at the venue already, so this very order may be the one that has it.
    Row(Meaning.UNKNOWN, codes={-4116}),
    # Turned away at the door.
    Row(Meaning.CLOCK, codes={-1021, -5028}),
    Row(Meaning.NOT_TAKEN, codes={-1001, -1003, -1008, -1015, -1016}),
    Row(Meaning.NOT_TAKEN, codes={-4117}),  # the stop is triggering just now
    Row(Meaning.NOT_TAKEN, statuses={503}, says="service unavailable", coded=False),
    Row(Meaning.UNKNOWN, statuses=range(500, 600)),
    # Answers about orders and settings.
    Row(Meaning.ALREADY_SO, codes={-4046, -4059}),
    Row(Meaning.NO_SUCH_ORDER, codes={-2011, -2013}),
    Row(Meaning.STOP_PASSED, codes={-2021, -4142}),
    Row(Meaning.NOTHING_TO_REDUCE, codes={-2022, -4118}),
    # Refused before the matching engine: whole families of codes, and only with a status that says so.
    Row(Meaning.REFUSED, _CLIENT_ERRORS, {-1002, -1013, -1014, -1020, -1022, -1023}),
    Row(Meaning.REFUSED, _CLIENT_ERRORS, range(-1199, -1099)),  # malformed parameters
    Row(Meaning.REFUSED, _CLIENT_ERRORS, range(-2028, -2009)),  # margin, key, leverage, open-order limits
    Row(Meaning.REFUSED, _CLIENT_ERRORS, range(-4499, -3999)),  # filters, modes, wrong endpoint, trading rules
)
