"""What a chart shows of the patterns that detection found: swings, live order blocks and flags, out of plain events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trading_system.charts.picture import PictureFlag, PictureSwing, PictureZone
from trading_system.rules.events import Event
from trading_system.rules.signals import ZONE_ENDS
from trading_system.rules.words import event_dto
from trading_system.services.telegram_engine.alert import flag_of_breakout

MOST_FLAGS = 2


def swings_since(events: Sequence[Event], first: int) -> tuple[PictureSwing, ...]:
    """Return the swings since ``first`` (ms UTC) that no later one replaced."""
    found = [event for event in events if event.kind in ("swing_high", "swing_low")]
    replaced = {event.replaces for event in found}
    return tuple(
        PictureSwing(
            event.time,
            float(event.values["price"]),
            "high" if event.direction > 0 else "low",
            str(event.values["label"]),
        )
        for event in found
        if event.time >= first and event.id not in replaced
    )


def live_zones(events: Sequence[Event], words: Mapping[str, str]) -> tuple[PictureZone, ...]:
    """Return the order blocks that nothing has ended; ``words`` are those of the picture."""
    ended = {event.ref for event in events if event.kind in ZONE_ENDS}
    return tuple(
        PictureZone(
            event.time,
            float(event.values["top"]),
            float(event.values["bottom"]),
            event.direction,
            words["zone.long" if event.direction > 0 else "zone.short"],
        )
        for event in events
        if event.kind == "ob_formed" and event.id not in ended
    )


def newest_flags(events: Sequence[Event], first: int, length: int) -> tuple[PictureFlag, ...]:
    """Return the newest flags that broke out after ``first``, oldest first; ``length``: of a candle, in ms."""
    found = [event for event in events if event.kind == "flag_breakout" and event.confirmed_at > first]
    return tuple(flag_of_breakout(event_dto(event), length) for event in found[-MOST_FLAGS:])
