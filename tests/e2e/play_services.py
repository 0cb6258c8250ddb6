"""`make services`: the services apart, undisturbed and with everything that may befall them, as a table.

With ``TRADING_SHARED`` set two real days are played, otherwise two seeded ones.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

# What pytest finds by its settings.
sys.path += [str(Path(__file__).parents[1] / folder) for folder in ("servers", "unit")]

import mongo_server
from line_processes import Played, assert_equal, played
from redis_server import RedisServer
from service_plays import DAY_MINUTES, everything, proxy_before, real_ground, seeded_ground


def show(name: str, done: Played) -> None:
    sys.stdout.write(
        f"{name}: fingerprint {done.fingerprint}, {done.run.summary['trades']} trades, {done.steps:,} steps, "
        f"{done.seconds:.0f} s, {done.ms_a_step:.1f} ms a step\n"
    )
    for process, pids in done.pids.items():
        sys.stdout.write(f"  {process:<20}{' then '.join(map(str, pids))}\n")
    sys.stdout.flush()


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        redis = RedisServer(folder)
        try:
            ground = real_ground(folder) if os.environ.get("TRADING_SHARED") else seeded_ground(folder, 2 * DAY_MINUTES)
            sys.stdout.write(f"backtest: fingerprint {ground.fingerprint}, {ground.trades} trades\n")
            with mongo_server.running(folder) as mongo, proxy_before(mongo.port) as proxy:
                calm = played(ground.play, folder / "calm", redis.url, mongo.url())
                show("eight processes", calm)
                url = mongo.url().replace(f":{mongo.port}", f":{proxy.port}")
                disturbances = everything(redis, proxy)
                stormy = played(ground.play, folder / "stormy", redis.url, url, disturbances)
                show("eight processes, disturbed", stormy)
        finally:
            redis.stop()
        for one in sorted(disturbances, key=lambda one: one.share):
            sys.stdout.write(f"  at {one.share:4.0%} of the market: {one.name}\n")
        for name in ("calm", "stormy"):
            assert_equal(folder / name, ground.backtest)
    same = {calm.fingerprint, stormy.fingerprint} == {ground.fingerprint}
    sys.stdout.write("all equal to the backtest, step by step\n" if same else "FAILED: the fingerprints differ\n")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
