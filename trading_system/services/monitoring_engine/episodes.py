"""Troubles as episodes: each is told once when it has lasted, and once when it has been over for a while. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from trading_system.contracts import AlertDTO, from_ms, to_ms
from trading_system.services.vital_signs import Limits, Trouble

SETTLED_MS: Final = 10_000
"""So long a trouble must be gone before it is over: one that comes and goes is one episode."""

Key = tuple[str, str]
STORE_AWAY: Final[Key] = ("store_away", "store")
"""An alert that cannot be written while it lasts; only its end is."""


class Episode(NamedTuple):
    """A trouble that lasts since ``began``. ``said``: it was told; ``gone``: since when it is not seen any more."""

    kind: str
    subject: str
    began: int
    said: bool = False
    gone: int | None = None


def patience_ms(limits: Limits) -> Mapping[str, int]:
    """Return for how long a trouble of each kind must last before it is told; those not named are told at once."""
    return {
        "service_behind": 30_000,
        "bus_away": 15_000,
        STORE_AWAY[0]: 15_000,
        "clock_off": 30_000,
        "position_unprotected": round(limits.unprotected_s * 1000),
        "orders_unknown": round(limits.unknown_s * 1000),
    }


def fold(
    lasting: Mapping[Key, Episode],
    troubles: Iterable[Trouble],
    now: int,
    patience: Mapping[str, int],
    unjudged: Collection[Key] = (),
) -> tuple[dict[Key, Episode], list[AlertDTO]]:
    """Return the episodes that last at ``now`` (ms UTC), and the alerts that are due.

    ``unjudged``: episodes of which nothing can be seen now; they neither go on nor end.
    """
    going: dict[Key, Episode] = {}
    due: list[AlertDTO] = []
    for trouble in troubles:
        key = (trouble.kind, trouble.subject)
        episode = lasting.get(key, Episode(*key, now))._replace(gone=None)
        if not episode.said and now - episode.began >= patience.get(trouble.kind, 0):
            episode = episode._replace(said=True)
            due.append(_alert(episode, trouble.numbers, now, over=False))
        going[key] = episode
    for key, episode in lasting.items():
        if key in going:
            continue
        if key in unjudged:
            going[key] = episode
            continue
        if not episode.said:  # what was never told needs no end
            continue
        gone = now if episode.gone is None else episode.gone
        if now - gone >= SETTLED_MS:
            due.append(_alert(episode, {"lasted_s": round((gone - episode.began) / 1000)}, now, over=True))
        else:
            going[key] = episode._replace(gone=gone)
    return going, due


def with_store_away(lasting: Mapping[Key, Episode], since: int, now: int, patience: int) -> dict[Key, Episode]:
    """Return the episodes when the store is away since ``since`` (ms UTC): it is said to last, as its end will be."""
    if now - since < patience and STORE_AWAY not in lasting:
        return dict(lasting)
    episode = lasting.get(STORE_AWAY, Episode(*STORE_AWAY, since, said=True))
    return {**lasting, STORE_AWAY: episode._replace(gone=None)}


def recalled(alerts: Iterable[AlertDTO]) -> dict[Key, Episode]:
    """Return the episodes that were told and not ended, by all alerts so far."""
    return {
        (alert["kind"], alert["subject"]): Episode(alert["kind"], alert["subject"], to_ms(alert["began"]), said=True)
        for alert in lasting_alerts(alerts)
    }


def lasting_alerts(alerts: Iterable[AlertDTO]) -> list[AlertDTO]:
    """Return the alerts, out of all so far, whose end was not told yet."""
    lasting: dict[Key, AlertDTO] = {}
    for alert in alerts:
        key = (alert["kind"], alert["subject"])
        if alert["over"]:
            lasting.pop(key, None)
        else:
            lasting[key] = alert
    return list(lasting.values())


def _alert(episode: Episode, numbers: Mapping[str, float | int | str], now: int, *, over: bool) -> AlertDTO:
    return {
        "id": f"{episode.kind}:{episode.subject}:{episode.began}",
        "kind": episode.kind,
        "subject": episode.subject,
        "over": over,
        "time": from_ms(now),
        "began": from_ms(episode.began),
        "numbers": dict(numbers),
    }
