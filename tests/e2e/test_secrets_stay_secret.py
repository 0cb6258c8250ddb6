"""A whole run with canaries for secrets: no log, message, traceback, database, file or picture holds one of them."""

from __future__ import annotations

import io
import logging
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_markets import QUICK, SMALL, candle_rows, small_market, small_settings

from trading_system import simulated_run
from trading_system.cli import main
from trading_system.redaction import forms_of
from trading_system.secret import Secret
from trading_system.venues.binance_usdm.account import BinanceUsdm

CANARIES = {
    "SIMULATED_KEY": "canaryKey+91/x",
    "SIMULATED_SECRET": "canarySecret 7&q=",
    "TRADING_API_KEY": "canaryLive/key=5",
    "TRADING_API_SECRET": "canaryLiveSecret+2",
    "TELEGRAM_TOKEN": "123456789:canaryToken-_8",
}
NO_TELEGRAM = "http://127.0.0.1:9"  # the discard port, where nobody answers
FORMS = {form for text in CANARIES.values() for form in forms_of(Secret(text))}
SET = [word for one in (*QUICK, *SMALL) for word in ("--set", one)]


@pytest.fixture
def every_log() -> Iterator[io.StringIO]:
    """What every logger of the process says at every level, unfiltered."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield out
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def market(monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("SIMULATED_KEY", "SIMULATED_SECRET"):
        monkeypatch.setattr(simulated_run, name, CANARIES[name])
    lines = [f"{name}='{text}'" for name, text in CANARIES.items() if not name.startswith("SIMULATED")]
    lines.append(f"TRADING_TELEGRAM__BASE_URL={NO_TELEGRAM}")
    Path(".env").write_text("\n".join(lines) + "\n")
    Path(".env").chmod(0o600)
    Path("candles.csv").write_text("\n".join(candle_rows(small_market(small_settings()).candles["BTCUSDT"])) + "\n")
    return "candles.csv"


def ended(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["trading-system", *words])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert isinstance(exit_.value.code, int)
    return exit_.value.code


def assert_no_canary(text: str | bytes, where: str) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    for form in FORMS:
        assert form.encode() not in data, f"{where} holds {form!r}"
        assert form.encode("utf-16-le") not in data, f"{where} holds {form!r} in UTF-16"


@pytest.mark.slow
def test_no_secret_leaves_a_run_in_any_form(
    market: str, every_log: io.StringIO, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ("--symbol", "BTCUSDT", *SET)
    assert ended(monkeypatch, "run", "--replay", market, "--out", "out", *words) == 0
    assert ended(monkeypatch, "backtest", "--candles", market, "--out", "tested", "--report", "r.html", *words) == 0
    assert ended(monkeypatch, "chart", "BTCUSDT", "--store", "out", "--out", "chart.png") == 0
    for verb in (("config", "show", "--origin"), ("config", "schema"), ("doctor", "--offline")):
        ended(monkeypatch, *verb)

    said = capfd.readouterr()
    assert_no_canary(said.out, "standard output")
    assert_no_canary(said.err, "standard error")
    assert "***" in said.out
    assert len(every_log.getvalue()) > 0
    assert_no_canary(every_log.getvalue(), "a log")
    files = [path for path in Path().rglob("*") if path.is_file() and path.name != ".env"]
    assert {"store.db", "journal.db", "summary.json"} <= {path.name for path in files}
    assert any(path.suffix == ".png" for path in files)
    for path in files:
        assert_no_canary(path.read_bytes(), str(path))


@pytest.mark.slow
def test_no_secret_shows_in_the_traceback_of_a_failure_in_the_midst_of_it(
    market: str, every_log: io.StringIO, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def broken(venue: BinanceUsdm, *arguments: object, **options: object) -> None:
        raise ZeroDivisionError(f"while {vars(venue)} places {arguments}")

    monkeypatch.setattr(BinanceUsdm, "set_leverage", broken)
    monkeypatch.setattr(sys, "argv", ["trading-system", "run", "--replay", market, "--symbol", "BTCUSDT", *SET])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    with pytest.raises(ZeroDivisionError) as failed:
        main()
    told = traceback.TracebackException.from_exception(failed.value, capture_locals=False)
    assert_no_canary("".join(told.format()), "the traceback")
    sys.excepthook(failed.type, failed.value, failed.tb)
    said = capfd.readouterr()
    assert "ZeroDivisionError" in said.err
    assert_no_canary(said.err, "the last words")
    assert_no_canary(every_log.getvalue(), "a log")


def test_the_search_would_find_a_secret() -> None:
    with pytest.raises(AssertionError, match="holds"):
        assert_no_canary("GET /?key=canaryKey%2B91/x", "a line")
