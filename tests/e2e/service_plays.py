"""What the services are made to play: real days with many trades, or seeded ones, and all that may befall them."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import fault_proxy
from line_processes import Disturbance, Play, Stage, kills
from redis_server import RedisServer
from small_markets import made_market, quick_settings, write_candles

from trading_system.research.candle_inputs import read_inputs
from trading_system.research.runs import run_backtest, write
from trading_system.settings import settings_with

# Setups on every minute, and limits that leave a losing account trading: two days hold some forty trades.
BUSY = (
    "signal_interval=1m",
    "higher_interval=",
    "warm_up=60",
    "min_rr=0.3",
    "trend=off",
    "ttl=5",
    "day_loss_pct=50",
    "drawdown_pct=90",
)
REAL_FILE, REAL_SYMBOL, REAL_DAY = "BINANCEUSDM_SOLUSDT_1m.csv.gz", "SOLUSDT", 14
WARM_UP_MINUTES, DAY_MINUTES = 60, 1_440
SEED = 3
OUTAGE_S = 2.0


class Ground(NamedTuple):
    """What is played, and the backtest that it must equal."""

    play: Play
    backtest: Path
    fingerprint: str
    trades: int


def real_ground(folder: Path, days: float = 2.0) -> Ground:
    """Cut real days out of their file in ``TRADING_SHARED`` and trade them in a backtest."""
    lines = gzip.decompress(Path(os.environ["TRADING_SHARED"], "data", "ohlcv", REAL_FILE).read_bytes()).splitlines()
    first = 1 + REAL_DAY * DAY_MINUTES
    kept = lines[first : first + WARM_UP_MINUTES + round(days * DAY_MINUTES)]
    candles = folder / f"{REAL_SYMBOL}.csv"
    candles.write_bytes(b"\n".join([lines[0], *kept, b""]))
    return _ground(folder, Play(candles, REAL_SYMBOL, BUSY))


def seeded_ground(folder: Path, minutes: int) -> Ground:
    """Write seeded minutes and trade them in a backtest."""
    rows = made_market(quick_settings(), SEED, ["BTCUSDT"], WARM_UP_MINUTES + minutes).candles["BTCUSDT"]
    return _ground(folder, Play(write_candles(folder / "BTCUSDT.csv", rows), "BTCUSDT", BUSY))


def _ground(folder: Path, play: Play) -> Ground:
    settings = settings_with(play.settings)
    run = run_backtest(read_inputs([play.candles], [play.symbol], settings, None), settings)
    write(folder / "backtest", run)
    return Ground(play, folder / "backtest", str(run.summary["fingerprint"]), int(run.summary["trades"]))


class Proxy:
    """A fault proxy as a process of its own, before a port on loopback."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._said())

    def tell(self, word: str) -> None:
        """Say one word and wait until it is done."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        assert self._said() == "done"

    def _said(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def proxy_before(port: int) -> Iterator[Proxy]:
    command = [sys.executable, fault_proxy.__file__, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Proxy(process)
        finally:
            process.terminate()


def everything(redis: RedisServer, store: Proxy) -> list[Disturbance]:
    """Kill each service once, kill Redis, cut the store's connections and its port, and cut all who subscribe."""

    def lose_redis(stage: Stage) -> None:
        redis.kill()
        stage.wait_for(stage.state()["step"] + 2)  # the line goes on without it, by the store alone
        redis.start()

    def lose_store(stage: Stage) -> None:
        store.tell("refuse")
        time.sleep(OUTAGE_S)  # the outage itself; nothing is hoped for in it
        store.tell("pass")
        stage.wait_for(stage.state()["step"] + 2)

    def cut_store(stage: Stage) -> None:
        del stage
        store.tell("cut")

    def lose_subscribers(stage: Stage) -> None:
        del stage
        redis.cli("CLIENT", "KILL", "TYPE", "pubsub")

    return [
        *kills(),
        Disturbance(0.7, "Redis killed and started again", lose_redis),
        Disturbance(0.8, "the store's port closed and opened again", lose_store),
        Disturbance(0.85, "the store's connections cut", cut_store),
        Disturbance(0.9, "all subscribers' connections killed", lose_subscribers),
    ]
