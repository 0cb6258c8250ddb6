"""How fast Telegram may be written to, and how long to wait for the next message: sums over given times, no clock.

Source: Telegram's bot FAQ, "My bot is hitting limits": about 1 message a second in a chat, 20 a minute in a group, 30 a
second over all chats.
"""

from __future__ import annotations

from collections import deque

CHAT_MS = 1_000
GROUP_MS, A_GROUP = 60_000, 20
ALL_MS, OVER_ALL = 1_000, 30


class Rates:
    """What was sent lately. Times are ms of one clock; a chat with a negative number is a group."""

    def __init__(self) -> None:
        self._all: deque[int] = deque(maxlen=OVER_ALL)
        self._chats: dict[int, deque[int]] = {}

    def wait_ms(self, chat: int, now: int) -> int:
        """Return how long ``chat`` must wait for its next message, 0 when it may be sent."""
        sent = self._chats.get(chat)
        free = [0]
        if sent:
            free.append(sent[-1] + CHAT_MS)
            if chat < 0 and len(sent) == A_GROUP:
                free.append(sent[0] + GROUP_MS)
        if len(self._all) == OVER_ALL:
            free.append(self._all[0] + ALL_MS)
        return max(max(free) - now, 0)

    def sent(self, chat: int, now: int) -> None:
        """Count a message to ``chat``."""
        self._all.append(now)
        self._chats.setdefault(chat, deque(maxlen=A_GROUP)).append(now)
