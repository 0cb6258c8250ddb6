"""How Bybit v5 bans and refuses on its public REST: most of it inside an answer with HTTP 200."""

from __future__ import annotations

import msgspec

from trading_system.venues.outcomes import waiting_time
from trading_system.venues.public_rest import Answered, Ban, Count, Refusal

TOO_MANY = frozenset({10006, 10018, 10429})
ADDRESS_TOO_MANY = 10018
TOO_MANY_MS = 5_000
STUMBLES = frozenset({10000, 10016, 10019})  # the server's own trouble
PARAMETER = 10001  # among others an unknown symbol


class Envelope(msgspec.Struct, rename="camel"):
    """``{"retCode":0,"retMsg":"OK","result":{...},"time":1688639403423}``."""

    ret_code: int
    ret_msg: str = ""
    time: int | None = None


class BybitManners:
    """10006 with ``X-Bapi-Limit-Reset-Timestamp``; HTTP 403 "access too frequent" means ten minutes of silence."""

    def count(self, answer: Answered, now_ms: int) -> Count:
        """Return how long to rest when the answer used up a limit of its endpoint."""
        if answer.headers.get("X-Bapi-Limit-Status") != "0":
            return Count()
        return Count(rest_ms=_until_reset(answer, _envelope(answer), now_ms) or 0)

    def ban(self, answer: Answered, now_ms: int, forbidden_ms: int) -> Ban | None:
        """Return how long 403, 429 and a code of the limits keep us away."""
        said = round(waiting_time(answer.headers.get("Retry-After"), "", now_ms) * 1000)
        if answer.status == 403:
            return Ban(said or forbidden_ms, f"HTTP 403: {answer.start()}")
        envelope = _envelope(answer)
        if answer.status == 429 or (envelope is not None and envelope.ret_code in TOO_MANY):
            words = f"{envelope.ret_code}: {envelope.ret_msg}" if envelope else f"HTTP 429: {answer.start()}"
            whole = envelope is not None and envelope.ret_code == ADDRESS_TOO_MANY
            return Ban(said or _until_reset(answer, envelope, now_ms) or TOO_MANY_MS, words, whole)
        return None

    def refusal(self, answer: Answered) -> Refusal | None:
        """Return the code of an answer that is none."""
        envelope = _envelope(answer)
        if envelope is None or envelope.ret_code == 0:
            return None
        return Refusal(envelope.ret_code, envelope.ret_msg, envelope.ret_code not in STUMBLES)


def _envelope(answer: Answered) -> Envelope | None:
    try:
        return msgspec.json.decode(answer.body, type=Envelope)
    except msgspec.MsgspecError:
        return None


def _until_reset(answer: Answered, envelope: Envelope | None, now_ms: int) -> int | None:
    """Return the ms until the limit is reset, by the venue's own clock where it says it; None if it says no reset."""
    reset = answer.headers.get("X-Bapi-Limit-Reset-Timestamp", "")
    if not reset.isdigit():
        return None
    by_envelope = envelope.time if envelope is not None else None
    venue_ms = by_envelope or answer.date_ms or now_ms
    return max(0, int(reset) - venue_ms)
