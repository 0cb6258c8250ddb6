"""Who does not trade now stays on the line: a halt, a maintenance of the whole venue, a list with a hole."""

from __future__ import annotations

import pytest
from sample_line import until
from sample_membership import Line
from sample_trades import MINUTE

from trading_system.rules.account import SymbolStep
from trading_system.rules.matching import Minute
from trading_system.rules.roster import State, Why
from trading_system.services.execution_engine.joining import SILENT_STEPS, Membership
from trading_system.venues.errors import EndedSymbolError, HaltedSymbolError, NoSuchSymbolError, OutcomeUnknownError

HALTED = HaltedSymbolError("expected ETHUSDT to be traded, was BREAK at the venue")
ABSENT = NoSuchSymbolError("expected ETHUSDT among the 700 symbols of the venue, was not")
OFTEN = 50


def is_silent(line: Line, members: Membership, *places: int, steps: int = SILENT_STEPS) -> None:
    for _ in range(steps):
        line.step += 1
        members.heed({n: SymbolStep(Minute((line.step - 1) * MINUTE, 1.0, 1.0, 1.0, 1.0, n in places)) for n in (0, 1)})


async def told(line: Line, members: Membership) -> dict[str, State]:
    """Return where the symbols stand once nothing is in doubt."""
    await until(lambda: not len(members.doubts))
    await members.write(members.due(line.step, []), line.step)
    return {symbol: one.state for symbol, one in members.roster.members.items()}


STAY = {"BTCUSDT": State.JOINED, "ETHUSDT": State.JOINED}


@pytest.mark.parametrize("error", [HALTED, ABSENT, EndedSymbolError("expected ETHUSDT to be traded, was SETTLING")])
async def test_a_start_a_midnight_and_a_refused_entry_compare_grids_and_ask_no_more(error: Exception) -> None:
    line = Line()
    line.market.raises["ETHUSDT"] = [error] * OFTEN
    members = await line.live()
    assert await told(line, members) == STAY
    line.step += 1440
    members.day_begins(line.step)
    assert await told(line, members) == STAY
    members.doubts.about("ETHUSDT")  # as a refused entry does
    assert await told(line, members) == STAY
    assert len(line.market.raises["ETHUSDT"]) == OFTEN
    await members.stop()


async def test_a_halt_of_any_length_is_no_end() -> None:
    line = Line()
    members = await line.live()
    line.market.raises["ETHUSDT"] = [HALTED] * OFTEN
    for _ in range(4):
        is_silent(line, members, 1)
        assert await told(line, members) == STAY
    assert len(line.market.raises["ETHUSDT"]) == OFTEN - 4
    await members.stop()


@pytest.mark.parametrize("error", [HALTED, ABSENT])
async def test_in_a_maintenance_of_the_whole_venue_nobody_leaves_and_it_is_asked_seldom(error: Exception) -> None:
    line = Line()
    line.market.raises |= {symbol: [error] * OFTEN for symbol in line.market.known}
    members = await line.live()
    for pauses in (3, 6):
        is_silent(line, members, 0, 1)
        await until(lambda pauses=pauses: len(line.pauses) >= pauses)
    assert members.due(line.step, []) == []
    assert line.pauses[:6] == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    line.market.raises.clear()
    assert await told(line, members) == STAY
    await members.stop()


async def test_a_list_that_lacks_a_symbol_needs_a_second_one_after_as_long_a_silence() -> None:
    line = Line()
    members = await line.live()
    line.market.raises["ETHUSDT"] = [ABSENT] * OFTEN
    is_silent(line, members, 1)
    assert await told(line, members) == STAY
    is_silent(line, members, steps=1)  # its minutes come again: what was missed before counts no more
    is_silent(line, members, 1)
    assert await told(line, members) == STAY
    is_silent(line, members, 1)
    await line.settled(members, "ETHUSDT", State.LEAVING)
    assert members.roster.members["ETHUSDT"].why == Why.ENDED
    await members.stop()


async def test_a_venue_that_cannot_be_asked_for_long_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    line = Line()
    line.market.raises["traded"] = [OutcomeUnknownError("no answer")] * 5
    members = await line.live()
    assert await told(line, members) == STAY
    said = [one.getMessage() for one in caplog.records if "no answer" in one.getMessage()]
    assert said == ["what the venue trades cannot be asked now (no answer); asking again"]
    await members.stop()
