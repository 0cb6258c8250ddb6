"""The tour shows what the program prints now: its listing, its refusals, its commands; how they look is made elsewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from trading_system.cli.command_table import COMMANDS
from trading_system.cli.help_page import listing
from trading_system.languages.catalogue import LANGUAGES

ROOT = Path(__file__).parents[2]
RENEW = "run `python docs/tour.py`"
QUICK = ("--help", "sgnals", "nowhere.csv")


@pytest.fixture(scope="module")
def tour() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tour", ROOT / "docs" / "tour.py")
    if spec is None or spec.loader is None:
        pytest.fail("docs/tour.py cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(tour: ModuleType, language: str) -> list[tuple[str, str]]:
    """Return each command of a page with what the page says it printed."""
    page = (ROOT / "docs" / tour.name_of(language)).read_text(encoding="utf-8")
    return re.findall(r"```bash\n(.*?)\n```\n.*?```text\n(.*?)```", page, re.DOTALL)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_has_every_stop_of_the_tour_and_its_picture(tour: ModuleType, language: str) -> None:
    assert [command for command, _ in shown(tour, language)] == [stop.command for stop in tour.STOPS], RENEW
    assert (ROOT / "docs" / "pictures" / tour.picture_of(language)).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_listing_of_the_tour_is_the_one_of_today(tour: ModuleType, language: str) -> None:
    assert dict(shown(tour, language))["trading-system --help"] == listing(language) + "\n", RENEW


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_printed_at_once_is_printed_so_today(tour: ModuleType, language: str, tmp_path: Path) -> None:
    for command, said in shown(tour, language):
        if any(word in command for word in QUICK):
            assert tour.neutral(tour.printed(command, tmp_path, language), tmp_path) == said, RENEW


def test_every_command_of_the_tour_exists_and_its_first_days_are_shown(tour: ModuleType) -> None:
    named = [stop.command.split()[1] for stop in tour.STOPS]
    assert set(named) - {"--help", "sgnals"} <= set(COMMANDS)
    assert {"demo", "backtest", "status", "positions", "signals", "trades", "why", "chart", "doctor"} <= set(named)


def test_a_page_names_no_place_of_a_machine(tour: ModuleType, tmp_path: Path) -> None:
    text = f"{tmp_path}/x {Path.home()}/y rules-0123456789abcdef  \n"
    assert tour.neutral(text, tmp_path) == "tour/x ~/y rules-01234567\n"
