"""A line's symbols change while it runs: the fold of their changes, what may be asked, and what a venue makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_desk import Desk
from sample_line import until
from sample_membership import BTC, ETH, ORIGIN, SOL, Line
from sample_trades import EXCHANGE, MINUTE, START, Book, plan_at

from trading_system.rules.account import SymbolStep
from trading_system.rules.facts import Closed, Withdrawn
from trading_system.rules.grid import Grid, Instrument
from trading_system.rules.matching import FillRules, Minute, OrderType, Role
from trading_system.rules.risk import Rejection
from trading_system.rules.roster import Change, Place, Roster, State, Why, after, new_roster, pack_change, unpack_change
from trading_system.rules.symbol_commands import asked_for, chosen
from trading_system.rules.symbols import SymbolError, selection_of
from trading_system.services.execution_engine.joining import SILENT_STEPS, Choice, Membership
from trading_system.services.execution_engine.pending_steps import PendingSteps
from trading_system.services.roster_log import RosterLog
from trading_system.simulator.paper_venue import PaperVenue
from trading_system.venues.errors import EndedSymbolError, NoSuchSymbolError, OutcomeUnknownError, RefusedError
from trading_system.venues.port import VenueFill, VenueOrder


def roster_of(*changes: Change) -> Roster:
    return after(new_roster(ORIGIN, [BTC, ETH]), changes)


def changed(
    symbol: str, state: State, step: int, why: Why = Why.BY_HAND, instrument: Instrument | None = None
) -> Change:
    return Change(symbol, state, step, why, instrument)


JOINED = (
    changed("SOLUSDT", State.ASKED, ORIGIN + 5),
    changed("SOLUSDT", State.JOINING, ORIGIN + 5, instrument=SOL),
    changed("SOLUSDT", State.JOINED, ORIGIN + 9),
)
GONE = (changed("BTCUSDT", State.LEAVING, ORIGIN + 20), changed("BTCUSDT", State.LEFT, ORIGIN + 30))


def test_a_symbol_takes_part_from_the_step_in_which_it_joined_to_the_step_after_which_it_had_left() -> None:
    roster = roster_of(*JOINED, *GONE)
    assert roster.places == ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    assert roster.at(ORIGIN + 8) == {0: Place.IN, 1: Place.IN}
    assert roster.at(ORIGIN + 9) == {0: Place.IN, 1: Place.IN, 2: Place.IN}
    assert roster.at(ORIGIN + 20) == {0: Place.LEAVING, 1: Place.IN, 2: Place.IN}
    assert roster.at(ORIGIN + 30) == {0: Place.LEAVING, 1: Place.IN, 2: Place.IN}
    assert roster.at(ORIGIN + 31) == {1: Place.IN, 2: Place.IN}
    assert roster.fed == ("ETHUSDT", "SOLUSDT")


def test_a_symbol_that_comes_again_has_its_old_place_and_its_old_origin() -> None:
    again = (
        changed("BTCUSDT", State.ASKED, ORIGIN + 40),
        Change("BTCUSDT", State.JOINING, ORIGIN + 40, Why.BY_HAND, BTC, ORIGIN + 39),
        changed("BTCUSDT", State.JOINED, ORIGIN + 50),
    )
    roster = roster_of(*JOINED, *GONE, *again)
    assert roster.places.index("BTCUSDT") == 0
    assert roster.origins["BTCUSDT"] == ORIGIN
    assert 0 not in roster.at(ORIGIN + 49)
    assert roster.at(ORIGIN + 50)[0] == Place.IN
    assert roster.at(ORIGIN + 29)[0] == Place.LEAVING


def test_changes_folded_one_by_one_or_at_once_or_out_of_their_bytes_are_the_same_roster() -> None:
    changes = (*JOINED, *GONE)
    at_once = roster_of(*changes)
    one_by_one = roster_of()
    for change in changes:
        one_by_one = after(one_by_one, [unpack_change(pack_change(change))])
    assert one_by_one == at_once


@pytest.mark.parametrize(
    ("command", "symbol", "reason", "states"),
    [
        ("add_symbol", "SOLUSDT", "asked", [State.ASKED]),
        ("add_symbol", "BTCUSDT", "traded_already", []),
        ("add_symbol", "btc usdt", "bad_symbol", []),
        ("remove_symbol", "BTCUSDT", "leaves", [State.LEAVING]),
        ("remove_symbol", "ETHUSDT", "left", [State.LEFT]),
        ("remove_symbol", "SOLUSDT", "no_such_symbol", []),
    ],
)
def test_what_is_asked_of_the_symbols_is_answered(command: str, symbol: str, reason: str, states: list[State]) -> None:
    asked = asked_for(
        roster_of(), command, {"symbol": symbol}, ORIGIN + 3, frozenset({"ETHUSDT"}), chooses=False, finds=True
    )
    assert asked.reply.reason == reason
    assert asked.reply.done == bool(states)
    assert [change.state for change in asked.changes] == states


def test_the_last_symbol_stays_and_who_leaves_is_not_asked_twice() -> None:
    roster = roster_of(changed("BTCUSDT", State.LEAVING, ORIGIN + 2))
    for symbol, reason in (("ETHUSDT", "last_symbol"), ("BTCUSDT", "leaves_still")):
        asked = asked_for(
            roster, "remove_symbol", {"symbol": symbol}, ORIGIN + 3, frozenset(), chooses=False, finds=True
        )
        assert (asked.reply.reason, asked.changes) == (reason, ())


def test_a_choice_by_volume_brings_and_lets_go_but_undoes_nothing_that_a_person_decided() -> None:
    begun = new_roster(ORIGIN, [BTC, ETH], ["BTCUSDT"])
    roster = after(begun, [*JOINED, Change("XRPUSDT", State.LEFT, ORIGIN + 1, Why.BY_HAND)])
    changes = chosen(roster, ["ADAUSDT", "XRPUSDT"], ["BTCUSDT"], ORIGIN + 60, frozenset({"ETHUSDT"}))
    assert [(one.symbol, one.state, one.why) for one in changes] == [
        ("ADAUSDT", State.ASKED, Why.BY_VOLUME),
        ("ETHUSDT", State.LEFT, Why.BY_VOLUME),
    ]


def test_an_entry_of_a_symbol_that_leaves_is_taken_back_and_its_new_signals_are_refused() -> None:
    book = Book()
    book.minute(101.0, plans=[plan_at(START)])
    book.minute(101.0, leaving=True, plans=[plan_at(START, number=1)])
    assert [fact.rule for fact in book.named(Withdrawn)] == ["symbol_leaves"]
    assert [fact.rule for fact in book.named(Rejection)] == ["symbol_leaves"]


async def asked_to_join(line: Line, members: Membership, symbol: str = "SOLUSDT") -> None:
    asked = members.ask("add_symbol", {"symbol": symbol}, line.step, [])
    await members.write(asked.changes, line.step)


def minute(step: int, *, gap: bool = False) -> SymbolStep:
    return SymbolStep(Minute((step - 1) * MINUTE, 1.0, 1.0, 1.0, 1.0, gap))


async def test_who_is_asked_for_joins_after_the_step_up_to_which_it_has_come() -> None:
    line = Line()
    members = await line.live()
    await asked_to_join(line, members)
    await line.settled(members, "SOLUSDT", State.JOINING)
    assert members.roster.members["SOLUSDT"].origin == line.step - 600
    members.arrive("SOLUSDT", line.step - 1, minute(line.step - 1))
    assert members.joins(line.step) == []
    members.arrive("SOLUSDT", line.step, minute(line.step))
    await members.write(members.joins(line.step), line.step)
    assert members.takes == {0: Place.IN, 1: Place.IN, 2: Place.IN}
    await members.stop()


async def test_who_is_joining_when_the_line_ends_is_made_ready_again_by_the_next_life() -> None:
    line = Line()
    members = await line.live()
    await asked_to_join(line, members)
    await line.settled(members, "SOLUSDT", State.JOINING)
    await members.stop()
    again = await line.live()
    assert again.roster == members.roster
    await until(lambda: line.market.ready == ["SOLUSDT", "SOLUSDT"])
    await again.stop()


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("SOLUSDT", NoSuchSymbolError("SOLUSDT: expected a symbol of the venue, was none")),
        ("ready SOLUSDT", RefusedError(-4028, "Leverage 5 is not valid")),
    ],
)
async def test_a_refusal_of_the_venue_is_that_symbols_alone(where: str, error: Exception) -> None:
    line = Line()
    line.market.raises[where] = [error]
    members = await line.live()
    await asked_to_join(line, members)
    await asked_to_join(line, members, "ADAUSDT")
    await line.settled(members, "SOLUSDT", State.LEFT)
    assert members.roster.members["SOLUSDT"].why == Why.REFUSED
    assert members.roster.members["SOLUSDT"].detail == str(error)
    await line.settled(members, "ADAUSDT", State.JOINING)
    await members.stop()


async def test_a_venue_that_does_not_answer_is_asked_again() -> None:
    line = Line()
    line.market.raises["SOLUSDT"] = [OutcomeUnknownError("no answer"), OutcomeUnknownError("no answer")]
    members = await line.live()
    await asked_to_join(line, members)
    await line.settled(members, "SOLUSDT", State.JOINING)
    assert len(line.pauses) == 2
    await members.stop()


async def test_a_symbol_whose_grid_is_another_than_before_does_not_come_back() -> None:
    line = Line()
    await RosterLog(line.store, EXCHANGE).append(new_roster(ORIGIN, [BTC, ETH]), GONE)
    line.market.known["BTCUSDT"] = BTC._replace(tick=Grid(1, 100))
    members = await line.live()
    await asked_to_join(line, members, "BTCUSDT")
    await line.settled(members, "BTCUSDT", State.LEFT)
    assert "trade it on a line of its own" in members.roster.members["BTCUSDT"].detail
    await members.stop()


async def test_the_symbols_are_chosen_once_a_day_and_not_again_by_the_next_life_of_that_day() -> None:
    line = Line(Choice(1, ("BTCUSDT",)))
    members = await line.live()
    await line.settled(members, "ADAUSDT", State.JOINING)
    assert members.roster.members["ETHUSDT"].state == State.LEFT
    await members.stop()
    line.market.volumes = ["SOLUSDT"]
    again = await line.live()
    await again.write(again.due(line.step, [0, 1]), line.step)
    assert "SOLUSDT" not in again.roster.members
    line.step += 1440
    again.day_begins(line.step)
    await line.settled(again, "SOLUSDT", State.JOINING)
    assert again.roster.members["ADAUSDT"].state == State.LEFT
    await again.stop()


async def test_a_symbol_that_the_venue_trades_no_more_takes_no_new_entries_and_the_others_go_on() -> None:
    line = Line()
    members = await line.live()
    line.market.raises["BTCUSDT"] = [EndedSymbolError("BTCUSDT: expected a symbol that trades, was SETTLING")]
    for _ in range(SILENT_STEPS):
        line.step += 1
        members.heed({0: minute(line.step, gap=True), 1: minute(line.step)})
    await line.settled(members, "BTCUSDT", State.LEAVING)
    assert members.takes == {0: Place.LEAVING, 1: Place.IN}
    assert members.roster.members["BTCUSDT"].why == Why.ENDED
    assert members.released(line.step, [0]) == []  # the step in which it leaves is still to come
    assert [one.symbol for one in members.released(line.step + 1, [0])] == ["BTCUSDT"]
    await members.stop()


async def test_a_symbol_that_ends_while_it_leaves_is_known_to_have_ended_too() -> None:
    line = Line()
    members = await line.live()
    await until(lambda: not len(members.doubts))  # it was still traded when the day began
    line.market.raises["BTCUSDT"] = [EndedSymbolError("BTCUSDT: expected a symbol that trades, was SETTLING")]
    await members.write([changed("BTCUSDT", State.LEAVING, line.step + 1)], line.step)
    for _ in range(SILENT_STEPS):
        line.step += 1
        members.heed({0: minute(line.step, gap=True)._replace(leaving=True), 1: minute(line.step)})
    assert len(members.doubts)
    await until(lambda: not len(members.doubts))
    await members.write(members.due(line.step, []), line.step)
    (stay,) = members.roster.members["BTCUSDT"].stints
    assert (stay.leaving, stay.ended) == (line.step - SILENT_STEPS + 1, line.step + 2)
    taken = [members.takes[0]]  # in a minute that may have begun
    members.look_at(line.step + 2)
    assert [*taken, members.takes[0]] == [Place.LEAVING, Place.ENDED]
    await members.stop()


def test_one_that_has_ended_and_is_not_seen_either_is_a_gap_in_which_it_is_settled() -> None:
    ends = changed("BTCUSDT", State.LEAVING, ORIGIN + 20, Why.ENDED)
    roster = roster_of(ends, changed("BTCUSDT", State.UNSEEN, ORIGIN + 18, Why.ENDED), ends._replace(step=ORIGIN + 30))
    places = [roster.at(step)[0] for step in range(ORIGIN + 17, ORIGIN + 22)]
    assert places == [Place.IN, Place.UNSEEN, Place.UNSEEN, Place.UNSEEN, Place.ENDED_UNSEEN]
    pending = PendingSteps()
    pending.bring(ORIGIN + 21, 1, minute(ORIGIN + 21))
    takes = roster.at(ORIGIN + 21)
    assert pending.is_whole(ORIGIN + 21, takes)
    said = pending.take(ORIGIN + 21, takes)[0]
    assert (said.minute.gap, said.unseen, said.settles) == (True, True, True)


async def test_a_quiet_market_that_is_traded_stays() -> None:
    line = Line()
    members = await line.live()
    for _ in range(SILENT_STEPS):
        line.step += 1
        members.heed({0: minute(line.step, gap=True)})
    await until(lambda: not len(members.doubts))
    assert members.due(line.step, []) == []
    await members.stop()


async def test_a_position_that_the_venue_settles_itself_is_booked_as_an_exit(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.live()
    await desk.minute(101.0, plans=[plan_at((desk.step + 1) * MINUTE)])
    await desk.fill("e", 100.0)
    stop = desk.trade("s", 99.0)
    await desk.hear(stop._replace(client_id="settlement_autoclose-17", price=100.5))
    await desk.minute(101.0)
    (closed,) = [fact for fact in await desk.facts() if isinstance(fact, Closed)]
    assert (closed.reason, closed.earned > 0) == ("settled", True)
    assert desk.execution.idle
    await desk.die()


@pytest.mark.parametrize(
    ("words", "selection"),
    [
        (["BTCUSDT", "ETHUSDT"], (("BTCUSDT", "ETHUSDT"), 0)),
        (["top 200 by volume"], ((), 200)),
        (["BTCUSDT", "Top 20 by Volume"], (("BTCUSDT",), 20)),
    ],
)
def test_symbols_are_named_or_chosen_by_volume(words: list[str], selection: tuple[tuple[str, ...], int]) -> None:
    assert selection_of(words) == selection


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["top many by volume"], r"or .top 200 by volume., was .top many by volume."),
        (["top 0 by volume"], r"of 1 to 1000, was 'top 0 by volume'"),
        (["top 3 by volume", "top 4 by volume"], r"expected one choice .* was 'top 4 by volume'"),
        (["BTCUSDT", "BTCUSDT"], r"expected each symbol once"),
        (["btc"], r"expected a symbol of capital letters"),
    ],
)
def test_a_selection_that_cannot_be_is_refused_in_one_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(SymbolError, match=sentence):
        selection_of(words)


async def test_a_paper_account_lets_a_symbol_in_between_two_minutes_and_keeps_it_over_a_restart(tmp_path: Path) -> None:
    def account(*instruments: Instrument) -> PaperVenue:
        return PaperVenue(tmp_path / "paper.json", instruments, ORIGIN, FillRules(), leverage=5, equity=10_000.0)

    venue = account(ETH)
    first = {"ETHUSDT": Minute(START, 100.0, 101.0, 99.0, 100.0)}
    assert venue.play(ORIGIN + 1, first).over
    venue.admit(BTC)
    both = {symbol: Minute(START + MINUTE, 100.0, 101.0, 99.0, 100.0) for symbol in ("BTCUSDT", "ETHUSDT")}
    assert venue.play(ORIGIN + 2, both).over
    order = VenueOrder("tm-e", "BTCUSDT", Role.ENTRY, OrderType.MARKET, 1, 0.0, 0.1)
    await venue.place(order, 0)
    await venue.close()
    again = account(BTC, ETH)
    next_ones = {symbol: minute._replace(open_time=START + 2 * MINUTE) for symbol, minute in both.items()}
    played = again.play(ORIGIN + 3, next_ones)
    assert [event.symbol for event in played.events] == ["BTCUSDT"]  # type: ignore[union-attr]
    assert (await again.position("BTCUSDT")).quantity == 0.1
    assert (await again.position("ETHUSDT")).quantity == 0.0


async def test_a_paper_account_settles_what_has_ended_once_its_minutes_end_and_trades_it_when_it_comes_again(
    tmp_path: Path,
) -> None:
    def account() -> PaperVenue:
        return PaperVenue(tmp_path / "paper.json", [BTC], ORIGIN, FillRules(), leverage=5, equity=10_000.0)

    def candle(step: int, close: float) -> dict[str, Minute]:
        return {"BTCUSDT": Minute((step - 1) * MINUTE, 100.0, 101.0, 99.0, close)}

    venue, ended = account(), {"BTCUSDT"}
    order = VenueOrder("tm-e", "BTCUSDT", Role.ENTRY, OrderType.MARKET, 1, 0.0, 0.1)
    assert venue.play(ORIGIN + 1, candle(ORIGIN + 1, 100.0), ended).over
    await venue.place(order, 0)
    assert not venue.play(ORIGIN + 2, candle(ORIGIN + 2, 100.0), ended).over
    await venue.place(VenueOrder("tm-s", "BTCUSDT", Role.STOP, OrderType.STOP, -1, 90.0, 0.1), 0)
    assert venue.play(ORIGIN + 2, candle(ORIGIN + 2, 100.0), ended).over
    assert venue.play(ORIGIN + 3, candle(ORIGIN + 3, 100.5), ended).over
    assert (await venue.position("BTCUSDT")).quantity == 0.1
    await venue.close()
    venue = account()
    gap = {"BTCUSDT": Minute((ORIGIN + 3) * MINUTE, 0.0, 0.0, 0.0, 0.0, True)}
    (fill, *_) = venue.play(ORIGIN + 4, gap, ended).events
    assert isinstance(fill, VenueFill)
    assert (fill.price, fill.time, fill.client_id[:21]) == (100.5, (ORIGIN + 3) * MINUTE, "settlement_autoclose-")
    assert venue.play(ORIGIN + 4, gap, ended).over
    assert venue.idle
    with pytest.raises(RefusedError):
        await venue.place(order._replace(client_id="tm-f"), 0)
    venue.admit(BTC)
    await venue.place(order._replace(client_id="tm-f"), 0)
