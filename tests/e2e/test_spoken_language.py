"""The commands in Arabic: what a person reads is Arabic, what a program reads is not, and the trades are the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from program import program, sets
from small_markets import QUICK, SMALL, candle_rows, small_market, small_settings

SET = sets((*QUICK, *SMALL))
ARABIC = {"TRADING_LANGUAGE": "ar"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a candle file and one backtest of it in each language."""
    made = tmp_path_factory.mktemp("spoken")
    rows = candle_rows(small_market(small_settings()).candles["BTCUSDT"])
    (made / "candles.csv").write_text("".join(f"{row}\n" for row in rows))
    return made


def backtest(folder: Path, *words: str) -> list[str]:
    return ["backtest", "--candles", str(folder / "candles.csv"), "--symbol", "BTCUSDT", *SET, *words]


@pytest.mark.slow
def test_the_line_speaks_arabic_and_its_json_does_not(folder: Path) -> None:
    plain = program(*backtest(folder, "--out", "english"), cwd=folder)
    arabic = program(*backtest(folder, "--out", "arabic", "--lang", "ar", "--report", "out.html"), cwd=folder)
    told = program(*backtest(folder, "--out", "json", "--json"), cwd=folder, extra=ARABIC)
    assert (plain.returncode, arabic.returncode, told.returncode) == (0, 0, 0), arabic.stderr + told.stderr
    assert "equity at the end" in plain.stdout
    assert "الرصيد في النهاية" in arabic.stdout
    assert "التقرير" in arabic.stderr
    assert '<html lang="ar" dir="rtl">' in (folder / "out.html").read_text(encoding="utf-8")
    assert told.stdout.isascii()
    assert json.loads(told.stdout)["fingerprint"][:16] in plain.stdout

    compared = program("compare", "english", "arabic", cwd=folder, extra=ARABIC)
    assert compared.returncode == 0
    assert compared.stdout.startswith("متساويان")


@pytest.mark.slow
def test_a_chart_in_arabic_says_its_words_from_the_right(folder: Path) -> None:
    words = ["chart", "BTCUSDT", "--candles", str(folder / "candles.csv"), "-o", "x.svg", "--lang", "ar", *SET]
    told = program(*words, cwd=folder)
    assert told.returncode == 0, told.stderr
    assert "التغيّر" in (folder / "x.svg").read_text(encoding="utf-8")


def test_a_language_that_there_is_not_is_refused_with_those_there_are(tmp_path: Path) -> None:
    told = program("compare", "a", "b", "--lang", "fr", cwd=tmp_path)
    assert (told.returncode, told.stderr) == (2, "error: --lang: expected 'en' or 'ar', was 'fr'\n")


@pytest.mark.parametrize(
    ("words", "files", "extra"),
    [
        (["--lang", "ar", "status"], {}, {}),
        (["status", "--lang=ar"], {}, {}),
        (["config", "show", "--set", "language=ar", "--set", "x=1"], {}, {}),
        (["status"], {}, ARABIC),
        (["status"], {"trading.toml": 'language = "ar"\n'}, {}),
        (["status"], {".env": "TRADING_LANGUAGE=ar\n"}, {}),
        (["status", "--config", "mine.toml"], {"mine.toml": 'language = "ar"\n'}, {}),
        (["status"], {"trading.toml": 'language = "en"\n', ".env": "TRADING_LANGUAGE=ar\n"}, {}),
        (["status", "--lang", "ar"], {"trading.toml": "no toml\n"}, {}),
    ],
)
def test_errors_are_spoken_in_the_language_that_counts_wherever_it_is_set(
    words: list[str], files: dict[str, str], extra: dict[str, str], tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    told = program(*words, cwd=tmp_path, extra=extra)
    assert told.returncode == 2
    assert told.stderr.startswith("خطأ: ")
    assert len(told.stderr.splitlines()) == 1


def test_a_wish_for_english_beats_the_files(tmp_path: Path) -> None:
    (tmp_path / "trading.toml").write_text('language = "ar"\n')
    told = program("status", "--lang", "en", cwd=tmp_path, extra=ARABIC)
    assert told.stderr.startswith("error: data/runs: expected the folder of a run")


@pytest.mark.parametrize("words", [["detect", "--candles", "candles.csv"], ["chart"], ["sta"], ["init"], ["doctor"]])
def test_every_command_takes_the_language(words: list[str], tmp_path: Path) -> None:
    told = program(*words, "--lang", "ar", cwd=tmp_path)
    said = (told.stdout + told.stderr).splitlines()
    assert any(re.search(r"[\u0621-\u064a]{3}", line) for line in said)
    assert all(not re.search(r"[a-z]{3} [a-z]{3}", re.sub("\u2066[^\u2069]*\u2069", "", line)) for line in said)
