"""One whole line whose services meet on a real Redis server: the same trades, whatever happens to the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from program import program, sets
from redis_server import PASSWORD, RedisServer
from small_markets import QUICK, made_market, quick_settings, small_market, small_settings, write_candles

from trading_system.research.candle_inputs import CandleInputs
from trading_system.research.parity import compare
from trading_system.research.runs import Run, run_backtest, write
from trading_system.settings import Settings
from trading_system.simulated_run import run_replay

DAY = 1_440
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]


def over_redis(server: RedisServer) -> tuple[Settings, CandleInputs]:
    settings = quick_settings("min_rr=1", f"bus_url={server.url}")
    return settings, made_market(settings, 3, SYMBOLS, DAY)


def assert_as_the_backtest(
    folder: Path, settings: Settings, inputs: CandleInputs, stepped: Callable[[int], None]
) -> Run:
    line, backtest = (
        asyncio.run(run_replay(inputs, settings, folder / "line", stepped=stepped)),
        run_backtest(inputs, settings),
    )
    write(folder / "line", line)
    write(folder / "backtest", backtest)
    difference = compare(folder / "line", folder / "backtest").difference
    assert difference is None, difference.sentence()
    assert line.summary["fingerprint"] == backtest.summary["fingerprint"]
    assert line.summary["trades"] > 5
    return line


@pytest.mark.slow
def test_a_line_over_redis_trades_as_the_backtest_and_keeps_what_is_newest(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    settings, inputs = over_redis(redis_server)
    line = assert_as_the_backtest(tmp_path, settings, inputs, lambda _: None)
    written = [path for path in tmp_path.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert written == []
    kept = redis_server.cli("KEYS", "*").split()
    for symbol in SYMBOLS:
        assert {f"{symbol}_Last_Candle", f"{symbol}_Last_HL"} < set(kept)
        assert any(f"{symbol}_Nearest_Order_Block_{side}" in kept for side in ("Long", "Short"))
    account = json.loads(redis_server.cli("GET", "Account"))
    assert account["equity"] == pytest.approx(line.summary["equity_final"])
    open_now = {symbol for symbol in SYMBOLS if f"{symbol}_Position" in kept}
    assert open_now == set(account["positions"])


@pytest.mark.slow
def test_a_server_that_dies_hangs_and_throws_clients_out_changes_no_trade(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    settings, inputs = over_redis(redis_server)
    troubles: dict[int, Callable[[], object]] = {
        60: redis_server.kill,
        66: redis_server.start,
        200: lambda: redis_server.cli("CLIENT", "KILL", "TYPE", "pubsub"),
        260: lambda: redis_server.cli("CLIENT", "KILL", "TYPE", "normal"),
        320: redis_server.freeze,
        324: redis_server.thaw,
        400: lambda: redis_server.cli("FLUSHALL"),
        460: redis_server.kill,
        461: redis_server.start,
    }
    moments = iter(range(DAY))
    done: list[int] = []

    def stepped(step: int) -> None:
        now = next(moments)
        for due in [one for one in troubles if one <= now and one not in done]:
            done.append(due)
            troubles[due]()

    assert_as_the_backtest(tmp_path, settings, inputs, stepped)
    assert done == list(troubles)


def test_a_wrong_password_is_one_sentence_at_the_start(tmp_path: Path, redis_server: RedisServer) -> None:
    candles = write_candles(tmp_path / "BTCUSDT.csv", small_market(small_settings()).candles["BTCUSDT"])
    wrong = redis_server.url.replace(PASSWORD, f"not-{PASSWORD}")
    words = ("run", "--replay", candles, "--symbol", "BTCUSDT", *sets(QUICK), "--out", tmp_path / "out")
    done = program(*words, cwd=tmp_path, extra={"BUS_URL": wrong})
    assert done.returncode != 0
    said = done.stderr.strip().splitlines()
    assert said[-1].removeprefix("error: ").startswith("BUS_URL: expected redis://127.0.0.1:")
    assert said[-1].endswith("correct the user or password in .env")
    assert "Traceback" not in done.stderr
    assert f"not-{PASSWORD}" not in done.stderr + done.stdout
