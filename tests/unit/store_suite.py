"""What every store keeps, as checks that take a maker of empty stores; ``RULES`` holds them all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from trading_system.store import Document, HeadMovedError, Row, Store, StoreClosedError, Stream

MakeStore = Callable[[], Store]
CANDLES = Stream("candle", "binance_usdm", "BTCUSDT")
SWINGS = Stream("swing", "binance_usdm", "BTCUSDT")
OTHERS = Stream("candle", "binance_usdm", "ETHUSDT")


async def rows_come_back_in_order_of_step_and_number(make: MakeStore) -> None:
    store = make()
    await store.append(CANDLES, 7, [b"a", b"b"], after=None)
    await store.append(CANDLES, 8, [b"c"], after=7)
    await store.append(CANDLES, 100, [str(n).encode() for n in range(12)], after=8)
    assert await store.read(CANDLES, None, 99) == [Row(7, 0, b"a"), Row(7, 1, b"b"), Row(8, 0, b"c")]
    assert [row.n for row in await store.read(CANDLES, 8, 100)] == list(range(12))
    await store.close()


async def reading_takes_what_lies_after_and_up_to(make: MakeStore) -> None:
    store = make()
    for step in range(10):
        await store.append(CANDLES, step, [b"%d" % step], after=step - 1 if step else None)
    assert [row.step for row in await store.read(CANDLES, 3, 6)] == [4, 5, 6]
    assert [row.step for row in await store.read(CANDLES, None, 0)] == [0]
    assert await store.read(CANDLES, 9, 10**15) == []
    assert await store.read(CANDLES, 6, 3) == []
    await store.close()


async def a_stream_that_never_began_has_no_head_and_no_rows(make: MakeStore) -> None:
    store = make()
    assert await store.head(CANDLES) is None
    assert await store.read(CANDLES, None, 10**9) == []
    assert await store.last(CANDLES, 3) == []
    await store.close()


async def an_empty_step_costs_no_row_and_moves_the_head(make: MakeStore) -> None:
    store = make()
    await store.append(SWINGS, 5, [], after=None)
    await store.append(SWINGS, 9, [], after=5)
    assert await store.head(SWINGS) == 9
    assert await store.read(SWINGS, None, 9) == []
    await store.close()


async def streams_of_other_kinds_and_symbols_do_not_mix(make: MakeStore) -> None:
    store = make()
    await store.append(CANDLES, 5, [b"candle"], after=None)
    await store.append(SWINGS, 5, [b"swing"], after=None)
    await store.append(OTHERS, 6, [b"other"], after=None)
    assert await store.read(SWINGS, None, 9) == [Row(5, 0, b"swing")]
    assert [await store.head(stream) for stream in (CANDLES, SWINGS, OTHERS)] == [5, 5, 6]
    await store.close()


async def a_producer_with_an_old_head_is_shut_out_and_writes_nothing(make: MakeStore) -> None:
    store = make()
    await store.append(CANDLES, 5, [b"first"], after=None)
    await store.append(CANDLES, 6, [b"second"], after=5)
    with pytest.raises(HeadMovedError, match="expected step 5, was step 6") as caught:
        await store.append(CANDLES, 7, [b"late"], after=5)
    assert (caught.value.stream, caught.value.expected, caught.value.was) == (CANDLES, 5, 6)
    assert await store.head(CANDLES) == 6
    assert [row.payload for row in await store.read(CANDLES, None, 99)] == [b"first", b"second"]
    await store.close()


async def the_same_step_twice_is_refused_and_the_first_stays(make: MakeStore) -> None:
    store = make()
    await store.append(CANDLES, 5, [b"first"], after=None)
    await store.append(CANDLES, 6, [b"second"], after=5)
    with pytest.raises(HeadMovedError):
        await store.append(CANDLES, 6, [b"again"], after=5)
    assert await store.read(CANDLES, 5, 6) == [Row(6, 0, b"second")]
    await store.close()


async def a_stream_begins_once(make: MakeStore) -> None:
    store = make()
    with pytest.raises(HeadMovedError, match="expected step 4, was a new stream"):
        await store.append(CANDLES, 5, [b"x"], after=4)
    await store.append(CANDLES, 5, [b"x"], after=None)
    with pytest.raises(HeadMovedError, match="expected a new stream, was step 5"):
        await store.append(CANDLES, 6, [b"y"], after=None)
    assert await store.head(CANDLES) == 5
    await store.close()


async def a_step_never_goes_back(make: MakeStore) -> None:
    store = make()
    await store.append(CANDLES, 5, [b"x"], after=None)
    for step, after in ((5, 5), (4, 5), (-1, None)):
        with pytest.raises(ValueError, match="expected one above"):
            await store.append(CANDLES, step, [b"y"], after=after)
    assert await store.read(CANDLES, None, 99) == [Row(5, 0, b"x")]
    await store.close()


async def a_payload_that_is_no_bytes_is_refused_before_anything_is_written(make: MakeStore) -> None:
    store = make()
    with pytest.raises(TypeError, match="expected bytes, was str"):
        await store.append(CANDLES, 5, [b"x", "y"], after=None)  # type: ignore[list-item]
    assert await store.head(CANDLES) is None
    await store.close()


async def a_rollback_leaves_nothing_of_the_step_on_any_stream(make: MakeStore) -> None:
    store = make()
    await store.append(CANDLES, 5, [b"kept"], after=None)
    await store.put_document("snapshot", "BTCUSDT", 5, b"kept")
    await store.commit()
    await store.append(CANDLES, 6, [b"gone", b"gone too"], after=5)
    await store.append(CANDLES, 7, [b"gone as well"], after=6)
    await store.append(SWINGS, 6, [b"gone"], after=None)
    await store.put_document("snapshot", "BTCUSDT", 6, b"gone")
    await store.put_document("origin", "BTCUSDT", 6, b"gone")
    await store.rollback()
    assert await store.read(CANDLES, None, 99) == [Row(5, 0, b"kept")]
    assert (await store.head(CANDLES), await store.head(SWINGS)) == (5, None)
    assert await store.document("snapshot", "BTCUSDT") == (5, b"kept")
    assert await store.document("origin", "BTCUSDT") is None
    await store.append(CANDLES, 6, [b"again"], after=5)
    assert await store.read(CANDLES, 5, 6) == [Row(6, 0, b"again")]
    await store.close()


async def what_is_committed_survives_a_rollback(make: MakeStore) -> None:
    store = make()
    await store.append(CANDLES, 5, [b"x"], after=None)
    await store.commit()
    await store.commit()
    await store.rollback()
    await store.rollback()
    assert await store.head(CANDLES) == 5
    await store.close()


async def own_rows_are_read_before_the_commit(make: MakeStore) -> None:
    store = make()
    await store.append(CANDLES, 5, [b"x"], after=None)
    assert await store.read(CANDLES, None, 5) == [Row(5, 0, b"x")]
    assert await store.head(CANDLES) == 5
    await store.close()


async def a_shut_out_append_takes_no_other_one_with_it(make: MakeStore) -> None:
    store = make()
    await store.append(CANDLES, 5, [b"x"], after=None)
    with pytest.raises(HeadMovedError):
        await store.append(SWINGS, 5, [b"y"], after=4)
    await store.commit()
    assert await store.read(CANDLES, None, 5) == [Row(5, 0, b"x")]
    await store.close()


async def the_last_steps_come_whole_and_ascending(make: MakeStore) -> None:
    store = make()
    await store.append(CANDLES, 1, [b"a"], after=None)
    await store.append(CANDLES, 2, [b"b", b"c"], after=1)
    await store.append(CANDLES, 3, [], after=2)
    await store.append(CANDLES, 4, [b"d", b"e"], after=3)
    await store.append(SWINGS, 4, [b"swing"], after=None)
    assert [row.payload for row in await store.last(CANDLES, 1)] == [b"d", b"e"]
    assert [row.payload for row in await store.last(CANDLES, 2)] == [b"b", b"c", b"d", b"e"]
    assert [row.step for row in await store.last(CANDLES, 99)] == [1, 2, 2, 4, 4]
    assert await store.last(CANDLES, 0) == []
    await store.close()


async def a_document_is_overwritten_and_found_by_kind_and_key(make: MakeStore) -> None:
    store = make()
    assert await store.document("snapshot", "BTCUSDT") is None
    await store.put_document("snapshot", "ETHUSDT", 3, b"eth")
    await store.put_document("snapshot", "BTCUSDT", 3, b"old")
    await store.put_document("snapshot", "BTCUSDT", 4, b"new")
    await store.put_document("origin", "BTCUSDT", 1, b"origin")
    assert await store.document("snapshot", "BTCUSDT") == (4, b"new")
    assert await store.documents("snapshot") == [Document("BTCUSDT", 4, b"new"), Document("ETHUSDT", 3, b"eth")]
    assert await store.documents("nothing") == []
    await store.close()


async def payloads_are_kept_byte_for_byte(make: MakeStore) -> None:
    store = make()
    payloads = [b"", bytes(range(256)), "币安人生".encode(), b"x" * 100_000]
    await store.append(CANDLES, 5, payloads, after=None)
    await store.commit()
    assert [row.payload for row in await store.read(CANDLES, None, 5)] == payloads
    await store.close()


async def a_closed_store_says_so(make: MakeStore) -> None:
    store = make()
    await store.close()
    await store.close()
    with pytest.raises(StoreClosedError, match="open it again"):
        await store.head(CANDLES)
    with pytest.raises(StoreClosedError):
        await store.append(CANDLES, 5, [], after=None)


async def tidying_changes_nothing_that_is_kept_or_pending(make: MakeStore) -> None:
    store = make()
    await store.append(CANDLES, 5, [b"committed"], after=None)
    await store.commit()
    await store.append(CANDLES, 6, [b"pending"], after=5)
    await store.tidy()
    assert await store.read(CANDLES, None, 9) == [Row(5, 0, b"committed"), Row(6, 0, b"pending")]
    await store.rollback()
    assert await store.head(CANDLES) == 5
    await store.close()


Rule = Callable[[MakeStore], Awaitable[None]]
RULES: tuple[Rule, ...] = (
    rows_come_back_in_order_of_step_and_number,
    reading_takes_what_lies_after_and_up_to,
    a_stream_that_never_began_has_no_head_and_no_rows,
    an_empty_step_costs_no_row_and_moves_the_head,
    streams_of_other_kinds_and_symbols_do_not_mix,
    a_producer_with_an_old_head_is_shut_out_and_writes_nothing,
    the_same_step_twice_is_refused_and_the_first_stays,
    a_stream_begins_once,
    a_step_never_goes_back,
    a_payload_that_is_no_bytes_is_refused_before_anything_is_written,
    a_rollback_leaves_nothing_of_the_step_on_any_stream,
    what_is_committed_survives_a_rollback,
    own_rows_are_read_before_the_commit,
    a_shut_out_append_takes_no_other_one_with_it,
    the_last_steps_come_whole_and_ascending,
    a_document_is_overwritten_and_found_by_kind_and_key,
    payloads_are_kept_byte_for_byte,
    tidying_changes_nothing_that_is_kept_or_pending,
    a_closed_store_says_so,
)
