"""What a step of the whole line costs in each size: memory or Redis, SQLite or MongoDB, one process or eight.

FerretDB over SQLite stands in for MongoDB, so no speed of MongoDB is claimed. Setups on every minute: while a trade
lives no minutes are played in a stretch, so this is the dearest market there is for lockstep.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path

from measure.figures import Figure
from results import report

from trading_system.research.candle_inputs import read_inputs
from trading_system.settings import settings_with
from trading_system.simulated_run import run_replay

sys.path += [str(Path(__file__).parents[1] / "tests" / folder) for folder in ("e2e", "servers", "unit")]
from line_processes import played
from mongo_server import running
from redis_server import RedisServer
from service_plays import Ground, seeded_ground

MINUTES = 400
RUNS = 3


def main() -> None:
    """Measure and print; every run must have the trades of the backtest."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ground = seeded_ground(folder, MINUTES)
        redis = RedisServer(folder)
        try:
            with running(folder) as mongo:
                sizes = {
                    "memory + SQLite": lambda: ("memory://", ""),
                    "Redis + SQLite": lambda: (redis.url, ""),
                    "Redis + MongoDB-compatible": lambda: (redis.url, mongo.url()),
                }
                figures = [
                    Figure(f"one process: {name}", "ms/step wall", [in_one(ground, *urls()) for _ in range(RUNS)])
                    for name, urls in sizes.items()
                ]
                figures += [
                    Figure(
                        f"eight processes: {name}",
                        "ms/step wall",
                        [in_eight(ground, folder / f"{n}-{run}", *urls()) for run in range(RUNS)],
                    )
                    for n, (name, urls) in enumerate(sizes.items())
                    if n
                ]
        finally:
            redis.stop()
    report(f"A step of the line over {MINUTES} minutes, {ground.trades} trades, exchange included", figures)


def in_one(ground: Ground, bus_url: str, database_url: str) -> float:
    """Return ms a step of the line in one process, from the end of the warm-up on."""
    play = ground.play
    settings = settings_with(play.settings).model_copy(update={"bus_url": bus_url, "database_url": database_url})
    inputs = read_inputs([play.candles], [play.symbol], settings, None)
    quiet: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        run = run_replay(
            inputs, settings, Path(folder, "line"), stepped=lambda step: quiet.append((step, time.perf_counter()))
        )
        require_same(str(asyncio.run(run).summary["fingerprint"]), ground)
    return (quiet[-1][1] - quiet[0][1]) * 1000 / (quiet[-1][0] - quiet[0][0])


def in_eight(ground: Ground, folder: Path, bus_url: str, database_url: str) -> float:
    """Return ms a step of the line in eight processes, from the first report of the line on."""
    done = played(ground.play, folder, bus_url, database_url)
    require_same(done.fingerprint, ground)
    return done.ms_a_step


def require_same(fingerprint: str, ground: Ground) -> None:
    """Refuse the time of a run that traded otherwise. Raises: RuntimeError."""
    if fingerprint != ground.fingerprint:
        raise RuntimeError(f"expected the trades of the backtest, {ground.fingerprint}, was {fingerprint}")


if __name__ == "__main__":
    main()
