"""Bad input row by row: one sentence with what, expected, was and the remedy, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from commands import SET, Command, Told, assert_refused
from program import AS_ANY_USER, COMMAND, program, started
from small_markets import small_market, small_settings

from trading_system.simulated_run import simulator_of
from trading_system.store.memory import MemoryStore
from trading_system.store.port import Stream
from trading_system.store.sqlite import SqliteStore

OTHER_SCRIPTS = (
    "币安人生USDT",
    "БТЦUSDT",
    "بيتكوينUSDT",
    "BTCUSDT٣",
    "ＢＴＣUSDT",
    "BTC\u200bUSDT",
    "BTC/USDT",
    "../BTC",
    "",
)


@pytest.fixture
def candles(rows: list[str]) -> str:
    Path("candles.csv").write_text("\n".join(rows) + "\n")
    return "candles.csv"


# --- places


PLACES = {
    "a folder that is a file, backtest": (
        "backtest --candles candles.csv --symbol BTCUSDT --out file",
        "file: expected a folder, was a file; name another folder",
    ),
    "a folder that is a file, run": (
        "run --replay candles.csv --symbol BTCUSDT --out file/inside",
        "file: expected a folder, was a file; name another folder",
    ),
    "a data folder that is a file": (
        "backtest --candles candles.csv --symbol BTCUSDT --set data_folder=file",
        "file: expected a folder, was a file; name another folder",
    ),
    "a missing folder for a picture": (
        "chart BTCUSDT --candles candles.csv -o nowhere/deep/x.png",
        "nowhere/deep: expected a folder, was nothing at this path; make it with `mkdir -p nowhere/deep`",
    ),
    "a missing run": ("chart BTCUSDT --store nowhere", "nowhere: expected the folder of a run"),
    "a folder for a candle file": ("backtest --candles . --symbol BTCUSDT", ".: expected a file, was a folder"),
    "a missing settings file": (
        "--config nowhere.toml backtest --candles candles.csv --symbol BTCUSDT",
        "nowhere.toml: expected a settings file, was nothing at this path; `trading-system init` writes one",
    ),
    "a missing settings file named behind the command": (
        "detect --candles candles.csv --config nowhere.toml",
        "nowhere.toml: expected a settings file, was nothing at this path",
    ),
    "--config without a file": ("detect --candles candles.csv --config", "--config"),
}


@pytest.mark.parametrize("verb", ["backtest --candles", "run --replay"])
def test_the_candles_of_a_person_are_not_written_over(command: Command, candles: str, verb: str) -> None:
    before = Path(candles).read_bytes()
    told = command(*verb.split(), candles, "--symbol", "BTCUSDT", "--out", ".", *SET)
    assert_refused(told, ".: expected a new folder", "candles.csv that no run has written", "give another --out")
    assert Path(candles).read_bytes() == before


def test_a_backtest_over_another_one_says_that_it_replaced_it(command: Command, candles: str) -> None:
    words = ("backtest", "--candles", candles, "--symbol", "BTCUSDT", "--out", "out", "--json", *SET)
    assert command(*words).err == ""
    assert command(*words).err == ""
    told = command(*words, "--set", "risk_pct=0.5")
    assert told.err == "out: an earlier backtest with other results stood here and was replaced\n"


@pytest.mark.parametrize("case", PLACES)
def test_a_place_that_does_not_fit_is_one_sentence(command: Command, candles: str, case: str) -> None:
    Path("file").write_text("mine")
    words, sentence = PLACES[case]
    before = sorted(Path().rglob("*"))
    settings = [] if words.startswith(("chart", "detect")) else SET

    assert_refused(command(*words.split(), *settings), sentence)

    assert sorted(Path().rglob("*")) == before
    assert Path("file").read_text() == "mine"


CLOSED = {
    "a folder for a backtest": (
        "backtest --candles candles.csv --symbol BTCUSDT --out closed/run",
        "closed/run: expected a place that this user may use, was: Permission denied; see `ls -ld closed`",
    ),
    "a folder for a run": (
        "run --replay candles.csv --symbol BTCUSDT --out closed/run",
        "closed/run: expected a place that this user may use, was: Permission denied; see `ls -ld closed`",
    ),
    "a folder for the data": (
        "run --replay candles.csv --symbol BTCUSDT --set data_folder=closed/data",
        "closed/data: expected a place that this user may use, was: Permission denied; see `ls -ld closed`",
    ),
    "a folder for a picture": (
        "chart BTCUSDT --candles candles.csv -o closed/x.png",
        "expected a place that this user may use, was: Permission denied; see `ls -ld closed`",
    ),
    "a candle file": (
        "backtest --candles shut --symbol BTCUSDT",
        "shut: expected a readable file, was Permission denied; check its permissions",
    ),
    "a settings file": (
        "--config shut backtest --candles candles.csv --symbol BTCUSDT",
        "shut: expected a settings file, was: Permission denied; make it readable with `chmod u+r shut`",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CLOSED)
def test_what_is_closed_to_the_user_is_one_sentence(candles: str, case: str) -> None:
    Path("closed").mkdir(mode=0o500)
    Path("shut").touch(mode=0o000)
    words, sentence = CLOSED[case]
    settings = [] if words.startswith("chart") else SET
    done = program(*words.split(), *settings, cwd=Path.cwd(), command=[*AS_ANY_USER, *COMMAND])
    assert_refused(Told(done.returncode, done.stdout, done.stderr), sentence)
    assert list(Path("closed").iterdir()) == []


def test_a_taken_port_is_one_sentence_with_the_way_out(command: Command, candles: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = command("exchange", "--replay", candles, "--symbol", "BTCUSDT", "--port", str(port), *SET)
    assert_refused(told, "expected a free port, was one in use", str(port), "give another --port")


# --- settings


SETTINGS = {
    "[account]\nleverage = 500": "trading.toml:2 account.leverage: expected less than or equal to 125, was 500",
    "[account]\nlevarage = 5": "trading.toml:2 account.levarage: no such setting; did you mean account.leverage?",
    "[blocks]\nmax_age = 0": "trading.toml:2 blocks.max_age: expected a number from 1 to 100000, was 0",
    "equity": "trading.toml:1: expected TOML such as key = value, was: ",
    "api_key = 'canary'": "trading.toml:1 api_key: expected no secret in this file, was one; write it into .env as",
}


@pytest.mark.parametrize("text", SETTINGS)
@pytest.mark.parametrize("verb", ["backtest --candles", "run --replay", "exchange --replay"])
def test_wrong_settings_stop_every_command_before_it_begins(
    command: Command, candles: str, verb: str, text: str
) -> None:
    Path("trading.toml").write_text(text)
    told = command(*verb.split(), candles, "--symbol", "BTCUSDT", *SET)
    assert_refused(told, SETTINGS[text])
    assert "canary" not in told.err
    assert not Path("data").exists()


def test_a_dotenv_open_to_others_stops_every_command(command: Command, candles: str) -> None:
    Path(".env").write_text("TELEGRAM_TOKEN=canary\n")
    Path(".env").chmod(0o644)
    told = command("detect", "--candles", candles)
    assert_refused(told, ".env: expected a file that only its owner can read (mode 600), was mode 644; run `chmod")
    assert told.out == ""


# --- symbols


@pytest.mark.parametrize("symbol", OTHER_SCRIPTS)
@pytest.mark.parametrize(
    "words",
    [
        "backtest --candles candles.csv --symbol",
        "run --replay candles.csv --symbol",
        "run --simulator http://127.0.0.1:1 --symbol",
        "exchange --replay candles.csv --symbol",
        "detect --candles candles.csv --symbol",
        "chart --candles candles.csv --",
    ],
)
def test_a_symbol_of_another_script_is_refused_by_every_command(
    command: Command, candles: str, words: str, symbol: str
) -> None:
    before = sorted(Path().rglob("*"))
    told = command(*words.split(), symbol)
    assert_refused(told, "expected a symbol of capital letters and digits (A-Z, 0-9, _) such as BTCUSDT, was")
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize("symbol", [*OTHER_SCRIPTS, "NOPEUSDT"])
async def test_the_simulator_answers_a_symbol_that_it_does_not_trade_as_the_exchange_does(symbol: str) -> None:
    settings = small_settings()
    server = simulator_of(small_market(settings), settings)
    addresses = await server.start()
    try:
        async with aiohttp.ClientSession() as http:
            url = f"{addresses.http}/fapi/v1/klines?symbol={quote(symbol, safe='')}&interval=1m"
            async with http.get(url) as answer:
                said = await answer.json()
                assert answer.status == 400
                assert said["code"] in (-1121, -1102, -1105)
    finally:
        await server.stop()


@pytest.mark.parametrize("symbol", [name for name in OTHER_SCRIPTS if name])
def test_the_store_keeps_any_symbol_as_it_is(symbol: str) -> None:
    async def kept(store: MemoryStore | SqliteStore) -> bytes:
        stream = Stream("candles", "binance_usdm", symbol)
        await store.append(stream, 1, [b"one"], after=None)
        await store.commit()
        (row,) = await store.read(stream, None, 1)
        assert await store.read(Stream("candles", "binance_usdm", "BTCUSDT"), None, 1) == []
        await store.close()
        return row.payload

    assert asyncio.run(kept(MemoryStore())) == b"one"
    assert asyncio.run(kept(SqliteStore(Path("store.db")))) == b"one"


@pytest.mark.slow
def test_a_symbol_that_the_exchange_does_not_trade_is_one_sentence(command: Command, candles: str) -> None:
    words = ("exchange", "--replay", candles, "--symbol", "BTCUSDT", *SET)
    served = started(*words, cwd=Path.cwd())
    try:
        assert served.stdout is not None
        url = served.stdout.readline().strip()
        told = command("run", "--simulator", url, "--symbol", "NOPEUSDT", "--out", "out", *SET)
    finally:
        served.kill()
        served.communicate()
    assert_refused(told, "expected NOPEUSDT among the 1 symbols of the venue, was not")
    assert not Path("out").exists()


# --- time zones


@pytest.mark.slow
def test_a_host_in_another_time_zone_prints_the_same_numbers(candles: str) -> None:
    words = ("backtest", "--candles", candles, "--symbol", "BTCUSDT", "--json", "--from", "2025-01-06T00:00", *SET)
    said = []
    for zone in ("UTC", "Pacific/Kiritimati"):
        done = program(*words, "--out", zone.partition("/")[2] or zone, cwd=Path.cwd(), extra={"TZ": zone})
        assert done.returncode == 0, done.stderr
        said.append(json.loads(done.stdout))
    here, there = ({**one, "seconds": 0, "folder": ""} for one in said)
    assert here == there
    assert Path("UTC", "events.jsonl").read_bytes() == Path("Kiritimati", "events.jsonl").read_bytes()
