"""Each service as a process of its own, on Redis and a MongoDB-compatible store: the trades of the one process."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from line_processes import Stage, assert_equal, played
from mongo_server import MongoServer, running
from redis_server import RedisServer
from service_plays import everything, proxy_before, real_ground, seeded_ground

from trading_system.app import ALERTS
from trading_system.contracts import SERVICES
from trading_system.service_run import FOLDER

CARELESS = (sys.executable, str(Path(__file__).with_name("careless_service.py")))
STILL_S = 5.0  # a line that heals goes on within a tenth of this


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    with running(tmp_path_factory.mktemp("mongo")) as server:
        yield server


def alerts_in(folder: Path) -> int:
    """How many signals the Telegram engine has told, without a token into a folder."""
    return len(list((folder / FOLDER / ALERTS).glob("*.txt")))


@pytest.mark.slow
@pytest.mark.shared
def test_eight_processes_trade_two_real_days_like_one(tmp_path: Path, redis: RedisServer) -> None:
    """Redis and one SQLite file; on a database server the days are played below, with all that may befall them."""
    ground = real_ground(tmp_path)
    assert ground.trades >= 20
    done = played(ground.play, tmp_path / "apart", redis.url, "")
    assert done.fingerprint == ground.fingerprint
    assert_equal(tmp_path / "apart", ground.backtest)
    assert alerts_in(tmp_path / "apart") == done.run.summary["signals"]
    pids = [pid for process in done.pids.values() for pid in process]
    assert len(set(pids)) == len(SERVICES) + 2


@pytest.mark.slow
@pytest.mark.shared
def test_eight_processes_lose_nothing_whatever_dies_or_is_cut(
    tmp_path: Path, redis: RedisServer, mongo: MongoServer
) -> None:
    ground = real_ground(tmp_path)
    with proxy_before(mongo.port) as proxy:
        url = mongo.url().replace(f":{mongo.port}", f":{proxy.port}")
        done = played(ground.play, tmp_path / "apart", redis.url, url, everything(redis, proxy), order=SERVICES)
    assert done.fingerprint == ground.fingerprint
    assert_equal(tmp_path / "apart", ground.backtest)
    assert all(len(done.pids[name]) == 2 for name in SERVICES)
    assert alerts_in(tmp_path / "apart") == done.run.summary["signals"]


@pytest.mark.slow
def test_services_share_one_file_on_a_machine_without_a_database_server(tmp_path: Path, redis: RedisServer) -> None:
    ground = seeded_ground(tmp_path, 400)
    assert ground.trades > 0
    done = played(ground.play, tmp_path / "apart", redis.url, "")
    assert done.fingerprint == ground.fingerprint
    assert alerts_in(tmp_path / "apart") == done.run.summary["signals"] > 0
    assert_equal(tmp_path / "apart", ground.backtest)


@pytest.mark.slow
def test_a_service_that_looks_nothing_up_loses_what_it_did_not_hear(tmp_path: Path, redis: RedisServer) -> None:
    """The control: one that does not catch up leaves the line for ever at the first step that was rung for nobody."""
    ground = seeded_ground(tmp_path, 400)
    stage = Stage(ground.play, tmp_path, redis.url, "")
    try:
        stage.open()
        stage.wait_for(stage.state()["first_step"] + 100)
        room = stage.services["indicator_engine"]
        room.kill()
        stood = stage.state()["step"]
        room.command = CARELESS
        room.start()
        while room.log.read_text().count("indicator_engine runs") < 2:
            stage.require_alive()
        time.sleep(STILL_S)  # that nothing happens can be seen in no other way
        assert stage.state()["step"] <= stood + 1
        assert stage.conductor.ended() is None
    finally:
        stage.close()
