"""The services of a line by name, from the first to the last: who speaks on ``System_Health``, and what can be run."""

from __future__ import annotations

from typing import Final

SERVICES: Final = (
    "data_feed",
    "indicator_engine",
    "strategy_engine",
    "execution_engine",
    "telegram_engine",
    "monitoring_engine",
)
