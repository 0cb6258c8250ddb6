"""`data fetch`, `data list`, `data check` and a backtest on what they keep, as a person types them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from commands import SET, Command, assert_refused, command_of
from kline_host import ArchiveHost, zip_of
from program import COMMAND, PATIENCE_S, environment

from trading_system.research.fetched.minutes import Month
from trading_system.rules.sequencer import ClosedCandle
from trading_system.simulator.market import DEMO_SYMBOLS, synthetic_candles
from trading_system.venues.kline_archive import KlineArchive

JANUARY, FEBRUARY = Month(2024, 1), Month(2024, 2)
LAYOUT = KlineArchive("", "data/futures/um")
NOBODY = "http://127.0.0.1:9"  # the discard port
MINUTE = 60_000


def rows_of(month: Month) -> list[ClosedCandle]:
    one = DEMO_SYMBOLS[0]
    minutes = (month.end - month.start) // MINUTE
    market = synthetic_candles(7, one.symbol, month.start, minutes, one.tick, one.step, one.start_price)
    return [ClosedCandle(*row[:6]) for row in market.tolist()]


@pytest.fixture(scope="module")
def rows() -> Sequence[ClosedCandle]:
    return rows_of(JANUARY)


@pytest.fixture
def host(rows: Sequence[ClosedCandle]) -> Iterator[tuple[ArchiveHost, str]]:
    """An archive with one month, served beside the test."""
    archive = ArchiveHost()
    archive.put(LAYOUT.month("BTCUSDT", JANUARY.start), zip_of("BTCUSDT-1m-2024-01", rows))
    address: list[str] = []
    up, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with archive.serving() as url:
            address.append(url)
            up.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    up.wait()
    yield archive, address[0]
    over.set()
    thread.join()


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    return command_of(monkeypatch, capsys)


def fetch_words(url: str, *more: str) -> list[str]:
    words = ["data", "fetch", "--symbol", "BTCUSDT", "--from", "2024-01-01", "--to", "2024-02-01"]
    return [*words, "--source", "archive", "--set", f"market.archive={url}", *more]


@pytest.mark.slow
def test_what_is_fetched_once_is_listed_checked_and_traded_like_the_file_itself(
    host: tuple[ArchiveHost, str], command: Command, tmp_path: Path, rows: Sequence[ClosedCandle]
) -> None:
    archive, url = host
    span = ("--symbol", "BTCUSDT", "--from", "2024-01-01", "--to", "2024-02-01")
    lacking = command("backtest", *span, *SET)
    assert_refused(lacking, "run `trading-system data fetch --exchange binance_usdm --symbol BTCUSDT --from 2024-01-01")
    fetched = command(*fetch_words(url))
    assert (fetched.code, fetched.err) == (0, "fetching minutes, in months of a symbol: done\n")
    assert fetched.out.split()[-10:] == [
        "binance_usdm", "BTCUSDT", "2024-01-01", "2024-02-01", "44,640", "0", "44,640", "0", "0", "0",
    ]  # fmt: skip
    asked = len(archive.asked)
    assert command(*fetch_words(url)).out == fetched.out
    assert len(archive.asked) == asked
    assert command("data", "list").out == fetched.out
    checked = command("data", "check", "--source", "archive", "--set", f"market.archive={url}")
    assert (checked.code, checked.out) == (0, "1 month checked\n")
    file = tmp_path / "BTCUSDT-1m-2024-01.zip"
    file.write_bytes(archive.files[LAYOUT.month("BTCUSDT", JANUARY.start)])
    of_file = command("backtest", "--candles", file, "--symbol", "BTCUSDT", *SET, "--json", "--out", "a")
    of_fetched = command("backtest", *span, *SET, "--json", "--out", "b")
    summaries = [json.loads(told.out) for told in (of_file, of_fetched)]
    assert summaries[0]["fills"] > 0
    assert [{**one, "seconds": 0, "folder": ""} for one in summaries[:1]] == [
        {**one, "seconds": 0, "folder": ""} for one in summaries[1:]
    ]
    events = command("detect", *span, "--interval", "1h")
    assert events.out == command("detect", "--candles", file, "--symbol", "BTCUSDT", "--interval", "1h").out
    assert command("chart", "BTCUSDT", "-o", "x.svg").code == 0


def test_a_changed_byte_fails_the_check_and_the_backtest_and_is_fetched_again(
    host: tuple[ArchiveHost, str], command: Command, tmp_path: Path
) -> None:
    command(*fetch_words(host[1]))
    path = tmp_path / "data" / "candles" / "binance_usdm" / "BTCUSDT" / "BTCUSDT-1m-2024-01.parquet"
    sound = path.read_bytes()
    path.write_bytes(sound[:-1] + b"!")
    checked = command("data", "check")
    assert checked.code == 1
    assert checked.out.startswith("BTCUSDT 2024-01: expected the sha256 ")
    assert "run `trading-system data fetch --exchange binance_usdm" in checked.out
    assert_refused(command("backtest", "--symbol", "BTCUSDT", *SET), "CHECKSUM", "run `trading-system data fetch")
    again = command(*fetch_words(host[1]))
    assert again.code == 0
    assert "the month is fetched again" in again.err
    assert path.read_bytes() == sound
    assert json.loads(command("data", "check", "--json").out) == {"ok": True, "months": 1, "findings": []}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--exchange", "binanceusdm"), "--exchange: expected binance, binance_usdm, bybit, bybit_linear, was"),
        (("--exchange", "bybit_linear"), "expected an exchange that publishes its minutes as files, was bybit_linear"),
        (("--from", "2099-01-01", "--to", "2099-02-01"), "expected --from before --to and before now"),
        (("--from", "yesterday"), "expected a date or a date with a time in UTC"),
    ],
)
def test_a_wrong_word_is_one_sentence(words: Sequence[str], sentence: str, command: Command) -> None:
    assert_refused(command(*fetch_words(NOBODY, *words)), sentence)


def test_no_network_is_one_sentence_in_either_language(command: Command) -> None:
    told = command(*fetch_words(NOBODY))
    assert told.code == 2
    (sentence,) = told.err.splitlines()[1:]
    assert "expected a file of the archive, was no connection to 127.0.0.1:9 (connection refused)" in sentence
    arabic = command(*fetch_words(NOBODY, "--lang", "ar"))
    assert "المتوقع ملف من الأرشيف" in arabic.err
    assert "expected" not in arabic.err


def test_a_disk_that_is_full_is_one_sentence(
    host: tuple[ArchiveHost, str], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert_refused(command(*fetch_words(host[1])), "expected room on the disk, was none left")


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_fetch_that_is_stopped_leaves_whole_months_and_goes_on_there(
    sent: int, code: int, host: tuple[ArchiveHost, str], tmp_path: Path
) -> None:
    archive, url = host
    waits = threading.Event()
    february = LAYOUT.month("BTCUSDT", FEBRUARY.start)
    archive.put(february, zip_of("BTCUSDT-1m-2024-02", rows_of(FEBRUARY)))

    async def never(_: object) -> None:
        waits.set()
        await asyncio.sleep(PATIENCE_S)

    archive.broken[february] = never
    words = [*COMMAND, *fetch_words(url, "--to", "2024-03-01")]
    process = subprocess.Popen(words, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True)
    assert waits.wait(PATIENCE_S)
    process.send_signal(sent)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code
    assert len(said.splitlines()) == (1 if sent == signal.SIGINT else 0), said
    folder = tmp_path / "data" / "candles" / "binance_usdm" / "BTCUSDT"
    assert [path.name for path in sorted(folder.glob("*.parquet"))] == ["BTCUSDT-1m-2024-01.parquet"]
    archive.broken.clear()
    asked = len(archive.asked)
    done = subprocess.run(
        words, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True, timeout=60
    )
    assert "2024-03-01" in done.stdout
    assert {path.rpartition("/")[2][:18] for path in archive.asked[asked:]} == {"BTCUSDT-1m-2024-02"}
    for path in folder.glob("*.parquet"):
        stated = path.with_name(f"{path.name}.CHECKSUM").read_text().split()
        assert stated == [hashlib.sha256(path.read_bytes()).hexdigest(), path.name]
