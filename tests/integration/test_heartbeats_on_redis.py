"""Heartbeats on a real Redis server, as the commands of another process read them."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from redis_server import RedisServer, free_port
from sample_line import EXCHANGE, demo_instruments

from trading_system.bus.redis import RedisBus
from trading_system.cli import main
from trading_system.contracts import SERVICES, AlertDTO, HealthDTO, from_ms, health_key, serialize
from trading_system.database import open_store
from trading_system.languages.isolates import ISOLATE
from trading_system.line_terms import hold_to_terms
from trading_system.services.heartbeat import KEPT_S, Heartbeat, heartbeats
from trading_system.services.room import ALERTS, WHOLE_ACCOUNT
from trading_system.services.vital_signs import Limits, Vitals
from trading_system.settings import settings_with
from trading_system.store.port import Stream

STEP = 28_000_000


class Told(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Told]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)

    def run(*words: str, bus: str) -> Told:
        monkeypatch.setenv("BUS_URL", bus)
        monkeypatch.setattr(sys, "argv", ["trading-system", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Told(ended.value.code, out, err)

    return run


class Worker:
    """A service that is as a test says."""

    def __init__(self, name: str, step: int) -> None:
        self.name = name
        self.failure: Exception | None = None
        self._step = step

    def health(self) -> Vitals:
        return Vitals(self._step, {}, "next_step")


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def sign(url: str, service: str, *, age_s: float = 0.0, **said: Any) -> None:
    """Let a service have said how it is, some time ago."""

    async def put() -> None:
        bus = RedisBus(url)
        at = wall_ms() - round(age_s * 1000)
        word: HealthDTO = {"service": service, "status": "ok", "time": from_ms(at), "step": STEP, **said}
        await bus.put_newest(health_key(service), at, serialize(word), KEPT_S)
        await bus.close()

    asyncio.run(put())


def test_a_service_that_beats_is_healthy_for_another_process(command: Command, redis_server: RedisServer) -> None:
    async def beat() -> dict[str, HealthDTO]:
        bus = RedisBus(redis_server.url)
        await Heartbeat(bus, [Worker("data_feed", STEP), Worker("strategy_engine", STEP - 1)], wall_ms).beat()
        await bus.close()
        other = RedisBus(redis_server.url)
        try:
            return await heartbeats(other)
        finally:
            await other.close()

    assert set(asyncio.run(beat())) == {"data_feed", "strategy_engine"}
    told = command("health", "strategy_engine", bus=redis_server.url)
    assert (told.code, told.out, told.err) == (0, "✅ strategy_engine is in order.\n", "")
    told = command("health", "strategy_engine", "--json", bus=redis_server.url)
    assert json.loads(told.out) == {"service": "strategy_engine", "ok": True, "trouble": None}


@pytest.mark.parametrize(
    ("said", "kind", "sentence"),
    [
        ({"age_s": 40.0}, "service_silent", "strategy_engine has given no sign for 4"),
        ({"status": "failed", "detail": "ValueError: no"}, "service_failed", "strategy_engine failed: ValueError: no"),
        ({"step": STEP - 9, "progress": {"stood_s": 90.0}}, "service_behind", "is behind the feed by 9 min"),
        ({"age_s": -120.0}, "clock_off", "The clock of strategy_engine is wrong by 1"),
        (None, "service_silent", "strategy_engine has given no sign for 600 s"),
    ],
)
def test_a_service_that_is_silent_failed_or_stands_still_while_the_feed_moves_is_not_healthy(
    command: Command, redis_server: RedisServer, said: dict[str, Any] | None, kind: str, sentence: str
) -> None:
    sign(redis_server.url, "data_feed")
    if said is not None:
        sign(redis_server.url, "strategy_engine", **said)
    told = command("health", "strategy_engine", bus=redis_server.url)
    assert told.code == 1
    assert sentence in told.out
    told = command("health", "strategy_engine", "--json", bus=redis_server.url)
    assert (told.code, json.loads(told.out)["trouble"]["kind"]) == (1, kind)


def test_one_that_is_behind_and_moves_is_catching_up(command: Command, redis_server: RedisServer) -> None:
    sign(redis_server.url, "data_feed")
    sign(redis_server.url, "strategy_engine", step=STEP - 5_000, progress={"stood_s": Limits().stuck_s})
    assert command("health", "strategy_engine", bus=redis_server.url).code == 0


def test_health_is_spoken_in_arabic(command: Command, redis_server: RedisServer) -> None:
    told = command("health", "data_feed", "--lang", "ar", bus=redis_server.url)
    assert told.code == 1
    assert f"لم تعطِ الخدمة {ISOLATE}data_feed" in told.out


def test_a_bus_that_is_away_a_bus_in_memory_and_an_unknown_service_get_one_sentence(command: Command) -> None:
    told = command("health", "data_feed", bus=f"redis://127.0.0.1:{free_port()}/0")
    assert told.code == 1
    assert told.err.startswith("BUS_URL: expected an answer of ")
    told = command("health", "data_feed", bus="memory://")
    assert told.code == 2
    assert "expected a bus on which services give their signs" in told.err
    told = command("health", "feed", bus="memory://")
    assert told.code == 2
    assert f"feed: expected one of {' '.join(SERVICES)}" in told.err


@pytest.fixture
def line_of_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Begin a line whose services are processes of their own, and let a person have been told of one trouble."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    began = from_ms(STEP * 60_000)
    alert: AlertDTO = {
        "id": "service_silent:telegram_engine:1",
        "kind": "service_silent",
        "subject": "telegram_engine",
        "over": False,
        "time": began,
        "began": began,
        "numbers": {"age_s": 21},
    }

    async def begin() -> None:
        store = open_store(url)
        await hold_to_terms(store, settings_with([]), demo_instruments("BTCUSDT"), STEP * 60_000)
        await store.append(Stream(ALERTS, EXCHANGE, WHOLE_ACCOUNT), 1, [serialize(alert)], after=None)
        await store.commit()
        await store.close()

    asyncio.run(begin())
    monkeypatch.setenv("DATABASE_URL", url)
    return url


@pytest.mark.usefixtures("line_of_services")
def test_the_status_names_every_service_its_step_its_age_and_what_it_waits_for(
    command: Command, redis_server: RedisServer
) -> None:
    sign(redis_server.url, "data_feed", detail="next_minute", age_s=3.0)
    sign(redis_server.url, "strategy_engine", step=STEP - 7, status="behind", detail="next_step")
    sign(redis_server.url, "execution_engine", status="waiting", detail="venue")
    sign(redis_server.url, "indicator_engine", status="failed", detail="ValueError: no")
    told = command("status", "--json", bus=redis_server.url)
    found = json.loads(told.out)
    assert found["waits_for"] == "the first candles of its history"  # execution lives, though not on this machine
    rows = {row["service"]: row for row in found["services"]}
    assert tuple(rows) == SERVICES
    assert [rows[name]["status"] for name in SERVICES] == ["ok", "failed", "behind", "waiting", "silent", "silent"]
    assert (rows["data_feed"]["waits_for"], rows["data_feed"]["step"]) == ("next_minute", STEP)
    assert 3.0 <= rows["data_feed"]["age_s"] < 15.0
    assert (rows["strategy_engine"]["behind"], rows["indicator_engine"]["failure"]) == (7, "ValueError: no")
    assert rows["telegram_engine"]["step"] is None
    assert found["alerts"] == [
        {
            "kind": "service_silent",
            "subject": "telegram_engine",
            "since": "2023-03-28 10:40",
            "numbers": {"age_s": 21},
        }
    ]
    assert (found["trading"], found["process"], found["mode"]) == (True, None, "paper")
    table = command("status", bus=redis_server.url).out
    assert "telegram_engine has given no sign for 21 s. Since 2023-03-28 10:40." in table
    assert "yes, as services of their own" in table
    assert "the venue to hold what is wanted" in table
    assert "the next step of the service before it" in table
    arabic = command("status", "--lang", "ar", bus=redis_server.url).out
    assert "أن يصير على المنصة ما هو مطلوب" in arabic


@pytest.mark.usefixtures("line_of_services")
def test_the_status_shows_what_the_cache_holds_and_how_old_its_price_is(
    command: Command, redis_server: RedisServer
) -> None:
    at = from_ms(STEP * 60_000)
    block = {"id": "b", "exchange": EXCHANGE, "symbol": "BTCUSDT", "interval": "1h", "direction": 1, "top": 101.5}
    block |= {"bottom": 100.0, "time": at, "confirmed_at": at, "state": "touched", "volume": 1.0, "strength": 1.0}
    candle = {"symbol": "BTCUSDT", "open_time": at, "open": 104.0, "high": 105.0, "low": 103.0, "close": 104.5}
    account = {"exchange": EXCHANGE, "step": STEP + 1, "time": at, "equity": 10_123.0, "wallet": 10_000.0}
    account |= {"peak": 10_123.0, "day_result": 123.0, "day_locked": False, "drawdown_locked": False}
    account |= {"open_risk": 0.0, "positions": [], "waiting": []}
    kept = {"BTCUSDT_Last_Candle": candle, "BTCUSDT_Nearest_Order_Block_Long": block, "Account": account}
    kept["BTCUSDT_Nearest_Order_Block_Short"] = {**block, "symbol": "ETHUSDT", "direction": -1}  # another line's

    async def keep() -> None:
        bus = RedisBus(redis_server.url)
        for key, word in kept.items():
            await bus.put_newest(key, STEP + 1, serialize(word), 60)
        await bus.close()

    asyncio.run(keep())
    sign(redis_server.url, "data_feed", detail="next_minute")
    found = json.loads(command("status", "--json", bus=redis_server.url).out)
    shown = {"bottom": 100.0, "top": 101.5, "interval": "1h", "state": "touched"}
    row = {"symbol": "BTCUSDT", "last": 104.5, "last_minute": "2023-03-28 10:41", "long_block": shown}
    assert found["market"] == [{**row, "short_block": None}]
    assert found["equity"] == 10_123.0
    table = command("status", bus=redis_server.url).out
    assert "BTCUSDT  104.5  2023-03-28 10:41  100 - 101.5 (1h)" in table
    assert "كتلة أوامر شراء" in command("status", "--lang", "ar", bus=redis_server.url).out
    told = command("status", "--json", bus=f"redis://127.0.0.1:{free_port()}/0")
    assert json.loads(told.out)["market"] == [
        {**row, "last": None, "last_minute": None, "long_block": None, "short_block": None}
    ]


@pytest.mark.usefixtures("line_of_services")
def test_the_status_says_that_the_bus_is_away_and_shows_the_rest(command: Command) -> None:
    told = command("status", "--json", bus=f"redis://127.0.0.1:{free_port()}/0")
    assert told.code == 0
    assert told.err.startswith("BUS_URL: expected an answer of ")
    assert json.loads(told.out)["services"] == []
