"""What a heartbeat says and what is made of it: the signs that a service gives of itself, and whether they are sound.

Pure: the clock is the caller's. Asked by the monitoring engine, by ``/healthz`` and by ``trading-system health``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from trading_system.contracts import HealthDTO, to_ms
from trading_system.contracts.types import Numbers, Vital

STOOD = "stood_s"
"""The number in every heartbeat that says for how many seconds the service's step has not moved."""

BAD_BELLS = "bad_bells"
"""The number in a room's heartbeat that counts messages which were none of ours."""

WAITS: Final[Mapping[str, str]] = {
    "history": "the exchange's history by REST",
    "socket": "the exchange's socket",
    "next_minute": "the next minute to close",
    "first_step": "the first step of the service before it",
    "next_step": "the next step of the service before it",
    "past": "the past to be done again, before it trades",
    "venue": "the venue to hold what is wanted",
    "symbols": "the minutes of symbols that have not brought theirs",
    "store": "the store",
    "line": "the data feed to begin the line",
    "services": "the services' next signs",
    "telegram": "Telegram to take the messages",
}
"""What a service can wait for, by the code that its heartbeat carries."""

NEVER_S = 600.0  # a service that is not in the cache has been silent for as long as the cache keeps a sign, or longer
FAR_AHEAD_MS = 60_000  # a sign from further ahead was given under another clock


class Vitals(NamedTuple):
    """What a service says of itself when it is asked. ``waits_for`` is a code of ``WAITS``.

    ``step``: the last step done for every symbol, None before the first. ``status`` is not ``failed``: that is told by
    the service's ``failure``.
    """

    step: int | None
    progress: Numbers
    waits_for: str
    status: Vital = "ok"


class Limits(NamedTuple):
    """From where on something is a trouble. Steps are minutes; the rest is in the unit of its name."""

    silent_s: float = 20.0
    behind_steps: int = 5
    feed_silent_s: float = 150.0
    unprotected_s: float = 10.0
    unknown_s: float = 30.0
    stuck_s: float = 60.0
    free_disk_bytes: int = 500_000_000
    clock_off_ms: int = 1_000


class Trouble(NamedTuple):
    """Something that is not in order: its kind, whom it concerns, and the numbers that say so."""

    kind: str
    subject: str
    numbers: Mapping[str, float | int | str]


def age_s(health: HealthDTO, now_ms: int) -> float:
    """Return how old a heartbeat is in seconds, never less than 0."""
    return max(now_ms - to_ms(health["time"]), 0) / 1000


def lag_of(health: HealthDTO | None, feed: HealthDTO | None) -> int | None:
    """Return how many steps a service is behind the feed, None where one of them has not said its step."""
    if health is None or feed is None or "step" not in health or "step" not in feed:
        return None
    return max(feed["step"] - health["step"], 0)


def service_trouble(
    service: str,
    health: HealthDTO | None,
    lag: int | None,
    now_ms: int,
    limits: Limits,
    *,
    unheard_s: float = NEVER_S,
) -> Trouble | None:
    """Return what is wrong with a service by its newest heartbeat, None if nothing is.

    A service that is ``lag`` steps behind and still moves is not judged here: it catches up. ``unheard_s``: for how
    long at least nothing was heard, where there is no heartbeat at all.
    """
    if health is None:
        return Trouble("service_silent", service, {"age_s": round(unheard_s)})
    age = age_s(health, now_ms)
    if age > limits.silent_s:
        return Trouble("service_silent", service, {"age_s": round(age)})
    if to_ms(health["time"]) - now_ms > FAR_AHEAD_MS:
        return Trouble("clock_off", service, {"off_s": (to_ms(health["time"]) - now_ms) / 1000})
    if health["status"] == "failed":
        return Trouble("service_failed", service, {"sentence": health.get("detail", "")})
    stood = health.get("progress", {}).get(STOOD, 0.0)
    if lag is not None and lag > limits.behind_steps and isinstance(stood, int | float) and stood > limits.stuck_s:
        return Trouble("service_behind", service, {"behind": lag, STOOD: stood})
    return None
