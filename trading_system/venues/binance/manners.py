"""How Binance counts, bans and refuses on its public REST, spot and USDT-M alike."""

from __future__ import annotations

import msgspec

from trading_system.venues.outcomes import waiting_time
from trading_system.venues.public_rest import Answered, Ban, Count, Refusal

UNKNOWN_SYMBOL = -1121
TOO_MANY_MS = 60_000  # 429: the window of a minute
BANNED_MS = 120_000  # 418: the shortest ban
STUMBLES = range(-1016, -999)  # -10xx: the server's own trouble, or the network's


class ErrorBody(msgspec.Struct):
    """``{"code":-1121,"msg":"Invalid symbol."}``."""

    code: int
    msg: str = ""


class BinanceManners:
    """429 with ``Retry-After``, then 418 "IP banned until <ms>"; 403 is its firewall."""

    def count(self, answer: Answered, now_ms: int) -> Count:
        """Return the weight of the running minute, by ``X-MBX-USED-WEIGHT-1M``."""
        del now_ms
        used = answer.headers.get("X-MBX-USED-WEIGHT-1M", "")
        return Count(int(used) if used.isdigit() else None)

    def ban(self, answer: Answered, now_ms: int, forbidden_ms: int) -> Ban | None:
        """Return the longest wait that header and body ask for."""
        unsaid = {429: TOO_MANY_MS, 418: BANNED_MS, 403: forbidden_ms}.get(answer.status)
        if unsaid is None:
            return None
        body = answer.body.decode(errors="replace")
        venue_ms = now_ms if answer.date_ms is None else answer.date_ms
        header, end = answer.headers.get("Retry-After"), waiting_time(None, body, venue_ms)
        said = max(waiting_time(header, "", venue_ms), end)
        return Ban(round(said * 1000) or unsaid, f"HTTP {answer.status}: {answer.start()}")

    def refusal(self, answer: Answered) -> Refusal | None:
        """Return the error of the body; what the server itself stumbled over may be asked again."""
        if answer.status == 200:
            return None
        try:
            error = msgspec.json.decode(answer.body, type=ErrorBody)
        except msgspec.MsgspecError:
            return None
        return Refusal(error.code, error.msg, 400 <= answer.status < 500 and error.code not in STUMBLES)
