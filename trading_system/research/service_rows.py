"""How the services of a line are, as rows for a person: step, age of the heartbeat, lag, and what is waited for.

Pure: heartbeats in, plain rows out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trading_system.contracts import SERVICES, HealthDTO, from_ms
from trading_system.rules.matching import MINUTE_MS
from trading_system.services.vital_signs import WAITS, Limits, age_s, lag_of, service_trouble

Row = dict[str, Any]


def service_rows(signs: Mapping[str, HealthDTO], now_ms: int, limits: Limits) -> list[Row]:
    """Return one row a service; what it has not said is None.

    ``status`` is ok, waiting, behind, failed or silent. ``waits_for`` is a code of ``vital_signs.WAITS``, ``failure``
    the sentence of what failed; each is "" where there is none.
    """
    return [_row(service, signs.get(service), signs.get("data_feed"), now_ms, limits) for service in SERVICES]


def _row(service: str, sign: HealthDTO | None, feed: HealthDTO | None, now_ms: int, limits: Limits) -> Row:
    trouble = service_trouble(service, sign, None, now_ms, limits)
    silent = trouble is not None and trouble.kind == "service_silent"
    step = None if sign is None else sign.get("step")
    detail = "" if sign is None else sign.get("detail", "")
    return {
        "service": service,
        "status": "silent" if silent or sign is None else sign["status"],
        "step": step,
        "last_minute": None if step is None else from_ms(step * MINUTE_MS).strftime("%Y-%m-%d %H:%M"),
        "age_s": None if sign is None else round(age_s(sign, now_ms), 1),
        "behind": lag_of(sign, feed),
        "waits_for": detail if detail in WAITS else "",
        "failure": "" if detail in WAITS else detail,
    }
