"""The papers keep their word: tagged blocks run, both languages say the same, links lead somewhere, tables are new."""

from __future__ import annotations

import functools
import gzip
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from trading_system.demo import DAYS, SEED, START_MS, demo_inputs
from trading_system.research.runs import run_backtest
from trading_system.rules.grid import text_of
from trading_system.settings import settings_with
from trading_system.simulator.market import DEMO_SYMBOLS, synthetic_candles

ROOT = Path(__file__).parents[2]
README, ARABIC = ROOT / "README.md", ROOT / "README.ar.md"
PAPERS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
WARM_UP_MINUTES = 500 * 15


class Block(NamedTuple):
    """One fenced block: what stands behind its fence, and its text."""

    tags: tuple[str, ...]
    text: str


def blocks_of(page: Path) -> list[Block]:
    fenced = re.finditer(r"^```([^\n]*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [Block(tuple(found[1].split()), found[2]) for found in fenced]


def run_block(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a block as its reader would: in a folder of its own, with the program on the path."""
    programs = Path(sys.executable).parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRADING_")}
    environment |= {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
    if "inside" in block.tags:
        folder = ROOT / "trading_system"
    else:
        environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-c"] if block.tags[0] == "python" else ["bash", "-euo", "pipefail", "-c"]
    return subprocess.run(
        [*command, block.text], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def write_candles(path: Path, days: int) -> None:
    """Write a candle file as an exchange's download looks: the demo's BTCUSDT, the warm-up and ``days`` days."""
    one = DEMO_SYMBOLS[0]
    rows = synthetic_candles(
        SEED, one.symbol, START_MS, WARM_UP_MINUTES + days * 1440, one.tick, one.step, one.start_price
    )
    lines = ["open_time,open,high,low,close,volume"]
    lines += [",".join([str(row[0]), *map(text_of, row[1:6])]) for row in rows.tolist()]
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))


@functools.cache
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pages_generator", ROOT / "docs" / "generate.py")
    if spec is None or spec.loader is None:
        pytest.fail("docs/generate.py cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("block", [b for b in blocks_of(README) if b.tags[:2] == ("python", "run")])
def test_every_tagged_python_example_runs(block: Block, tmp_path: Path) -> None:
    result = run_block(block, tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.slow
def test_the_commands_for_candle_files_run_one_after_the_other(tmp_path: Path) -> None:
    write_candles(tmp_path / "BTCUSDT_1m.csv.gz", days=1)
    said = ""
    for block in blocks_of(README):
        if block.tags == ("bash", "run"):
            result = run_block(block, tmp_path)
            assert result.returncode == 0, result.stdout + result.stderr
            said += result.stdout
    assert "equal: " in said
    fingerprints = re.findall(r"^fingerprint +(\w+)", said, re.MULTILINE)
    assert len(fingerprints) == 2
    assert len(set(fingerprints)) == 1
    assert '"kind": "swing_high"' in (tmp_path / "events.jsonl").read_text()


def test_every_make_command_of_the_papers_has_a_target() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    shown = [block for block in blocks_of(README) if block.tags == ("bash", "make")]
    assert {"demo", "test"} <= {verb for block in shown for verb in re.findall(r"\bmake ([a-z]+)", block.text)}
    for page in PAPERS:
        text = page.read_text(encoding="utf-8")
        named = {verb for code in re.findall(r"`([^`]+)`", text) for verb in re.findall(r"^make ([a-z]+)", code)}
        assert named <= targets, page.name


@pytest.mark.slow
def test_the_demo_of_the_readme_ends_as_the_program_does() -> None:
    settings = settings_with()
    summary = run_backtest(demo_inputs(settings, SEED, DAYS)[0], settings).summary
    (shown,) = [block.text for block in blocks_of(README) if block.tags == ("text",)]
    for name, key in (
        ("signals", "signals"),
        ("orders placed", "orders"),
        ("fills", "fills"),
        ("trades closed", "trades"),
    ):
        assert re.search(rf"^{name} +{summary[key]:,}$", shown, re.MULTILINE), f"{name} is {summary[key]} now"
    assert f"{summary['equity_final']:,.2f}" in shown
    assert summary["fingerprint"][:16] in shown


def test_both_languages_show_the_same_examples_and_the_same_rooms() -> None:
    assert blocks_of(ARABIC) == blocks_of(README)

    def sections(page: Path) -> int:
        return len(re.findall(r"^## ", page.read_text(encoding="utf-8"), re.MULTILINE))

    def rooms(page: Path) -> list[str]:
        lines = page.read_text(encoding="utf-8").splitlines()
        return [code for line in lines if line.startswith("| ") for code in re.findall(r"`([^`]+)`", line)]

    assert sections(ARABIC) == sections(README)
    assert rooms(ARABIC) == rooms(README)


def test_every_room_that_the_readme_names_exists() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    rooms = [code for line in lines if line.startswith("| ") for code in re.findall(r"`([\w./]+)`", line)]
    assert len(rooms) > 10
    for room in rooms:
        assert (ROOT / room).exists() or (ROOT / "trading_system" / room).exists(), room


@pytest.mark.parametrize("page", PAPERS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_paper_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    for link in links:
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_every_file_that_a_decision_names_exists() -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        for name in re.findall(r"`([\w/]+\.py)`", page.read_text(encoding="utf-8")):
            assert (ROOT / name).exists() or (ROOT / "trading_system" / name).exists(), f"{page.name}: {name}"


def test_the_generated_tables_are_as_the_code_says() -> None:
    stale = [str(page.relative_to(ROOT)) for page in generator().stale_pages()]
    assert stale == [], "run `make docs`"


def test_every_table_stands_in_exactly_one_page() -> None:
    pages = generator()
    found = [name for page in pages.PAGES for name in pages.tables_in(page.read_text(encoding="utf-8"))]
    assert sorted(found) == sorted(pages.TABLES)


def test_a_mark_that_names_no_table_is_refused() -> None:
    pages = generator()
    with pytest.raises(pages.PageError, match="was 'prices'; correct the mark"):
        pages.renewed("<!-- table: prices -->\n<!-- end of table -->")


def test_a_stale_table_is_seen_and_made_anew() -> None:
    pages = generator()
    marked = "<!-- table: commands -->\nlast year\n<!-- end of table -->\n"
    new = pages.renewed(marked)
    assert "| `backtest` |" in new
    assert "last year" not in new
    assert pages.renewed(new) == new


def test_the_picture_of_the_readme_is_an_alert_of_the_program() -> None:
    picture = (ROOT / "docs" / "pictures" / "alert.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    width, height = (int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
    assert (width, height) == (1024, 1280)
    assert len(picture) < 200_000
