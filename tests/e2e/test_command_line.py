"""The commands as a person types them: what they print, where, and with which exit code."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from commands import SET, Command, assert_refused
from program import PATIENCE_S, program, sets, started

from trading_system.research.parity import compare


def file_of(lines: Sequence[str], name: str = "candles.csv") -> Path:
    path = Path(name)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def changed(rows: Sequence[str], line: int, column: int, value: str) -> list[str]:
    """The file with one cell replaced; ``line`` counts from 1, the header."""
    lines = list(rows)
    cells = lines[line - 1].split(",")
    cells[column] = value
    lines[line - 1] = ",".join(cells)
    return lines


# --- bad candle files

BAD_FILES: dict[str, tuple[Callable[[list[str]], list[str]], tuple[str, ...]]] = {
    "empty": (lambda _: [], ("expected the columns", "an empty file")),
    "header only": (lambda rows: rows[:1], ("expected candles below the header", "was none")),
    "unsorted": (lambda rows: [*rows[:5], rows[6], rows[5], *rows[7:]], ("row 7", "sort the file")),
    "duplicated": (lambda rows: [*rows[:6], rows[5], *rows[6:]], ("row 7", "again", "drop the repeated row")),
    "NaN": (lambda rows: changed(rows, 9, 2, "nan"), ("row 9", "expected a finite high", "was nan")),
    "infinite": (lambda rows: changed(rows, 9, 4, "inf"), ("row 9", "expected a finite close", "was inf")),
    "crossed": (lambda rows: changed(rows, 9, 2, "1"), ("row 9", "expected a high at or above the low", "was 1")),
    "negative": (lambda rows: changed(rows, 9, 3, "-1"), ("row 9", "expected a low above 0", "was -1")),
    "no number": (lambda rows: changed(rows, 9, 5, "much"), ("row 9", "expected a number in volume", "was 'much'")),
    "wrong columns": (
        lambda rows: ["time,open,high,low,close,volume", *rows[1:]],
        ("row 1", "expected one column 'open_time'", "did you mean 'time'?"),
    ),
    "one cell too many": (
        lambda rows: [*rows[:8], rows[8] + ",1", *rows[9:]],
        ("row 9", "expected 6 columns", "was 7"),
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
@pytest.mark.parametrize("verb", ["backtest --candles", "run --replay"])
def test_a_bad_candle_file_is_one_sentence_and_nothing_is_traded(
    command: Command, rows: list[str], case: str, verb: str
) -> None:
    spoil, words = BAD_FILES[case]
    file = file_of(spoil(list(rows)))

    told = command(*verb.split(), file, "--symbol", "BTCUSDT", "--out", "out", *SET)

    assert_refused(told, str(file), *words)
    assert not Path("out").exists()


def test_a_missing_file_is_one_sentence(command: Command) -> None:
    told = command("backtest", "--candles", "nowhere.csv", "--symbol", "BTCUSDT")

    assert_refused(told, "nowhere.csv: expected a file, was nothing at this path")


def test_a_file_shorter_than_the_warm_up_is_refused_with_both_lengths(command: Command, rows: list[str]) -> None:
    told = command(
        "run", "--replay", file_of(rows), "--symbol", "BTCUSDT", "--out", "out", *SET, "--set", "warm_up=200"
    )

    assert_refused(told, "more than the 1000 minutes of warm-up, was 780 minutes", "--set warm_up=")
    assert not Path("out", "summary.json").exists()


def test_gaps_are_reported_and_traded_around(command: Command, rows: list[str]) -> None:
    file = file_of([*rows[:300], *rows[310:400], *rows[401:]])

    told = command("backtest", "--candles", file, "--symbol", "BTCUSDT", "--out", "out", "--json", *SET)

    assert told.code == 0
    assert "BTCUSDT: 11 candles are missing in 2 gaps; they become GAP steps" in told.err
    assert json.loads(told.out)["candles"] == 769


# --- words that do not fit


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("warm_upp=3", ("warm_upp: no such setting", "did you mean warm_up?")),
        ("warm_up", ("expected key=value",)),
        ("warm_up=many", ("warm_up: expected", "was 'many'")),
        ("warm_up=0", ("warm_up: expected", "was '0'")),
        ("signal_interval=7m", ("signal_interval: expected one of 1m", "was '7m'")),
        ("swings.lefft=3", ("swings.lefft", "did you mean swings.left?")),
        ("flags.order=0", ("flags.order: expected a number from 1", "was 0")),
    ],
)
def test_a_setting_that_cannot_be_is_refused(
    command: Command, rows: list[str], setting: str, words: tuple[str, ...]
) -> None:
    told = command(
        "backtest", "--candles", file_of(rows), "--symbol", "BTCUSDT", *SET, "--set", setting, "--out", "out"
    )

    assert_refused(told, *words)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("run", "expected --symbol for paper trading on the venue's public feed, --replay FILE with --symbol"),
        ("run --replay f.csv --simulator http://127.0.0.1:1 --symbol A", "expected --symbol for paper trading"),
        ("run --replay candles.csv", "expected one --symbol for each candle file"),
        ("run --replay candles.csv --symbol A --symbol B", "was 1 files for A B"),
        ("run --simulator http://127.0.0.1:1", "expected --symbol for paper trading"),
        ("run --replay candles.csv --symbol btc", "such as BTCUSDT, was 'btc'"),
        ("run --replay candles.csv --symbol A --speed 60", "--speed 60: expected max"),
        (
            "backtest --candles candles.csv --candles candles.csv --symbol A --symbol A",
            "expected each symbol once, was A,A",
        ),
        ("backtest", "expected --symbol, with --candles FILE or with fetched minutes, or --store FOLDER"),
        ("run --replay candles.csv --symbol A --faults nowhere.json", "nowhere.json: expected a list like"),
        ("compare nowhere elsewhere", "nowhere: expected the folder of a finished run"),
        ("detect --candles candles.csv --interval 7m", "expected one of 1m 3m"),
        ("detect --candles candles.csv --format xml", "--format xml: expected jsonl"),
        ("exchange --replay candles.csv --symbol A --port 70000", "'--port'"),
        ("trade", "No such command 'trade'"),
    ],
)
def test_words_that_do_not_fit_are_refused_in_one_sentence(
    command: Command, rows: list[str], words: str, sentence: str
) -> None:
    file_of(rows)

    assert_refused(command(*words.split()), sentence)


@pytest.mark.parametrize("url", ["http://example.com", "https://fapi.binance.com", "http://10.0.0.7:8080"])
def test_signed_orders_go_to_this_machine_only(command: Command, url: str) -> None:
    told = command("run", "--simulator", url, "--symbol", "BTCUSDT", "--out", "out")

    assert_refused(told, "expected a loopback address")


def test_a_simulator_that_is_not_there_is_one_sentence(command: Command) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

        assert_refused(command("run", "--simulator", url, "--symbol", "BTCUSDT"), url, "trading-system exchange")


def test_help_names_every_command(command: Command) -> None:
    told = command("--help")

    assert told.code == 0
    for verb in ("demo", "run", "backtest", "compare", "detect", "exchange"):
        assert f"  {verb} " in told.out


# --- what the commands print


def signals_painted(run: Path) -> list[str]:
    """The names of a run's alerts of signals, each a picture with its text; pictures of ended trades are left out."""
    painted = sorted(path.stem for path in (run / "alerts").glob("*.png") if not path.stem.endswith("_closed"))
    assert all((run / "alerts" / f"{name}.txt").read_text().strip() for name in painted)
    return painted


KEYS = {"candles", "swings", "order_blocks", "flags", "signals", "refused", "orders", "fills", "trades"}
RESULT_KEYS = {"equity_final", "fingerprint", "seconds", "instrument"}


@pytest.mark.slow
def test_run_and_backtest_print_one_object_each_with_equal_fingerprints(command: Command, rows: list[str]) -> None:
    file = file_of(rows)

    run = command("run", "--replay", file, "--symbol", "BTCUSDT", "--out", "run", "--json", *SET)
    backtest = command("backtest", "--candles", file, "--symbol", "BTCUSDT", "--out", "backtest", "--json", *SET)

    assert (run.code, backtest.code) == (0, 0)
    said, tested = json.loads(run.out), json.loads(backtest.out)
    for one in (said, tested):
        assert one.keys() >= KEYS | RESULT_KEYS
        assert all(isinstance(one[key], int) for key in KEYS)
        assert one["instrument"][0]["tick"] == "0.1"
    assert set(said["wire"]) == {"frames", "signed_requests", "user_events"}
    assert "wire" not in tested
    assert said["fingerprint"] == tested["fingerprint"]
    assert len(said["fingerprint"]) == 64
    assert said["folder"] == "run"
    assert len(signals_painted(Path("run"))) == said["signals"]
    assert command("compare", "run", "backtest").code == 0
    again = command("run", "--replay", file, "--symbol", "BTCUSDT", "--out", "run", *SET)
    assert_refused(again, "run: expected a new folder")


def test_a_run_without_json_prints_a_table_and_its_folder(command: Command, rows: list[str]) -> None:
    told = command("backtest", "--candles", file_of(rows), "--symbol", "BTCUSDT", *SET)

    assert told.code == 0
    folder = next(Path("data", "runs").iterdir())
    assert str(folder) in told.out
    assert "equity at the end" in told.out


def test_compare_exits_with_one_and_names_the_first_difference(command: Command, rows: list[str]) -> None:
    for folder, more in (("a", []), ("b", ["--set", "risk_pct=0.5"])):
        assert (
            command("backtest", "--candles", file_of(rows), "--symbol", "BTCUSDT", "--out", folder, *SET, *more).code
            == 0
        )

    told = command("compare", "a", "b")

    assert told.code == 1
    assert told.out.startswith("different at step ")
    assert "orders" in told.out
    assert json.loads(command("compare", "a", "b", "--json").out)["equal"] is False


KINDS = {
    "swing_high",
    "swing_low",
    "bos",
    "choch",
    "ob_formed",
    "ob_touched",
    "ob_mitigated",
    "ob_invalidated",
    "ob_expired",
    "flag_pole",
    "flag_consolidating",
    "flag_breakout",
    "flag_failed",
    "flag_expired",
    "flag_superseded",
}


@pytest.mark.parametrize("words", [[], ["--interval", "5m", "--set", "swings.left=3"]])
def test_detect_prints_one_event_a_line(command: Command, rows: list[str], words: list[str]) -> None:
    told = command("detect", "--candles", file_of(rows, "BINANCE_BTCUSDT_1m.csv"), *words, "--format", "jsonl")

    assert told.code == 0
    events = [json.loads(line) for line in told.out.splitlines()]
    assert {"swing_high", "swing_low", "ob_formed"} <= {event["kind"] for event in events} <= KINDS
    ids = {event["id"] for event in events}
    assert len(ids) == len(events)
    assert [event["confirmed_at"] for event in events] == sorted(event["confirmed_at"] for event in events)
    for event in events:
        assert {"id", "kind", "time", "confirmed_at", "direction"} <= event.keys()
        assert event["direction"] in (1, -1)
        assert event["time"] < event["confirmed_at"]
        assert event.get("ref", event["id"]) in ids
    assert all("price" in event for event in events if event["kind"].startswith("swing"))


# --- as processes of their own


@pytest.mark.slow
def test_the_time_zone_of_the_machine_changes_nothing(tmp_path: Path, rows: list[str]) -> None:
    file = file_of(rows)
    words = ("--symbol", "BTCUSDT", "--json", *SET)
    there = {"TZ": "Asia/Kathmandu"}

    run = program("run", "--replay", file, "--out", "run", "--no-alerts", *words, cwd=tmp_path, extra=there)
    backtest = program("backtest", "--candles", file, "--out", "backtest", *words, cwd=tmp_path, extra={"TZ": "UTC"})

    assert (run.returncode, backtest.returncode) == (0, 0), run.stderr + backtest.stderr
    assert json.loads(run.stdout)["fingerprint"] == json.loads(backtest.stdout)["fingerprint"]
    assert compare(tmp_path / "run", tmp_path / "backtest").difference is None
    refused = [(tmp_path / side / "refused.jsonl").read_text().splitlines() for side in ("run", "backtest")]
    assert sorted(refused[0]) == sorted(refused[1])


@pytest.mark.slow
def test_control_c_ends_a_run_with_one_line_and_no_summary(tmp_path: Path, rows: list[str]) -> None:
    words = ("run", "--replay", file_of(rows), "--symbol", "BTCUSDT", "--out", "out", "--json", "--no-alerts", *SET)
    run = started(*words, cwd=tmp_path)
    try:
        while not (tmp_path / "out" / "store.db").exists():
            assert run.poll() is None, "the run ended before it could be interrupted"
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=PATIENCE_S)
    finally:
        run.kill()

    assert run.returncode == 130, err
    assert out == ""
    assert [line for line in err.splitlines() if line] == [
        "interrupted; what was not finished leaves no summary, start it again"
    ]
    assert not (tmp_path / "out" / "summary.json").exists()


@pytest.mark.slow
def test_the_demo_trades_shows_both_recoveries_and_equals_its_backtest(tmp_path: Path) -> None:
    words = sets(("signal_interval=5m", "higher_interval=1h", "warm_up=48"))

    done = program("demo", "--days", "1", "--out", tmp_path / "demo", *words, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "from seed 20" in done.stderr
    assert "cut 1 time on purpose" in done.stderr
    assert "was lost on purpose" in done.stderr
    assert "Equal to the backtest, to the last digit" in done.stderr
    summary = json.loads((tmp_path / "demo" / "run" / "summary.json").read_text())
    assert summary["trades"] > 1
    assert summary["faults"] == {"cut": 1, "lost_answer": 1}
    assert len(signals_painted(tmp_path / "demo" / "run")) == summary["signals"]
