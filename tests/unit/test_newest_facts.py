"""Newest facts: said when they change, and again in time, not every minute of every symbol."""

from __future__ import annotations

from trading_system.bus.memory import MemoryBus
from trading_system.services.newest_facts import AGAIN_AFTER, NewestFacts


class Counting(MemoryBus):
    """A bus that remembers under which step each fact was kept."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[str, int, bytes]] = []

    async def put_newest(self, key: str, order: int, payload: bytes, ttl_s: float) -> None:
        self.kept.append((key, order, payload))
        await super().put_newest(key, order, payload, ttl_s)


async def test_a_fact_is_kept_when_it_changes_and_again_before_it_dies() -> None:
    bus = Counting()
    facts = NewestFacts(bus)
    for step in range(1, 2 * AGAIN_AFTER + 1):
        await facts.keep("Account", step, b"same")
    assert [order for _, order, _ in bus.kept] == [1, 1 + AGAIN_AFTER]
    await facts.keep("Account", 2 * AGAIN_AFTER + 1, b"other")
    assert await bus.newest("Account") == b"other"


async def test_a_fact_that_is_gone_is_said_at_once() -> None:
    bus = Counting()
    facts = NewestFacts(bus)
    await facts.keep("BTCUSDT_Position", 1, b"held")
    await facts.keep("BTCUSDT_Position", 2, b"")
    assert await bus.newest("BTCUSDT_Position") is None
    assert len(bus.kept) == 2


async def test_each_key_is_a_fact_of_its_own() -> None:
    bus = Counting()
    facts = NewestFacts(bus)
    await facts.keep("A", 1, b"x")
    await facts.keep("B", 1, b"x")
    assert [key for key, _, _ in bus.kept] == ["A", "B"]
