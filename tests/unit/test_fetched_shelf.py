"""Fetched minutes on the disk: whole or not there, checked at reading, their gaps named, their damage told."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fetching_house import DAY, NOVEMBER, OCTOBER, House, candles, same
from public_venue import MINUTE

from trading_system.research.candle_inputs import InputError
from trading_system.research.fetched.catalogue import checked, kept
from trading_system.research.fetched.errors import DamagedMonthError, NotFetchedError
from trading_system.research.fetched.minutes import Minutes, Month, disagreement, holes_in, months_of
from trading_system.research.fetched.reading import fetched_history, fetched_market
from trading_system.research.fetched.shelf import Part, Shelf, StoredMonth
from trading_system.research.history import load_candles
from trading_system.rules.grid import Grid, Instrument
from trading_system.settings import Settings

VENUE = "binance_usdm"
ALL = (0, 1 << 60)


def stored(month: Month, until: int | None = None, without: tuple[int, ...] = ()) -> StoredMonth:
    end = month.end if until is None else until
    rows = [row for row in candles(month.start, end) if row.open_time not in without]
    return StoredMonth(month, end, Minutes.of_rows(rows), (Part("archive", month.start, end, "x.zip", "0" * 64),))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    shelf.write(VENUE, "BTCUSDT", stored(OCTOBER))
    shelf.write(VENUE, "BTCUSDT", stored(NOVEMBER, NOVEMBER.start + 3 * DAY))
    return shelf


def test_a_month_comes_back_as_it_was_stored_and_is_a_candle_file_too(shelf: Shelf) -> None:
    read = shelf.read(VENUE, "BTCUSDT", OCTOBER)
    assert read is not None
    assert same(read.minutes, candles(OCTOBER.start, OCTOBER.end))
    assert read[1::2] == stored(OCTOBER)[1::2]
    history = load_candles(shelf.path(VENUE, "BTCUSDT", OCTOBER))
    assert (history.symbol, history.rows, history.gaps) == ("BTCUSDT", 31 * 1440, ())
    assert shelf.symbols() == [(VENUE, "BTCUSDT")]
    assert shelf.months(VENUE, "BTCUSDT") == [OCTOBER, NOVEMBER]
    assert shelf.read(VENUE, "BTCUSDT", Month(2023, 12)) is None


def test_the_checksums_are_those_of_the_tool_of_every_system(shelf: Shelf) -> None:
    path = shelf.path(VENUE, "BTCUSDT", OCTOBER)
    told = subprocess.run(
        ["sha256sum", "-c", f"{path.name}.CHECKSUM"], cwd=path.parent, capture_output=True, text=True, check=True
    )
    assert told.stdout == f"{path.name}: OK\n"


def test_one_changed_byte_is_told_with_the_command_that_mends_it(shelf: Shelf) -> None:
    path = shelf.path(VENUE, "BTCUSDT", OCTOBER)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedMonthError, match=r"expected the sha256 .* in BTCUSDT-1m-2023-10.*CHECKSUM, was") as told:
        shelf.read(VENUE, "BTCUSDT", OCTOBER)
    assert str(told.value).endswith(
        "run `trading-system data fetch --exchange binance_usdm --symbol BTCUSDT --from 2023-10-01 --to 2023-11-01`"
    )


@pytest.mark.parametrize("harm", ["no checksum", "other table", "no parquet", "other month"])
def test_what_was_not_stored_here_is_not_read(harm: str, shelf: Shelf) -> None:
    path = shelf.path(VENUE, "BTCUSDT", OCTOBER)
    checksum = path.with_name(f"{path.name}.CHECKSUM")
    if harm == "no checksum":
        checksum.unlink()
    else:
        content = b"PAR1 and nothing"
        if harm == "other month":
            content = shelf.path(VENUE, "BTCUSDT", NOVEMBER).read_bytes()
        elif harm == "other table":
            import pyarrow as pa
            import pyarrow.parquet as pa_parquet

            pa_parquet.write_table(pa.table({"a": [1]}), path)
            content = path.read_bytes()
        path.write_bytes(content)
        checksum.write_text(f"{hashlib.sha256(content).hexdigest()}  {path.name}\n")
    with pytest.raises(DamagedMonthError):
        shelf.read(VENUE, "BTCUSDT", OCTOBER)


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_kill_between_any_two_renames_leaves_a_month_that_is_whole(
    renames: int, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = renames
    really = Path.replace

    class KilledError(BaseException):
        pass

    def replace(self: Path, target: Any) -> Path:
        nonlocal left
        if left == 0:
            raise KilledError
        left -= 1
        return really(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(KilledError):
        shelf.write(VENUE, "BTCUSDT", stored(NOVEMBER, NOVEMBER.start + 5 * DAY))
    monkeypatch.undo()
    read = shelf.read(VENUE, "BTCUSDT", NOVEMBER)
    assert read is not None
    assert read.until == NOVEMBER.start + (5 if renames == 2 else 3) * DAY
    with shelf.alone(VENUE, "BTCUSDT"):
        assert list((shelf.folder / VENUE / "BTCUSDT").glob(".*.part")) == []


def test_a_full_disk_leaves_the_month_before_and_no_half_file(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        shelf.write(VENUE, "BTCUSDT", stored(NOVEMBER, NOVEMBER.start + 5 * DAY))
    monkeypatch.undo()
    read = shelf.read(VENUE, "BTCUSDT", NOVEMBER)
    assert read is not None
    assert read.until == NOVEMBER.start + 3 * DAY
    assert list((shelf.folder / VENUE / "BTCUSDT").glob(".*.part")) == []


def test_months_and_holes_are_counted_to_the_minute() -> None:
    assert [str(month) for month in months_of(Month(2024, 12).start + 1, Month(2025, 2).start)] == [
        "2024-12",
        "2025-01",
    ]
    times = np.array([2, 3, 6]) * MINUTE
    assert holes_in(times, MINUTE, 8 * MINUTE) == [(MINUTE, 1), (4 * MINUTE, 2), (7 * MINUTE, 1)]
    assert holes_in(times[:0], 0, 2 * MINUTE) == [(0, 2)]


def test_two_statements_differ_by_numbers_and_by_minutes_that_one_lacks() -> None:
    ours, theirs = candles(0, 6 * MINUTE), candles(MINUTE, 7 * MINUTE)
    theirs[2] = theirs[2]._replace(volume=1.0)
    found = disagreement(Minutes.of_rows(ours), Minutes.of_rows(theirs))
    assert found is not None
    assert found[:4] == (1, 1, 1, 0)
    assert (found.ours, found.theirs) == (ours[0][1:6], None)
    assert disagreement(Minutes.of_rows(ours), Minutes.of_rows(ours)) is None


def test_the_list_says_from_when_to_when_and_what_lacks(shelf: Shelf) -> None:
    shelf.write(VENUE, "BTCUSDT", stored(Month(2024, 1), Month(2024, 1).start + DAY, (Month(2024, 1).start,)))
    (row,) = kept(shelf)
    assert row[:2] == (VENUE, "BTCUSDT")
    assert (row.first, row.until) == (OCTOBER.start, Month(2024, 1).start + DAY)
    assert (row.minutes, row.missing, row.archive, row.rest) == (35 * 1440 - 1, 1, 35 * 1440 - 1, 0)
    assert (row.lacking, row.damaged) == (1, 0)
    assert kept(shelf, "bybit") == kept(shelf, None, ["ETHUSDT"]) == []


async def test_a_check_names_gaps_damage_and_what_was_never_fetched(shelf: Shelf) -> None:
    gap = OCTOBER.start + 60 * MINUTE
    shelf.write(VENUE, "BTCUSDT", stored(OCTOBER, None, (gap, gap + MINUTE)))
    shelf.write(VENUE, "BTCUSDT", stored(Month(2024, 1)))
    shelf.path(VENUE, "BTCUSDT", Month(2024, 1)).write_bytes(b"")
    months, found = await checked(shelf, VENUE, "BTCUSDT", ALL, None)
    assert months == 3
    assert [(one.key, str(one.month)) for one in found] == [
        ("gap", "2023-10"),
        ("lacking", "2023-11"),
        ("never", "2023-12"),
        ("damaged", "2024-01"),
    ]
    assert (found[0].hole, found[1].hole) == ((gap, 2), (NOVEMBER.start + 3 * DAY, 27 * 1440))
    assert (await checked(shelf, VENUE, "BTCUSDT", (NOVEMBER.start, NOVEMBER.end), None))[0] == 1


@pytest.mark.parametrize("source", ["rest", "archive"])
async def test_a_check_beside_another_source_says_where_both_differ(source: str, tmp_path: Path) -> None:
    house = House(tmp_path)
    rows = candles(OCTOBER.start, OCTOBER.end)
    house.publish_month(OCTOBER, rows)
    changed = Minutes.of_rows(rows)
    changed.values[5, 4] = 1.0
    house.shelf.write(VENUE, "BTCUSDT", stored(OCTOBER)._replace(minutes=changed))
    async with house.open(source) as desk:
        _, (found,) = await checked(house.shelf, VENUE, "BTCUSDT", ALL, desk)
    assert (found.key, found.problem) == ("differs", source)
    assert found.differs is not None
    assert found.differs[:4] == (1, 0, 0, OCTOBER.start + 5 * MINUTE)
    assert found.differs.theirs == rows[5][1:6]


def test_fetched_months_are_one_history_from_bound_to_bound(shelf: Shelf) -> None:
    first, until = OCTOBER.start + DAY, NOVEMBER.start + DAY
    history = fetched_history(shelf, VENUE, "BTCUSDT", first, until)
    assert history.candles["open_time"][[0, -1]].tolist() == [first, until - MINUTE]
    assert (history.rows, history.gaps, history.base_interval) == (31 * 1440, (), MINUTE)
    assert fetched_history(shelf, VENUE, "BTCUSDT").rows == 34 * 1440


@pytest.mark.parametrize(
    ("first", "until", "lacks", "bounds"),
    [
        (OCTOBER.start, NOVEMBER.start + 4 * DAY, "from 2023-11-04 to 2023-11-05", "--from 2023-10-01 --to 2023-11-05"),
        (Month(2023, 9).start, NOVEMBER.start, "from 2023-09-01 to 2023-10-01", "--from 2023-09-01 --to 2023-11-01"),
    ],
)
def test_minutes_that_were_not_fetched_are_one_sentence_with_the_command(
    first: int, until: int, lacks: str, bounds: str, shelf: Shelf
) -> None:
    with pytest.raises(NotFetchedError) as told:
        fetched_market(shelf, ["BTCUSDT"], Settings(), first=first, until=until)
    command = f"trading-system data fetch --exchange binance_usdm --symbol BTCUSDT {bounds}"
    assert str(told.value) == f"BTCUSDT: expected fetched minutes of binance_usdm, was nothing {lacks}; run `{command}`"


def test_a_symbol_of_which_nothing_was_fetched_is_named_and_all_are_in_the_command(shelf: Shelf) -> None:
    with pytest.raises(NotFetchedError, match=r"ETHUSDT: .* nothing at all; run `.* --symbol BTCUSDT --symbol ETHUSDT"):
        fetched_market(shelf, ["BTCUSDT", "ETHUSDT"], Settings())
    with pytest.raises(InputError, match="expected fetched symbols, each once, was BTCUSDT BTCUSDT"):
        fetched_market(shelf, ["BTCUSDT", "BTCUSDT"], Settings())


def test_a_market_says_when_a_symbol_begins_later_than_asked_for(shelf: Shelf) -> None:
    september = Month(2023, 9)
    nothing = StoredMonth(
        september, september.end, Minutes.none(), (Part("rest", september.start, september.end, "x"),)
    )
    shelf.write(VENUE, "BTCUSDT", nothing)
    market = fetched_market(shelf, ["BTCUSDT"], Settings(), first=september.start)
    assert market.begins == {"BTCUSDT": OCTOBER.start}
    assert market.inputs.minutes > 30 * 1440


def test_the_exchange_s_own_filters_count_where_all_prices_lie_on_its_tick(shelf: Shelf) -> None:
    instrument = Instrument(VENUE, "BTCUSDT", Grid(1, 10), Grid(1, 1000), 100.0, 0.0005, 0.0002, 0.004)
    shelf.keep_instrument(instrument)
    (record,) = fetched_market(shelf, ["BTCUSDT"], Settings()).inputs.instruments
    assert record == instrument
    shelf.keep_instrument(instrument._replace(tick=Grid(1, 2)))
    market = fetched_market(shelf, ["BTCUSDT"], Settings())
    assert market.other_grid == ("BTCUSDT",)
    assert market.inputs.instruments[0].tick == Grid(1, 10)
    assert json.loads((shelf.folder / VENUE / "BTCUSDT" / "instrument.json").read_text())["tick"] == "0.5"
