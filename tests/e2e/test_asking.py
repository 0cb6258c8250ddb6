"""Commands as a person gives them, to a paper line that trades in another process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from program import COMMAND, PATIENCE_S, environment, program, sets, started
from small_markets import QUICK, SMALL, small_market, small_settings, write_candles
from test_paper_process import Exchange, seen, words_of

pytestmark = pytest.mark.slow


class Told(NamedTuple):
    folder: Path
    process: subprocess.Popen[str]

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Give a command to the line."""
        return program(*words, "--store", self.folder, cwd=self.folder.parent)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Told]:
    file = write_candles(tmp_path / "market.csv", small_market(small_settings()).candles["BTCUSDT"])
    server = started("exchange", "--replay", file, "--symbol", "BTCUSDT", *sets((*QUICK, *SMALL)), cwd=tmp_path)
    exchange = Exchange(server)
    folder = tmp_path / "paper"
    process = started(*words_of(exchange, folder), cwd=tmp_path)
    try:
        seen(folder, process, lambda view: view.step is not None)
        yield Told(folder, process)
    finally:
        for one in (process, server):
            one.kill()
            one.communicate(timeout=PATIENCE_S)


def test_a_line_in_another_process_obeys_and_answers(line: Told) -> None:
    paused = line("pause")
    assert (paused.returncode, paused.stderr) == (0, "")
    assert paused.stdout == "entries are off until `resume`; entries taken back: 0; stops and targets stay\n"
    assert json.loads(line("status", "--json").stdout)["entries_off"] == ["paused"]
    again = line("pause")
    assert (again.returncode, again.stdout) == (1, "entries are off already\n")
    assert line("resume", "--lang", "ar").stdout == "الدخول مفعّل\n"
    close = json.loads(line("close", "ETHUSDT", "--json").stdout)
    assert (close["status"], close["reason"]) == ("refused", "no_such_symbol")
    assert line("skip", "abcd").stdout == "abcd: no such offer waits; waiting: none\n"


def test_what_the_exchange_says_of_a_symbol_that_is_added_is_told_at_once(line: Told) -> None:
    unknown = line("symbols", "add", "ETHUSDT")
    assert unknown.returncode == 1
    asked, told = unknown.stdout.splitlines()
    assert asked == "ETHUSDT: asked for; it joins once the exchange has told of it and its history is there"
    assert told.startswith("ETHUSDT: does not join; the exchange says: ETHUSDT: expected one of the 1 symbols of ")
    (answer,) = json.loads(line("symbols", "add", "XRPUSDT", "--json").stdout)["answers"]
    assert (answer["status"], answer["state"]) == ("done", "left")
    status = json.loads(line("status", "--json").stdout)
    assert (status["symbols"], status["left"], status["mode"]) == (["BTCUSDT"], [], "paper")


def test_panic_is_asked_for_twice_unless_it_is_told_not_to(line: Told) -> None:
    for answer, code in (("n\n", 1), ("", 2)):
        asked = subprocess.run(
            [*COMMAND, "panic", "--store", str(line.folder)],
            cwd=line.folder.parent,
            env=environment(),
            input=answer,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert asked.returncode == code
        assert "switch entries off? [y/N]" in asked.stderr
    assert "give --yes where nobody can be asked" in asked.stderr
    assert json.loads(line("status", "--json").stdout)["entries_off"] == []
    told = line("panic", "--yes", "--json")
    assert (told.returncode, json.loads(told.stdout)["reason"]) == (0, "panicked")


def test_who_is_not_there_is_not_asked(line: Told, tmp_path: Path) -> None:
    line.process.kill()
    line.process.wait()
    told = line("pause")
    assert (told.returncode, told.stdout) == (2, "")
    assert "expected a line that some process trades, was none; start the run again" in told.stderr
    told = program("pause", "--store", tmp_path / "nothing", cwd=tmp_path)
    assert "expected a line that some process trades" in told.stderr
    assert not (tmp_path / "nothing").exists()
