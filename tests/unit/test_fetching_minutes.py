"""Minutes out of the archive and by REST: which source gives what, what is fetched once only, what is never kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from fetching_house import DAY, NOVEMBER, OCTOBER, TODAY, House, candles, same
from kline_host import dies_after, web_page, zip_of
from public_venue import MINUTE, html
from virtual_clock import START_MS

from trading_system.research.fetched.errors import (
    ArchiveAwayError,
    ArchiveFileError,
    FetchBusyError,
    NoVolumesError,
    SpanError,
)
from trading_system.research.fetched.fetch import Wanted, Watch, chosen_symbols, fetch
from trading_system.research.fetched.minutes import Month
from trading_system.rules.sequencer import ClosedCandle
from trading_system.venues.market_errors import MarketAwayError, UnknownSymbolError


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_the_archive_gives_months_and_days_and_rest_the_newest_minutes(house: House) -> None:
    house.publish_month(OCTOBER)
    for day in range(NOVEMBER.start, TODAY - DAY, DAY):
        house.publish_day(day)
    done = await house.fetch(OCTOBER.start + 5 * DAY)
    assert (done.failed, house.notes, house.months) == ({}, [], 2)
    assert same(house.kept(OCTOBER), candles(OCTOBER.start, OCTOBER.end))
    assert same(house.kept(NOVEMBER), candles(NOVEMBER.start, START_MS - MINUTE))
    assert house.sources(OCTOBER) == [("archive", OCTOBER.start, OCTOBER.end)]
    *days, rest = house.sources(NOVEMBER)
    assert days == [("archive", day, day + DAY) for day in range(NOVEMBER.start, TODAY - DAY, DAY)]
    assert rest == ("rest", TODAY - DAY, START_MS - MINUTE)
    assert not [path for path in house.host.asked if "monthly" in path and "2023-11" in path]


async def test_what_is_kept_is_not_asked_for_again_and_a_month_goes_on_where_it_ended(house: House) -> None:
    house.publish_month(OCTOBER)
    await house.fetch(OCTOBER.start, TODAY - 3 * DAY)
    house.host.asked.clear()
    house.venue.asked.clear()
    await house.fetch(OCTOBER.start, TODAY - 3 * DAY)
    assert house.host.asked == []
    assert [path for path, _ in house.venue.asked if "klines" in path] == []
    house.venue.asked.clear()
    await house.fetch(OCTOBER.start, TODAY - 2 * DAY)
    starts = [int(asked["startTime"]) for path, asked in house.venue.asked if "klines" in path]
    assert min(start for start in starts if start) == TODAY - 3 * DAY
    assert same(house.kept(NOVEMBER), candles(NOVEMBER.start, TODAY - 2 * DAY))
    assert house.notes == []


@pytest.mark.parametrize("name", ["binance_usdm", "binance", "bybit_linear", "bybit"])
async def test_every_exchange_gives_the_same_minutes_by_rest_within_its_budget(name: str, tmp_path: Path) -> None:
    house = House(tmp_path, name)
    house.venue.missing = {NOVEMBER.start + n * MINUTE for n in (7, 8, 900)}
    done = await house.fetch(NOVEMBER.start, NOVEMBER.start + 3 * DAY, source="rest")
    assert done.failed == {}
    wanted = [
        row for row in candles(NOVEMBER.start, NOVEMBER.start + 3 * DAY) if row.open_time not in house.venue.missing
    ]
    assert same(house.kept(NOVEMBER), wanted)
    stored = house.shelf.read(name, "BTCUSDT", NOVEMBER)
    assert stored is not None
    assert [(hole.first - NOVEMBER.start) // MINUTE for hole in stored.holes] == [7, 900]
    assert [hole.missing for hole in stored.holes] == [2, 1]


async def test_the_running_minute_and_one_that_may_still_change_are_never_kept(house: House) -> None:
    house.clock.now_ms = START_MS + 4_000
    await house.fetch(TODAY, source="rest")
    assert int(house.kept(NOVEMBER).times[-1]) == START_MS - 2 * MINUTE
    house.clock.now_ms = START_MS + 30_000
    await house.fetch(TODAY, source="rest")
    assert int(house.kept(NOVEMBER).times[-1]) == START_MS - MINUTE


async def test_spot_files_in_microseconds_and_without_a_header_are_the_same_minutes(tmp_path: Path) -> None:
    house = House(tmp_path, "binance")
    path = house.layout.month("BTCUSDT", OCTOBER.start)
    assert path == "/data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2023-10.zip"
    rows = candles(OCTOBER.start, OCTOBER.end)
    house.host.put(path, zip_of("BTCUSDT-1m-2023-10", rows, header=False, micro=True))
    await house.fetch(OCTOBER.start, OCTOBER.end)
    assert house.sources(OCTOBER) == [("archive", OCTOBER.start, OCTOBER.end)]
    assert same(house.kept(OCTOBER), rows)


async def test_a_month_before_the_listing_is_known_to_be_empty_and_not_asked_for_again(house: House) -> None:
    house.venue.first = NOVEMBER.start + 5 * DAY
    july = Month(2022, 7)  # more than 400 days before
    await house.fetch(july.start, NOVEMBER.start + 7 * DAY)
    assert house.host.asked[0].endswith("BTCUSDT-1m-2023-11-06.zip")
    assert len(house.kept(july).times) == 0
    assert same(house.kept(NOVEMBER), candles(house.venue.first, NOVEMBER.start + 7 * DAY))
    house.venue.asked.clear()
    await house.fetch(july.start, NOVEMBER.start + 7 * DAY)
    assert [path for path, _ in house.venue.asked if "klines" in path] == []


@pytest.mark.parametrize("harm", ["checksum", "zip", "html", "dead", "none", "rows"])
async def test_a_file_of_the_archive_that_cannot_be_trusted_is_named_and_rest_gives_its_minutes(
    harm: str, house: House
) -> None:
    path = house.publish_month(OCTOBER)
    content = house.host.files[path]
    if harm == "checksum":
        house.host.put(path, content, checksum="0" * 64)
    elif harm == "zip":
        house.host.put(path, content[:1000])
    elif harm == "html":
        house.host.broken = {path: web_page, f"{path}.CHECKSUM": web_page}
    elif harm == "dead":
        house.host.broken[path] = dies_after(content, 2000)
    elif harm == "none":
        del house.host.files[f"{path}.CHECKSUM"]
    elif harm == "rows":
        crossed = ClosedCandle(OCTOBER.end - MINUTE, 1, 0, 2, 1, 1)
        house.publish_month(OCTOBER, [*candles(OCTOBER.start, OCTOBER.end - MINUTE), crossed])
    house.clock.now_ms = NOVEMBER.start + DAY
    done = await house.fetch(OCTOBER.end - DAY, OCTOBER.end)
    assert done.failed == {}
    assert house.said() == ["archive_file"]
    assert same(house.kept(OCTOBER), candles(OCTOBER.start, OCTOBER.end))
    assert {source for source, *_ in house.sources(OCTOBER)} == {"rest"}


@pytest.mark.parametrize(
    ("harm", "error", "sentence"),
    [
        ("checksum", ArchiveFileError, "expected the sha256 000000000000..., which its .CHECKSUM states, was"),
        ("html", ArchiveAwayError, "expected a file of the archive, was a web page; look at the network"),
        ("dead", ArchiveAwayError, "was an answer that breaks off after 4 attempts"),
    ],
)
async def test_asked_for_the_archive_alone_a_bad_file_is_one_sentence_and_other_symbols_go_on(
    harm: str, error: type[Exception], sentence: str, house: House
) -> None:
    path = house.publish_month(OCTOBER)
    house.publish_month(OCTOBER, symbol="ETHUSDT")
    content = house.host.files[path]
    if harm == "checksum":
        house.host.put(path, content, checksum="0" * 64)
    elif harm == "html":
        house.host.broken = {path: web_page, f"{path}.CHECKSUM": web_page}
    else:
        house.host.broken[path] = dies_after(content, 2000)
    done = await house.fetch(OCTOBER.start, OCTOBER.end, symbols=["BTCUSDT", "ETHUSDT"], source="archive")
    assert (done.symbols, list(done.failed)) == (("ETHUSDT",), ["BTCUSDT"])
    with pytest.raises(error, match=sentence):
        raise done.failed["BTCUSDT"]
    assert same(house.kept(OCTOBER, "ETHUSDT"), candles(OCTOBER.start, OCTOBER.end))
    assert house.shelf.months(house.name, "BTCUSDT") == []


async def test_a_host_that_stumbles_once_is_asked_again(house: House) -> None:
    path = house.publish_month(OCTOBER)
    content = house.host.files[path]
    dying = dies_after(content, 2000)

    async def once(request: object) -> object:
        del house.host.broken[path]
        return await dying(request)  # type: ignore[arg-type]

    house.host.broken[path] = once
    await house.fetch(OCTOBER.start, OCTOBER.end, source="archive")
    assert same(house.kept(OCTOBER), candles(OCTOBER.start, OCTOBER.end))


async def test_a_month_published_before_its_last_days_is_completed_by_rest(house: House) -> None:
    house.publish_month(OCTOBER, candles(OCTOBER.start, OCTOBER.end - 2 * DAY))
    house.publish_day(OCTOBER.end - 2 * DAY)
    await house.fetch(OCTOBER.start, OCTOBER.end)
    assert same(house.kept(OCTOBER), candles(OCTOBER.start, OCTOBER.end))
    assert [source for source, *_ in house.sources(OCTOBER)] == ["archive", "archive", "rest"]


async def test_what_the_archive_states_otherwise_than_is_kept_is_said_and_replaces_nothing(
    house: House,
) -> None:
    await house.fetch(NOVEMBER.start, NOVEMBER.start + 2 * DAY, source="rest")
    house.clock.now_ms = NOVEMBER.end + DAY
    rows = candles(NOVEMBER.start, NOVEMBER.end)
    rows[3] = rows[3]._replace(close=rows[3].close - 0.25)
    house.publish_month(NOVEMBER, rows)
    await house.fetch(NOVEMBER.start, NOVEMBER.end)
    (note,) = house.notes
    assert (note.key, note.values["count"], note.values["first"]) == ("differs", 1, "2023-11-01T00:03Z")
    assert same(house.kept(NOVEMBER), candles(NOVEMBER.start, NOVEMBER.end))
    await house.fetch(NOVEMBER.start, NOVEMBER.end, source="archive", again=True)
    assert same(house.kept(NOVEMBER), rows)


async def test_without_its_rest_the_archive_alone_is_used_and_what_lacks_is_said(house: House) -> None:
    house.publish_month(OCTOBER)
    house.publish_day(NOVEMBER.start)
    house.venue.answers = [html(503) for _ in range(5)]
    done = await house.fetch(OCTOBER.start)
    assert done.failed == {}
    assert house.said() == ["rest_away", "short"]
    assert house.notes[1].values["lacks"] == "2023-11-02"
    assert same(house.kept(NOVEMBER), candles(NOVEMBER.start, NOVEMBER.start + DAY))


async def test_nobody_there_is_one_error(house: House) -> None:
    house.venue.answers = [html(503) for _ in range(5)]
    with pytest.raises(MarketAwayError, match="was HTTP 503: a web page after 5 attempts"):
        await house.fetch(OCTOBER.start, source="rest")


async def test_what_came_before_rest_failed_is_kept_and_the_next_fetch_goes_on_there(house: House) -> None:
    house.publish_day(NOVEMBER.start)
    house.venue.first = NOVEMBER.start
    async with house.open() as desk:
        market = desk.market
        assert market is not None
        original, asked = market.minutes, []

        async def failing(symbol: str, start: int, most: int = 0, *, urgent: bool = False) -> object:
            asked.append(start)
            if start >= NOVEMBER.start + DAY:
                raise MarketAwayError("rest", "away")
            return await original(symbol, start, most, urgent=urgent)

        market.minutes = failing  # type: ignore[method-assign, assignment]
        wanted = Wanted(house.name, ("BTCUSDT",), NOVEMBER.start, NOVEMBER.start + 2 * DAY)
        done = await fetch(house.shelf, desk, wanted, Watch(lambda: None, house.notes.append))
    assert isinstance(done.failed["BTCUSDT"], MarketAwayError)
    assert same(house.kept(NOVEMBER), candles(NOVEMBER.start, NOVEMBER.start + DAY))


async def test_an_unknown_symbol_is_refused_with_the_nearest_and_others_are_fetched(house: House) -> None:
    done = await house.fetch(TODAY, symbols=["BTCUSD", "BTCUSDT"], source="rest")
    assert list(done.failed) == ["BTCUSD"]
    with pytest.raises(UnknownSymbolError, match="did you mean BTCUSDT"):
        raise done.failed["BTCUSD"]
    assert len(house.kept(NOVEMBER).times)


async def test_a_symbol_that_only_the_archive_knows_any_more_is_fetched_from_there(house: House) -> None:
    house.publish_month(OCTOBER, symbol="OLDUSDT")
    done = await house.fetch(OCTOBER.start, NOVEMBER.end, symbols=["OLDUSDT"])
    assert done.failed == {}
    assert same(house.kept(OCTOBER, "OLDUSDT"), candles(OCTOBER.start, OCTOBER.end))
    assert house.said() == ["short"]


async def test_a_symbol_that_does_not_trade_now_is_said_and_its_history_fetched(house: House) -> None:
    house.venue.symbols["BTCUSDT"] = False
    await house.fetch(NOVEMBER.start, NOVEMBER.start + DAY, source="rest")
    assert house.said() == ["not_traded"]
    assert len(house.kept(NOVEMBER).times) == 1440


async def test_the_filters_of_the_exchange_are_kept_beside(house: House) -> None:
    await house.fetch(TODAY, TODAY + DAY // 2, source="rest")
    file = house.shelf.instrument_file(house.name, "BTCUSDT")
    assert file is not None
    assert '"tick": "0.1"' in file.read_text()


async def test_two_fetches_of_one_symbol_at_a_time_are_one_too_many(house: House) -> None:
    with house.shelf.alone(house.name, "BTCUSDT"):
        done = await house.fetch(TODAY, source="rest")
    with pytest.raises(FetchBusyError, match="expected nobody at work here, was another"):
        raise done.failed["BTCUSDT"]


async def test_bounds_without_a_closed_minute_are_refused(house: House) -> None:
    with pytest.raises(SpanError, match="expected --from before --to and before now, was --from 2023-11-15 and"):
        await house.fetch(TODAY + DAY)


async def test_symbols_can_be_chosen_by_volume_where_somebody_knows_the_volumes(house: House) -> None:
    house.venue.symbols = {f"C{n}USDT": True for n in range(4)}
    async with house.open() as desk:
        assert await chosen_symbols(desk, ["C0USDT", "top 2 by volume"]) == ("C0USDT", "C3USDT", "C2USDT")
    async with house.open("archive") as desk:
        assert await chosen_symbols(desk, ["C0USDT"]) == ("C0USDT",)
        with pytest.raises(NoVolumesError, match="expected symbols by name, was the top 2 by volume"):
            await chosen_symbols(desk, ["top 2 by volume"])
