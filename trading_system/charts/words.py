"""Every word that the layouts write, in one table, so that a catalogue can take its place.

Names in braces are filled in by the layouts. What arrives ready-made in a picture (setup, reasons, venue) is worded by
whoever makes the picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        "side.long": "LONG",
        "side.short": "SHORT",
        "mode.DEMO": "DEMO",
        "mode.PAPER": "PAPER",
        "mode.LIVE": "LIVE",
        "watermark": "TRADING SYSTEM",
        "unknown": "–",
        # tiles
        "tile.rr": "R:R",
        "tile.risk": "Risk",
        "tile.size": "Size",
        "tile.score": "Score",
        "tile.planned": "Planned R:R",
        "tile.held": "Held",
        "tile.change": "Change",
        "tile.range": "Range",
        "tile.above": "Block above",
        "tile.below": "Block below",
        # the plan's prices beside the chart
        "level.entry": "ENTRY",
        "level.stop": "SL  {percent}",
        "level.target": "TP{number}  {r}",
        "level.exit": "EXIT",
        # what is drawn among the candles
        "pole": "Pole",
        "flag": "Flag",
        "zone.long": "Bullish OB",
        "zone.short": "Bearish OB",
        "swing.HH": "HH",
        "swing.HL": "HL",
        "swing.LH": "LH",
        "swing.LL": "LL",
        "swing.EQH": "EQH",
        "swing.EQL": "EQL",
        # a closed trade
        "closed.setup": "{side} · {setup}",
        "fill.entry": "Entry {price} · {time}",
        "fill.target": "Target {number} {price} · {time}",
        "fill.stop": "Stop {price} · {time}",
        "fill.exit": "Exit {price} · {time}",
        # a chart without a trade
        "chart.facts": "Order blocks {zones} · flags {flags} · swings {swings}",
        "interval.merged": "{interval} × {count}",
        # times
        "month.1": "Jan",
        "month.2": "Feb",
        "month.3": "Mar",
        "month.4": "Apr",
        "month.5": "May",
        "month.6": "Jun",
        "month.7": "Jul",
        "month.8": "Aug",
        "month.9": "Sep",
        "month.10": "Oct",
        "month.11": "Nov",
        "month.12": "Dec",
        "time.day": "{day} {month}",
        "time.moment": "{day} {month} {year} {clock} UTC",
        "time.minutes": "{minutes} m",
        "time.hours": "{hours} h {minutes} m",
        "time.days": "{days} d {hours} h",
    }
)
