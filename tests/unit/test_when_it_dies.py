"""The page that says what happens when something dies: every row names a test that is there, in both languages."""

from __future__ import annotations

import ast
import functools
import re
from itertools import pairwise
from pathlib import Path

import pytest

from trading_system.app import SERVICES

ROOT = Path(__file__).parents[2]
PAGE, ARABIC = ROOT / "docs" / "when_it_dies.md", ROOT / "docs" / "when_it_dies.ar.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows_of(text: str) -> list[str]:
    """Return the rows of every table of a page, without heads."""
    lines = text.splitlines()
    within = [line for before, line in pairwise(lines) if line[:1] == before[:1] == "|"]
    return [line for line in within if not line.startswith("| ---")]


def named_in(row: str) -> list[tuple[str, str]]:
    return [(found[1], found[2]) for found in NAMED.finditer(row)]


@functools.cache
def functions_of(path: str) -> frozenset[str]:
    file = ROOT / path
    if not file.exists():
        return frozenset()
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return frozenset(node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def missing(text: str) -> list[str]:
    """Return the rows without a test, and the tests that are not there."""
    rows = rows_of(text)
    bare = [row for row in rows if not named_in(row)]
    gone = [f"{path}::{name}" for row in rows for path, name in named_in(row) if name not in functions_of(path)]
    return bare + gone


@pytest.mark.parametrize("page", [PAGE, ARABIC], ids=["english", "arabic"])
def test_every_row_names_a_test_that_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(rows_of(text)) > 30
    assert missing(text) == []


def test_both_languages_answer_with_the_same_tests_in_the_same_order() -> None:
    english, arabic = (rows_of(page.read_text(encoding="utf-8")) for page in (PAGE, ARABIC))
    assert [named_in(row) for row in arabic] == [named_in(row) for row in english]


def test_every_service_and_both_servers_have_a_row() -> None:
    dying = {
        word for row in rows_of(PAGE.read_text(encoding="utf-8")) for word in re.findall(r"\w+", row.split("|")[1])
    }
    assert {*SERVICES, "Redis", "MongoDB", "Telegram", "exchange", "disk", "power", "clock"} <= dying


def test_a_row_without_a_test_and_a_test_that_is_gone_are_found() -> None:
    head = "| what | then | shown by |\n| --- | --- | --- |\n"
    assert missing(head + "| all | nothing | nobody |\n") == ["| all | nothing | nobody |"]
    gone = "tests/unit/test_when_it_dies.py::test_that_is_not_here"
    assert missing(f"{head}| all | nothing | `{gone}` |\n") == [gone]
    there = "tests/unit/test_when_it_dies.py::test_every_service_and_both_servers_have_a_row"
    assert missing(f"{head}| all | nothing | `{there}` |\n") == []
