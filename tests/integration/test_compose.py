"""The deployment read and started by the programs themselves, as far as they run without a container engine."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from trading_system.database import open_bus

ROOT = Path(__file__).parents[2]
PASSWORD = "f3a91c07d4b8e652a0c4"
PATIENCE_S = 20.0


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is missing; `make servers` installs it")
    return found


def compose(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(
        [tool("docker-compose"), *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder as it is after `cp .env.example .env`."""
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    shutil.copy(ROOT / ".env.example", tmp_path / ".env")
    return tmp_path


@pytest.mark.slow
def test_docker_compose_takes_the_file_with_an_untouched_copy_of_the_example(checkout: Path) -> None:
    result = compose(checkout, "config", "-q")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.slow
def test_docker_compose_refuses_a_file_that_is_wrong(checkout: Path) -> None:
    """The control: the same question about a file with a word that there is not."""
    path = checkout / "docker-compose.yml"
    path.write_text(path.read_text(encoding="utf-8").replace("  read_only: true", "  reed_only: true"), "utf-8")
    result = compose(checkout, "config", "-q")
    assert result.returncode != 0
    assert "reed_only" in result.stderr


@pytest.mark.slow
def test_passwords_and_keys_reach_the_containers_that_need_them_and_no_others(checkout: Path) -> None:
    """What docker-compose makes of the file and a filled .env, as it would hand it to the engine."""
    given = {"REDIS_PASSWORD": PASSWORD, "MONGO_PASSWORD": PASSWORD[::-1], "TELEGRAM_TOKEN": "123:token"}
    given |= {"TRADING_API_KEY": "the-key", "TRADING_API_SECRET": "the-signature", "TRADING_SIGNAL_INTERVAL": "5m"}
    (checkout / ".env").write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    result = compose(checkout, "config")
    assert result.returncode == 0, result.stderr
    told = {name: one.get("environment", {}) for name, one in yaml.safe_load(result.stdout)["services"].items()}
    line = set(told) - {"redis", "mongodb"}

    def who_knows(secret: str) -> set[str]:
        return {name for name, environment in told.items() if secret in json.dumps(environment)}

    assert who_knows(PASSWORD) == {*line, "redis"}
    assert who_knows(PASSWORD[::-1]) == {*line, "mongodb"}
    assert who_knows("123:token") == {"telegram_engine"}
    assert who_knows("the-key") == who_knows("the-signature") == {"execution_engine"}
    assert who_knows("5m") == line
    assert {told[name]["BUS_URL"] for name in line} == {f"redis://:{PASSWORD}@redis:6379/0"}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A Redis as its container starts it: its port and its process."""
    tool("redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "REDIS_PASSWORD": PASSWORD,
        "REDIS_PORT": str(port),
        "SERVER_CONFIG": str(tmp_path / "redis.conf"),
    }
    command = ["/bin/sh", str(ROOT / "deploy" / "start_server.sh"), "redis"]
    server = subprocess.Popen(command, env=environment)  # pytest shows what it says when the test fails
    try:
        yield port, server
    finally:
        server.terminate()
        server.wait(timeout=PATIENCE_S)


def asked(port: int, *words: str, password: str = PASSWORD) -> str:
    command = [tool("redis-cli"), "-p", str(port), *words]
    environment = {"PATH": os.environ["PATH"], "REDISCLI_AUTH": password}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout.strip()


def wait_for(port: int) -> None:
    ends = time.monotonic() + PATIENCE_S
    while asked(port, "PING") != "PONG":
        assert time.monotonic() < ends, "Redis did not answer"
        time.sleep(0.05)


@pytest.mark.slow
def test_redis_asks_for_its_password_and_gives_no_right_to_administer_it(
    redis: tuple[int, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    port, server = redis
    wait_for(port)
    assert "NOAUTH" in asked(port, "PING", password="")
    assert (asked(port, "SET", "Account", "{}", "EX", "5"), asked(port, "GET", "Account")) == ("OK", "{}")
    assert asked(port, "PUBLISH", "BTCUSDT_Close_Candle", "{}") == "0"
    assert asked(port, "EVAL", "return redis.call('GET', KEYS[1])", "1", "Account") == "{}"
    words = ("FLUSHALL", "CONFIG GET *", "ACL LIST", "SHUTDOWN", "KEYS *", "REPLICAOF a 1")
    forbidden = {word: asked(port, *word.split()) for word in words}
    assert {word for word, said in forbidden.items() if "NOPERM" not in said} == set()
    assert PASSWORD.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()
    assert (tmp_path / "redis.conf").stat().st_mode & 0o077 == 0


@pytest.mark.slow
async def test_the_bus_needs_no_right_that_the_container_s_redis_does_not_give(
    redis: tuple[int, subprocess.Popen[bytes]],
) -> None:
    port, _ = redis
    wait_for(port)
    bus = open_bus(f"redis://:{PASSWORD}@127.0.0.1:{port}/0")
    await bus.connect()
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    await bus.subscribe("BTCUSDT_Close_Candle", heard.put)
    await bus.publish("BTCUSDT_Close_Candle", b'{"symbol": "BTCUSDT"}')
    assert await asyncio.wait_for(heard.get(), PATIENCE_S) == b'{"symbol": "BTCUSDT"}'
    await bus.put_newest("Account", 1, b"{}", 60.0)
    await bus.close()  # sends what is queued
    assert asked(port, "GET", "Account") == "{}"
