"""Paper trading as a person starts it: a process that is killed, started again, asked for its status, and ended."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from both_sides import assert_each_signal_entered_once
from program import PATIENCE_S, program, sets, started
from small_markets import QUICK, SMALL, SMALL_MINUTES, START_MS, small_market, small_settings, write_candles

from trading_system.research.line_view import LineView, ViewError, read_line
from trading_system.store.errors import StoreError

pytestmark = pytest.mark.slow

MINUTE = 60_000


class Exchange:
    """`trading-system exchange` in a process of its own, moved over its control plane."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.url = process.stdout.readline().strip()

    def state(self) -> dict[str, Any]:
        return self._said(f"{self.url}/_sim/state")

    def advance(self, until: int) -> None:
        while self.state()["step"] < until:
            body = json.dumps({"until": until}).encode()
            headers = {"Content-Type": "application/json"}
            self._said(urllib.request.Request(f"{self.url}/_sim/advance", data=body, headers=headers))  # noqa: S310

    def _said(self, what: str | urllib.request.Request) -> dict[str, Any]:
        with urllib.request.urlopen(what, timeout=10) as answer:  # noqa: S310  loopback
            said: dict[str, Any] = json.load(answer)
        return said


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    file = write_candles(tmp_path / "market.csv", small_market(small_settings()).candles["BTCUSDT"])
    words = ("exchange", "--replay", file, "--symbol", "BTCUSDT", *sets((*QUICK, *SMALL)))
    process = started(*words, cwd=tmp_path)
    try:
        yield Exchange(process)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def words_of(exchange: Exchange, folder: Path) -> list[str]:
    hosts = (f"market.rest={exchange.url}", f"market.stream={exchange.url.replace('http', 'ws', 1)}")
    settings = (*QUICK, *SMALL, *hosts, "market.signal_max_age=0")  # the market's time is not this machine's
    return ["run", "--symbol", "BTCUSDT", "--out", str(folder), "--json", "--no-alerts", *sets(settings)]


def seen(folder: Path, line: subprocess.Popen[str], moment: Callable[[LineView], bool]) -> LineView:
    """Look at the line's folder from beside until it shows the moment."""
    while True:
        try:
            view = asyncio.run(read_line(folder))
        except (ViewError, StoreError):
            view = None
        if view is not None and moment(view):
            return view
        assert line.poll() is None, "the line ended before the moment came"


def in_a_trade(view: LineView) -> bool:
    trade = None if view.account is None else view.account.slots[0].trade
    return trade is not None and not trade.waiting


def test_a_paper_line_killed_in_a_trade_goes_on_and_equals_the_backtest_of_its_store(
    exchange: Exchange, tmp_path: Path
) -> None:
    folder = tmp_path / "paper"
    first, last = exchange.state()["step"], START_MS // MINUTE + SMALL_MINUTES
    line = started(*words_of(exchange, folder), cwd=tmp_path)
    try:
        seen(folder, line, lambda view: view.step == first)
        assert "the end of its warm-up" in program("status", "--store", folder, cwd=tmp_path).stdout
        for step in range(first + 1, last + 1):
            exchange.advance(step)
            if in_a_trade(seen(folder, line, lambda view, at=step: (view.step or 0) >= at)):  # type: ignore[misc]
                break
        told = program("positions", "--store", folder, cwd=tmp_path).stdout
        assert "BTCUSDT  open" in told
    finally:
        line.kill()
        line.communicate(timeout=PATIENCE_S)

    exchange.advance(min(step + 3, last))  # the market went on meanwhile
    line = started(*words_of(exchange, folder), cwd=tmp_path)
    try:
        exchange.advance(last)
        seen(folder, line, lambda view: view.step == last)
        line.send_signal(signal.SIGINT)
        out, err = line.communicate(timeout=PATIENCE_S)
    finally:
        line.kill()
        line.wait()
    assert line.returncode == 0, err
    summary = json.loads(out)
    assert summary["kind"] == "paper"
    assert summary["trades"] == 2
    assert exchange.state()["wire"]["signed_requests"] == 0
    tested = program("backtest", "--store", folder, "--out", tmp_path / "tested", "--json", cwd=tmp_path)
    assert json.loads(tested.stdout)["fingerprint"] == summary["fingerprint"]
    compared = program("compare", folder, tmp_path / "tested", cwd=tmp_path)
    assert compared.returncode == 0, compared.stdout
    assert_each_signal_entered_once(folder)


def test_a_second_line_on_the_same_folder_is_refused_and_leaves_the_first_alone(
    exchange: Exchange, tmp_path: Path
) -> None:
    folder = tmp_path / "paper"
    line = started(*words_of(exchange, folder), cwd=tmp_path)
    try:
        seen(folder, line, lambda view: view.step is not None)
        second = program(*words_of(exchange, folder), cwd=tmp_path)
        assert second.returncode == 2
        assert "in use by process" in second.stderr
        assert line.poll() is None
    finally:
        line.kill()
        line.communicate(timeout=PATIENCE_S)


def test_nothing_answering_and_words_that_do_not_fit_are_said_in_one_sentence(tmp_path: Path) -> None:
    hosts = sets(("market.rest=http://127.0.0.1:9", "market.stream=ws://127.0.0.1:9"))
    told = program("run", "--symbol", "BTCUSDT", "--out", tmp_path / "paper", *hosts, cwd=tmp_path)
    assert told.returncode == 2
    assert "expected the venue's public answer" in told.stderr
    assert "Traceback" not in told.stderr
    told = program("run", cwd=tmp_path)
    assert told.returncode == 2
    assert "expected --symbol for paper trading" in told.stderr
    told = program("backtest", cwd=tmp_path)
    assert told.returncode == 2
    assert "expected --symbol, with --candles FILE or with fetched minutes, or --store FOLDER" in told.stderr
