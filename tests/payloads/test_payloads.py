"""Messages that nobody of this project wrote: each is understood, or not consumed for a reason that the table gives."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from payload_checks import Checks
from payload_files import VENUES, Payload, payloads
from payload_page import PAGE, Outcome, outcome_of, outcomes, page
from payload_table import RULES, UnknownPayloadError, rule_of

PACKAGE = Path(__file__).parents[2] / "trading_system"


@pytest.fixture(scope="module")
def read() -> dict[Path, list[Outcome]]:
    """What was read of a folder so far: the tests look at the same outcomes."""
    return {}


@pytest.fixture
async def found(shared_data: Path, read: dict[Path, list[Outcome]]) -> list[Outcome]:
    if shared_data not in read:
        read[shared_data] = await outcomes(shared_data / "payloads")
    return read[shared_data]


@pytest.mark.shared
async def test_every_message_is_understood_as_it_stands_or_passed_over_for_a_reason(found: list[Outcome]) -> None:
    assert {one.payload.name: one.problem for one in found if one.problem} == {}


@pytest.mark.shared
async def test_the_page_says_what_became_of_each_message(found: list[Outcome]) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(found)


@pytest.mark.shared
def test_no_file_of_the_three_exchanges_is_left_out(shared_data: Path) -> None:
    folder = shared_data / "payloads"
    on_disk = {path.relative_to(folder).as_posix() for venue in VENUES for path in (folder / venue).rglob("*.*")}
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    listed = {entry["file"] for entry in manifest["entries"] if entry["file"].startswith(VENUES)}
    assert {payload.name for payload in payloads(folder)} == on_disk | listed


@pytest.mark.shared
def test_every_rule_of_the_table_is_about_a_message(shared_data: Path) -> None:
    used = {rule_of(payload) for payload in payloads(shared_data / "payloads")}
    assert [(rule.venue, rule.kind) for rule in RULES if rule not in used] == []


@pytest.mark.shared
def test_what_is_called_never_asked_for_is_asked_for_nowhere(shared_data: Path) -> None:
    """No adapter has the path of such an answer, with the method that would ask for it."""
    asked = set()
    for path in (PACKAGE / "venues").rglob("*.py"):
        asked |= set(re.findall(r'"(/(?:fapi|api|v5|sapi)/[\w/-]+)"', path.read_text(encoding="utf-8")))
    assert len(asked) > 20
    unasked = [
        payload
        for payload in payloads(shared_data / "payloads")
        if payload.kind.startswith("GET /") and rule_of(payload).use.reader is None
    ]
    # The one path whose answer depends on the category that is asked for.
    known = {"/v5/market/instruments-info"}
    assert {payload.kind.split(" ")[1] for payload in unasked} & asked <= known


class Misread(Payload):
    """A message beside which something else is held: what its reader takes to stand in it is not what stands there."""

    @property
    def said(self) -> Any:
        """The message with every number a little greater, in texts as well."""
        return _greater(super().said)


def _greater(said: Any) -> Any:
    if isinstance(said, dict):
        return {key: _greater(value) for key, value in said.items()}
    if isinstance(said, list):
        return [_greater(value) for value in said]
    if isinstance(said, str) and re.fullmatch(r"-?\d+\.\d+", said):
        return f"{float(said) + 1}"
    if isinstance(said, float):
        return said + 1
    return said


@pytest.mark.shared
@pytest.mark.parametrize(
    "kind",
    [
        "event kline 1m",
        "event markPriceUpdate",
        "event ORDER_TRADE_UPDATE",
        "topic kline.1",
        "topic execution",
        "topic tickers",
        "GET /fapi/v1/klines",
        "GET /fapi/v1/exchangeInfo",
        "GET /v5/market/kline",
        "GET /v5/market/instruments-info spot",
        "GET /v5/order/realtime",
        "GET /v5/execution/list",
        "GET /v5/market/risk-limit",
        "GET /fapi/v1/userTrades",
        "GET /fapi/v1/leverageBracket",
        "GET /v5/position/list",
        "GET /v5/account/fee-rate",
        "GET /api/v3/ticker/24hr",
    ],
)
async def test_a_value_that_is_not_the_one_in_the_message_is_found(shared_data: Path, kind: str) -> None:
    told = [Misread(*one) for one in payloads(shared_data / "payloads") if one.kind == kind]
    problems = [(await outcome_of(one)).problem for one in told]
    assert any("the message says" in problem for problem in problems), problems


def test_a_message_that_the_table_does_not_know_is_an_error() -> None:
    with pytest.raises(UnknownPayloadError, match=r"a rule for new.json \(event newest\), was none; add one"):
        rule_of(Payload("new.json", "bybit", "event newest", (b"{}",)))


async def test_a_reader_that_compares_nothing_is_a_problem() -> None:
    empty = Payload("empty.json", "bybit", "GET /v5/position/list", (b'{"retCode":0,"result":{"list":[]}}',))
    assert (await outcome_of(empty)).problem == "no value was compared"


def test_checks_count_what_agreed() -> None:
    checks = Checks()
    checks.same((1, 2.0), (1, 2.0))
    checks.nothing([])
    assert checks.count == 3
    with pytest.raises(AssertionError, match="understood 1, the message says 2"):
        checks.same(1, 2)
