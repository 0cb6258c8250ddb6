"""config, doctor and init as a person types them: what they print, what they write, how they exit."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from trading_system import doctor
from trading_system.cli import main
from trading_system.doctor import Finding, examine
from trading_system.settings import Settings, load, secret_keys, setting_keys, settings_with
from trading_system.settings_view import first_dotenv, first_file, schema, shown_settings, without_password
from trading_system.venues.market_errors import MarketAwayError


class Told(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Told]


@pytest.fixture(autouse=True)
def bare_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("TRADING_") or name in ("BUS_URL", "DATABASE_URL", "TELEGRAM_TOKEN"):
            monkeypatch.delenv(name)
    usual = os.umask(0o022)
    yield
    os.umask(usual)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*words: str) -> Told:
        monkeypatch.setattr(sys, "argv", ["trading-system", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Told(ended.value.code, out, err)

    return run


def write_dotenv(text: str, mode: int = 0o600) -> None:
    Path(".env").write_text(text)
    Path(".env").chmod(mode)


# --- config


def test_show_says_value_and_origin_of_every_setting(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("trading.toml").write_text("[account]\nequity = 5000\n[swings]\nleft = 3\n")
    write_dotenv("TRADING_API_KEY=canary\n")
    monkeypatch.setenv("TRADING_VENUE__WALK", "nearest")
    told = command("config", "show", "--origin", "--set", "ttl=7")
    assert (told.code, told.err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in told.out.splitlines()}
    assert rows["account.equity"] == ["5000.0", "trading.toml:2"]
    assert rows["swings.left"] == ["3", "trading.toml:4"]
    assert rows["venue.walk"] == ["nearest", "environment", "TRADING_VENUE__WALK"]
    assert rows["plans.ttl"] == ["7", "--set"]
    assert rows["account.leverage"] == ["5.0", "default"]
    assert rows["api_key"] == ["***", ".env:1"]
    assert rows["telegram_token"] == ["(empty)", "default"]
    assert rows.keys() >= setting_keys().keys() | secret_keys().keys()
    assert "canary" not in told.out


def test_show_prints_one_object_with_or_without_origins(command: Command) -> None:
    plain = json.loads(command("config", "show", "--json").out)
    assert plain["account.equity"] == 10_000.0
    assert plain["plans.setups"] == ["order_block", "flag"]
    origins = json.loads(command("config", "show", "--json", "--origin").out)
    assert origins["data_folder"] == {"value": "data", "origin": "default"}


@pytest.mark.parametrize(
    "words", [("config", "check", "--config", "mine.toml"), ("--config=mine.toml", "config", "check")]
)
def test_check_names_every_problem_on_a_line_of_its_own(command: Command, words: tuple[str, ...]) -> None:
    Path("mine.toml").write_text("[account]\nequity = -1\nleverge = 2\n")
    told = command(*words)
    assert (told.code, told.out) == (2, "")
    assert told.err.splitlines() == [
        "error: mine.toml:3 account.leverge: no such setting; did you mean account.leverage?",
        "error: mine.toml:2 account.equity: expected greater than 0, was -1",
    ]
    as_json = command(*words, "--json")
    assert (as_json.code, as_json.err) == (2, "")
    assert len(json.loads(as_json.out)["problems"]) == 2
    Path("mine.toml").write_text("[account]\nequity = 1\n")
    assert command(*words) == Told(0, "the settings are in order; 1 differ from the defaults\n", "")


def test_the_schema_knows_every_key_of_the_file_and_no_secret(command: Command) -> None:
    told = command("config", "schema")
    assert (told.code, told.err) == (0, "")
    assert json.loads(told.out) == schema()
    properties = schema()["properties"]
    assert not properties.keys() & (secret_keys().keys() | {"detection"})
    for row in shown_settings(load()):
        group, _, name = row.key.partition(".")
        if row.key in secret_keys():
            continue
        inner = properties[group]
        if "$ref" in inner:
            inner = schema()["$defs"][inner["$ref"].rpartition("/")[2]]
        assert not name or name in inner["properties"], row.key


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mongodb://me:canary@host/db", "mongodb://me:***@host/db"),
        ("redis://:canary@host:6379/0", "redis://:***@host:6379/0"),
        ("sqlite:///store.db", "sqlite:///store.db"),
        ("two mongodb://a:canary@b,redis://c:canary@d", "two mongodb://a:***@b,redis://c:***@d"),
    ],
)
def test_the_password_of_a_url_is_never_shown(text: str, shown: str) -> None:
    assert without_password(text) == shown


# --- init


def test_init_writes_both_files_that_change_nothing_and_says_the_next_command(command: Command) -> None:
    told = command("init")
    assert told.code == 0
    assert told.out.splitlines() == ["trading.toml: written", ".env: written", "next: trading-system doctor"]
    assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600
    assert settings_with() == Settings()
    assert load().given == {}


def test_init_never_overwrites(command: Command) -> None:
    Path("trading.toml").write_text("[account]\nequity = 5\n")
    told = command("init")
    assert told.code == 0
    assert told.out.splitlines()[:2] == ["trading.toml: is there already and was left as it is", ".env: written"]
    assert settings_with().account.equity == 5.0
    assert json.loads(command("init", "--json").out) == {"wrote": []}


def test_every_line_of_the_first_file_can_be_switched_on() -> None:
    lines = [line.removeprefix("# ") if " = " in line else line for line in first_file().splitlines()]
    Path("trading.toml").write_text("\n".join(lines))
    loaded = load()
    detection = loaded.settings.detection
    assert loaded.settings.model_copy(update={"detection": {}}) == Settings()
    assert set(loaded.given) == setting_keys().keys() | detection.keys()
    assert all(f"{name}=" in first_dotenv() for name in ("TRADING_API_KEY", "TRADING_API_SECRET", "TELEGRAM_TOKEN"))


# --- doctor


@pytest.fixture
def quiet_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(_: object) -> int:
        raise MarketAwayError("https://fapi.binance.com/fapi/v1/time", "no network here")

    monkeypatch.setattr(doctor, "_venue_time", unreachable)


@pytest.mark.parametrize(
    ("time", "verdict", "seen"),
    [
        (1_000_500, "ok", "https://fapi.binance.com answers in 0 ms; its clock differs by 500 ms"),
        (998_000, "warn", "expected clocks within 1000 ms of each other, was -2000 ms"),
        (None, "skip", "skipped (offline): https://fapi.binance.com/fapi/v1/time: expected the venue's public answer"),
    ],
)
def test_the_exchange_is_asked_for_its_time(
    time: int | None, verdict: str, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(_: object) -> int:
        if time is None:
            raise MarketAwayError("https://fapi.binance.com/fapi/v1/time", "no network here")
        return time

    monkeypatch.setattr(doctor, "_venue_time", told)
    monkeypatch.setattr(doctor, "_now_ms", lambda: 1_000_000)
    (found,) = [one for one in examine() if one.what == "exchange"]
    assert found.verdict == verdict
    assert seen in found.seen


def test_an_exchange_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()

    def silent(_: object) -> int:
        never.wait()
        raise MarketAwayError("released", "late")

    monkeypatch.setattr(doctor, "_venue_time", silent)
    monkeypatch.setattr(doctor, "PATIENCE_S", 0.01)
    (found,) = [one for one in examine() if one.what == "exchange"]
    never.set()
    assert found[1:3] == ("skip", "skipped (offline): https://fapi.binance.com: no answer within 0.01 s")


def test_doctor_looks_at_the_exchange_and_the_settings_that_are_named(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(settings: Settings) -> int:
        raise MarketAwayError(f"{settings.exchange} at {settings.market.rest}", "nothing")

    monkeypatch.setattr(doctor, "_venue_time", away)
    told = command("doctor", "--exchange", "bybit", "--set", "market.rest=http://127.0.0.1:9")
    assert "bybit at http://127.0.0.1:9: expected the venue's public answer" in told.out
    assert "2 differ from the defaults" in told.out
    assert "expected 'binance'" in command("doctor", "--offline", "--exchange", "kraken").out


def test_a_venue_that_is_none_is_refused_under_the_name_of_its_option(command: Command) -> None:
    told = command("exchange", "--replay", "x.csv", "--venue", "kraken")
    assert told.err.startswith("error: --venue: expected 'binance', ")
    assert "error: --exchange: expected" in command("demo", "--exchange", "kraken").err


def row(what: str, config: Path | None = None) -> Finding:
    (found,) = [one for one in examine(partial(load, (), config), offline=True) if one.what == what]
    return found


def test_a_sound_machine_has_no_failed_row_and_skips_the_network(command: Command, quiet_network: None) -> None:
    told = command("doctor")
    assert told.code == 0
    rows = {line.split()[1]: line.split()[0] for line in told.out.splitlines()}
    assert rows["exchange"] == "skip"
    assert "fail" not in rows.values()
    said = json.loads(command("doctor", "--json").out)
    assert said["ok"] is True
    assert {"python", "package", "feed", "compiled rules", "settings", "secrets file"} < {
        r["what"] for r in said["rows"]
    }
    assert {"data folder", "disk space", "store", "pictures", "clock", "exchange"} < {r["what"] for r in said["rows"]}


def test_a_failed_row_ends_with_the_command_that_mends_it_and_exits_with_one(command: Command) -> None:
    write_dotenv("", 0o644)
    told = command("doctor", "--offline")
    assert told.code == 1
    (line,) = [line for line in told.out.splitlines() if "secrets file" in line]
    assert line.startswith("fail")
    assert line.endswith("expected mode 600, was 644  ->  chmod 600 .env")
    assert json.loads(command("doctor", "--offline", "--json").out)["ok"] is False


def test_what_a_service_would_refuse_to_start_with_is_a_failed_row_before_it_is_started() -> None:
    assert row("passwords").verdict == "ok"
    write_dotenv("BUS_URL=redis://:redis@cache/0\nDATABASE_URL=mongodb://store/trading\n")
    first, second = row("passwords").seen.split(" | ")
    assert row("passwords").verdict == "fail"
    assert first.startswith("BUS_URL: expected a password of your own")
    assert second.endswith("was none; run deploy/fill_env.sh, or write one into .env")


def test_wrong_settings_and_a_missing_file_are_failed_rows() -> None:
    Path("trading.toml").write_text("[account]\nequity = -1\n")
    assert row("settings")[1:] == (
        "fail",
        "trading.toml:2 account.equity: expected greater than 0, was -1",
        "trading-system config check",
    )
    assert row("settings", Path("nowhere.toml")).verdict == "fail"


def test_set_secrets_are_named_and_never_shown() -> None:
    write_dotenv("TRADING_API_KEY=canary\nTELEGRAM_TOKEN=canary\n")
    assert row("settings").seen == "2 differ from the defaults; secrets set: api_key, telegram_token"
    assert "canary" not in str(examine(offline=True))


def test_a_data_folder_that_is_a_file_is_a_failed_row() -> None:
    Path("data").write_text("")
    assert row("data folder").verdict == "fail"


@pytest.mark.parametrize(("free", "verdict"), [(10, "fail"), (2**30, "warn"), (2**40, "ok")])
def test_a_full_disk_is_a_row(free: int, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: Usage(free))
    assert row("disk space").verdict == verdict


def test_a_store_is_opened_as_a_writer_would_and_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///store.db")
    assert row("store").seen == "store.db is made at the first start"
    assert not Path("store.db").exists()
    other = sqlite3.connect("store.db", isolation_level=None)
    other.execute("CREATE TABLE one (a)")
    assert row("store")[1:3] == ("ok", "store.db")
    other.execute("BEGIN IMMEDIATE")
    assert row("store")[1:3] == ("warn", "store.db is in use by another process")
    other.close()
    Path("store.db").write_bytes(b"no database at all" * 100)
    assert row("store").verdict == "fail"


def test_a_check_that_breaks_is_a_row_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Finding:
        raise KeyError("no such thing")

    monkeypatch.setattr(doctor, "_clock", broken)
    assert row("clock")[1:3] == ("fail", "KeyError: 'no such thing'")
    assert row("python").verdict == "ok"


HOLDS_A_STORE = """
import asyncio, sys
from pathlib import Path
from trading_system.store.sqlite import SqliteStore
store = SqliteStore(Path("store.db"))
print("open", flush=True)
sys.stdin.read()
"""


def test_a_store_that_another_process_has_open_is_seen_although_it_writes_nothing() -> None:
    settings = settings_with(["database_url=sqlite:///store.db"])
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS_A_STORE],
        env={**os.environ, "PYTHONPATH": str(Path(doctor.__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        row = doctor._store(settings, offline=True)
        holder.communicate()
    assert row[1:] == ("warn", "store.db is in use by another process", "give each line its own store")
    assert doctor._store(settings, offline=True).verdict == "ok"


def test_fix_mends_the_mode_of_the_secrets_and_the_missing_folder_and_nothing_else(
    command: Command, quiet_network: None
) -> None:
    write_dotenv("TELEGRAM_TOKEN=abc\n", 0o644)
    told = command("doctor", "--fix", "--json")
    assert json.loads(told.out)["mended"] == ["chmod 600 .env", "mkdir -p data"]
    assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600
    assert Path("data").is_dir()
    again = command("doctor", "--fix")
    assert "mended" not in again.out
    assert again.code == 0


def test_an_init_that_is_interrupted_leaves_no_half_of_a_file(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(os, "link", interrupted)
        assert command("init").code == 130
    assert list(Path().iterdir()) == []
    assert command("init").code == 0
    assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600
