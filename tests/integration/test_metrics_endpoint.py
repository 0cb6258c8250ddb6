"""The metrics as Prometheus scrapes them, and the health page as a supervisor asks it."""

from __future__ import annotations

import socket
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sample_trades import MINUTE, plan_at
from watched_line import SYMBOL, WATCHED, WatchedLine

from trading_system.services.monitoring_engine.endpoint import MetricsEndpoint, MetricsPortError
from trading_system.services.monitoring_engine.metrics import METERS

LOOPBACK = "127.0.0.1"
Values = dict[tuple[str, str], float]


class Scraper:
    """Asks a served line."""

    def __init__(self, http: aiohttp.ClientSession, port: int) -> None:
        self._http = http
        self._base = f"http://{LOOPBACK}:{port}"

    async def metrics(self) -> Values:
        """Return each sample by its name and the value of its label."""
        async with self._http.get(f"{self._base}/metrics") as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            text = await answer.text()
        values: Values = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                values[sample.name, next(iter(sample.labels.values()), "")] = sample.value
        return values

    async def health(self) -> tuple[int, list[str]]:
        async with self._http.get(f"{self._base}/healthz") as answer:
            said = await answer.json()
            assert said["ok"] == (answer.status == 200)
            return answer.status, said["troubles"]


async def test_a_scrape_holds_the_account_s_numbers_and_leaves_out_what_is_not_known(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path, free_disk_bytes=lambda: 7_000_000_000)
    await line.begin()
    endpoint = MetricsEndpoint(line.engine, LOOPBACK, 0)
    async with aiohttp.ClientSession() as http:
        scraper = Scraper(http, await endpoint.start())
        assert set(await scraper.metrics()) == {("trading_messages_refused_total", "monitoring_engine")}
        await line.minute(101.0, plans=[plan_at((line.desk.step + 1) * MINUTE)])
        await line.desk.fill("e", 100.0, fee=2.5)
        for _ in range(14):
            await line.minute(101.5)
        await line.pass_time(3)
        await line.sign("data_feed", step=line.desk.step, progress={"cut": 2, "repaired": 5, "gaps": 3, "lag_ms": 740})
        await line.engine.poll()
        line.clock.now_ms += 2_000
        values = await scraper.metrics()
        account = line.desk.execution.account
        assert values["trading_equity_quote", ""] == 10_000.0 - 2.5 + 75.0 == account.equity
        assert values["trading_wallet_quote", ""] == account.wallet == 9_997.5
        expected = {
            "quantity": 50.0,
            "entry_price": 100.0,
            "last_price": 101.5,
            "stop_price": 98.0,
            "unrealised_quote": 75.0,
            "r": (75.0 - 2.5) / 100.0,
            "protected": 1.0,
            "unprotected_seconds": 0.0,
        }
        assert {name: values[f"trading_position_{name}", SYMBOL] for name in expected} == expected
        assert {name: values["trading_service_up", name] for name in WATCHED} == dict.fromkeys(WATCHED, 1.0)
        assert values["trading_service_step", "execution_engine"] == line.desk.step
        assert values["trading_service_heartbeat_age_seconds", "data_feed"] == 2.0
        assert values["trading_orders_total", "entry"] == 1
        assert values["trading_fills_total", "entry"] == 1
        assert values["trading_feed_cuts_total", ""] == 2
        assert values["trading_feed_gaps_total", ""] == 3
        assert values["trading_feed_close_lag_milliseconds", ""] == 740
        assert values["trading_disk_free_bytes", ""] == 7e9
        assert values["trading_view_age_seconds", ""] == 2.0
        assert values["trading_orders_unknown", ""] == 0
        names = {name for name, _ in values}
        assert names <= {meter.name for meter in METERS}
        assert names.isdisjoint({"trading_clock_offset_seconds", "trading_candle_age_seconds"})
        await line.desk.fill("s", 98.0)
        await line.minute(98.0)
        await line.pass_time(1)
        values = await scraper.metrics()
        assert not any(name.startswith("trading_position_") for name, _ in values)
        assert values["trading_trades_closed_total", "stop"] == 1
        assert values["trading_earned_quote", ""] == -102.5
    await endpoint.stop()
    await endpoint.stop()
    await line.end()


async def test_the_health_page_fails_by_progress_and_not_by_life(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path)
    await line.begin()
    endpoint = MetricsEndpoint(line.engine, LOOPBACK, 0)
    async with aiohttp.ClientSession() as http:
        scraper = Scraper(http, await endpoint.start())
        assert await scraper.health() == (503, ["store_silent store"])
        await line.minute(101.0)
        await line.pass_time(5)
        assert await scraper.health() == (200, [])
        line.beating.discard("indicator_engine")
        for stood, status in ((10.0, 200), (100.0, 503)):
            for _ in range(6):
                await line.desk.minute(101.0)  # the swings' room stands still, however alive it is
            await line.sign("indicator_engine", step=1, progress={"stood_s": stood})
            await line.pass_time(1)
            assert await scraper.health() == (status, ["service_behind indicator_engine"] * (status == 503))
        await line.pass_time(30)
        assert (await scraper.health())[1] == ["service_silent indicator_engine"]
        async with http.get(f"{scraper._base}/") as answer:
            assert answer.status == 404
    await endpoint.stop()
    await line.end()


async def test_a_port_that_is_taken_or_an_address_that_is_none_of_ours_gets_one_sentence(tmp_path: Path) -> None:
    line = WatchedLine(tmp_path)
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(MetricsPortError, match=rf"expected a free port .*, was a port in use \({port}\)"):
            await MetricsEndpoint(line.engine, LOOPBACK, port).start()
    with pytest.raises(MetricsPortError, match=r"was 203\.0\.113\.7:0 \("):
        await MetricsEndpoint(line.engine, "203.0.113.7", 0).start()
