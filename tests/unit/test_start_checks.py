"""What a service refuses to start with, in the words a person reads, in the program and in the servers' containers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trading_system.secret import Secret
from trading_system.setting_sources import dotenv_values
from trading_system.settings import Settings, TelegramSettings
from trading_system.start_checks import (
    StartRefusedError,
    open_bot,
    open_files,
    require_safe_start,
    weak_passwords,
    weakness_of,
)

ROOT = Path(__file__).parents[2]
GOOD = "f3a91c07d4b8e652a0c4"

PASSWORDS = [
    ("", "none"),
    ("redis", "a shorter one"),
    ("hunter2", "a shorter one"),
    ("f3a91c07d4b", "a shorter one"),
    ("Password12345678", "one that is easily guessed"),
    ("change-me-change-me", "one that is easily guessed"),
    ("C.h.a.n.g.e.M.e~now", "one that is easily guessed"),
    ("my-trading-secret", "one that is easily guessed"),
    ("123456789012345678", "one that is easily guessed"),
    ("abababababababababab", "one that is easily guessed"),
    ("f3a91c07/d4b8e652a0c4", "one with other characters"),
    ("f3a91c07 d4b8e652a0c4", "one with other characters"),
    ("f3a91c07@d4b8e652a0c4", "one with other characters"),
    ("كلمة-السر-الطويلة-جدا", "one with other characters"),
    (GOOD, ""),
    ("f3a91c07d4b8", ""),
    ("kiwi.Lantern~harbour_9", ""),
]


def settings(**values: str) -> Settings:
    return Settings(**values)


def sentence(made: Settings, *dotenv: Path) -> str:
    with pytest.raises(StartRefusedError) as caught:
        require_safe_start(made, dotenv)
    return str(caught.value)


def read(refusals: list[StartRefusedError]) -> list[tuple[str, str]]:
    """Return which address each refusal names, and what it says that was there."""
    said = [re.fullmatch(r"(\w+): expected a password .*, was (.+); run .*", str(one)) for one in refusals]
    return [(one[1], one[2]) for one in said if one]


@pytest.mark.parametrize(("password", "weakness"), PASSWORDS)
def test_a_password_that_protects_nothing_is_known(password: str, weakness: str) -> None:
    assert weakness_of(password) == weakness


@pytest.mark.parametrize("server", ["redis", "mongodb"])
@pytest.mark.parametrize(("password", "weakness"), PASSWORDS)
def test_the_servers_containers_refuse_the_same_passwords(
    server: str, password: str, weakness: str, tmp_path: Path
) -> None:
    """The script that starts the servers runs here with servers that only say that they were started."""
    for program in ("redis-server", "docker-entrypoint.sh"):
        (tmp_path / program).write_text("#!/bin/sh\necho started\n")
        (tmp_path / program).chmod(0o755)
    name = {"redis": "REDIS_PASSWORD", "mongodb": "MONGO_INITDB_ROOT_PASSWORD"}[server]
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", name: password, "SERVER_CONFIG": str(tmp_path / "redis.conf")}
    command = ["/bin/sh", str(ROOT / "deploy" / "start_server.sh"), server]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if not weakness:
        assert (result.returncode, result.stdout, result.stderr) == (0, "started\n", "")
        return
    assert (result.returncode, result.stdout, len(result.stderr.splitlines())) == (78, "", 1)
    assert f"was {weakness}; run deploy/fill_env.sh" in result.stderr
    assert not password or password not in result.stderr


@pytest.mark.parametrize(
    ("url", "weakness"),
    [
        ("memory://", ""),
        (f"redis://:{GOOD}@redis:6379/0", ""),
        ("redis://redis:6379/0", "none"),
        ("redis://:@redis:6379/0", "none"),
        ("rediss://trader:redis@cache.example.org/0", "a shorter one"),
        ("redis://127.0.0.1:6379/0", ""),
        ("redis://localhost/0", ""),
        ("redis://[::1]:6379/0", ""),
        ("redis://:redis@localhost/0", "a shorter one"),
        ("redis://localhost.example.org/0", "none"),
        ("redis://127.0.0.1@evil.example.org/0", "none"),
        ("unix:///run/redis.sock", ""),
    ],
)
def test_a_bus_on_another_machine_needs_a_password(url: str, weakness: str) -> None:
    found = weak_passwords(settings(bus_url=url))
    assert read(found) == ([("BUS_URL", weakness)] if weakness else [])


@pytest.mark.parametrize(
    ("url", "weakness"),
    [
        ("", ""),
        ("sqlite:///store.db", ""),
        (f"mongodb://trading:{GOOD}@mongodb:27017/trading?authSource=admin", ""),
        ("mongodb://trading:@mongodb:27017/trading?authSource=admin", "none"),
        ("mongodb://mongodb/trading", "none"),
        ("mongodb://trading:trading@mongodb/trading", "a shorter one"),
        ("mongodb://127.0.0.1:27017/trading", ""),
        ("mongodb://127.0.0.1:27017,10.0.0.7:27017/trading", "none"),
        (f"mongodb+srv://trading:{GOOD}@cluster.example.org/trading", ""),
        ("mongodb+srv://trading:pass%77ord@cluster.example.org/trading", "a shorter one"),
    ],
)
def test_a_store_on_another_machine_needs_a_password(url: str, weakness: str) -> None:
    found = weak_passwords(settings(database_url=url))
    assert read(found) == ([("DATABASE_URL", weakness)] if weakness else [])


def test_a_file_of_secrets_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    assert open_files([path]) == []
    path.write_text(f"REDIS_PASSWORD={GOOD}\n")
    for mode in (0o600, 0o400):
        path.chmod(mode)
        require_safe_start(settings(), [path])
    for mode in (0o644, 0o640, 0o604, 0o602):
        path.chmod(mode)
        assert sentence(settings(), path) == (
            f"{path}: expected a file that only its owner can read (mode 600), was mode {mode:o}; "
            "run `chmod 600 .env` and start again"
        )


def test_the_first_refusal_is_said_whole_and_the_others_are_counted() -> None:
    made = settings(bus_url="redis://:redis@redis/0", database_url="mongodb://mongodb/trading")
    assert sentence(made) == (
        "BUS_URL: expected a password of your own (12 or more of A-Z a-z 0-9 . _ ~ -, no well-known word), was a "
        "shorter one; run deploy/fill_env.sh, or write one into .env (1 more: run `trading-system doctor`)"
    )


def fill(folder: Path) -> str:
    command = ["/bin/sh", str(ROOT / "deploy" / "fill_env.sh"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_an_env_is_made_with_passwords_that_pass_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_bytes((ROOT / ".env.example").read_bytes())
    assert fill(tmp_path).count("is filled in") == 2
    path = tmp_path / ".env"
    assert open_files([path]) == []
    made = {one.name: one.value for one in dotenv_values(path)}
    assert set(made) == {"REDIS_PASSWORD", "MONGO_PASSWORD"}
    assert len(set(made.values())) == 2
    assert [weakness_of(password) for password in made.values()] == ["", ""]
    assert fill(tmp_path) == ""
    assert {one.name: one.value for one in dotenv_values(path)} == made


def test_what_is_filled_in_stays_and_a_line_that_is_missing_is_added(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(f"TELEGRAM_TOKEN=1:abc\nMONGO_PASSWORD={GOOD}\n")
    path.chmod(0o644)
    assert fill(tmp_path).count("is filled in") == 1
    made = {one.name: one.value for one in dotenv_values(path)}
    assert (made["TELEGRAM_TOKEN"], made["MONGO_PASSWORD"]) == ("1:abc", GOOD)
    assert weakness_of(made["REDIS_PASSWORD"]) == ""


def test_a_service_says_why_it_does_not_start_in_one_sentence(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRADING_")}
    environment |= {"PYTHONPATH": str(ROOT), "TRADING_SYMBOLS": "BTCUSDT", "BUS_URL": "redis://:redis@redis:6379/0"}
    command = [sys.executable, "-m", "trading_system.cli", "run", "data_feed"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert "BUS_URL: expected a password of your own" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_bot_that_nobody_may_command_and_nobody_can_pair_with_is_refused() -> None:
    token = Secret("1:two")
    shut = TelegramSettings(pairing=False)
    (refused,) = open_bot(Settings(telegram_token=token, telegram=shut))
    assert str(refused).startswith("TELEGRAM_TOKEN: expected an allowed chat or pairing beside it, was neither;")
    assert open_bot(Settings(telegram_token=token)) == []
    assert open_bot(Settings(telegram_token=token, telegram=TelegramSettings(chats=("1:owner",), pairing=False))) == []
    assert open_bot(Settings(telegram=shut)) == []
