"""The blocks that live, held against the state of the fold itself, and the nearest of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from detection_fold import candles_of

from trading_system.contracts import serialize, to_order_block
from trading_system.rules.detection import advance, events_of, new_out, new_state, parameters
from trading_system.rules.events import Event
from trading_system.rules.grid import Grid
from trading_system.rules.live_blocks import LiveBlocks
from trading_system.rules.records import BlockState, Records

MINUTE = 60_000


def formed(id_: str, bottom: float, top: float, *, side: int = 1, at: int = 1, interval: str = "15m") -> Event:
    values = {"top": top, "bottom": bottom, "volume": 3.0, "strength": 50.0}
    return Event(
        id_, "ob_formed", "binance", "BTCUSDT", interval, side, at * MINUTE, (at + 1) * MINUTE, None, None, values
    )


def later(kind: str, ref: str, *, side: int = 1) -> Event:
    return Event(f"{kind} {ref}", kind, "binance", "BTCUSDT", "15m", side, 0, 9 * MINUTE, ref, None, {})


def nearest_id(blocks: LiveBlocks, side: int, price: float) -> str | None:
    nearest = blocks.nearest(side, price)
    return None if nearest is None else nearest.formed.id


def test_the_nearest_block_is_the_one_whose_edge_or_inside_is_nearest() -> None:
    blocks = LiveBlocks()
    assert nearest_id(blocks, 1, 100.0) is None
    blocks.see(
        [formed("far", 80, 85), formed("near", 90, 95), formed("above", 110, 120), formed("s", 99, 101, side=-1)]
    )
    assert nearest_id(blocks, 1, 100.0) == "near"
    assert nearest_id(blocks, 1, 103.0) == "above"
    assert nearest_id(blocks, 1, 112.0) == "above"
    assert nearest_id(blocks, 1, 84.0) == "far"
    assert nearest_id(blocks, -1, 84.0) == "s"


def test_of_equally_near_blocks_the_youngest_is_said() -> None:
    blocks = LiveBlocks()
    blocks.see([formed("old", 90, 100, at=1), formed("young", 95, 105, at=5), formed("middle", 90, 100, at=3)])
    assert nearest_id(blocks, 1, 97.0) == "young"


@pytest.mark.parametrize("end", ["ob_mitigated", "ob_expired", "ob_invalidated"])
def test_a_block_lives_until_price_goes_through_it_or_it_expires(end: str) -> None:
    blocks = LiveBlocks()
    blocks.see([formed("one", 90, 95), formed("other", 70, 75), later("ob_touched", "one")])
    block = blocks.nearest(1, 100.0)
    assert block is not None
    word = to_order_block(serialize(block.word()))
    assert (word["id"], word["state"], word["top"], word["bottom"]) == ("one", "touched", 95.0, 90.0)
    blocks.see([later(end, "one"), later("ob_touched", "one"), later("ob_expired", "unknown")])
    assert nearest_id(blocks, 1, 100.0) == "other"


@pytest.mark.parametrize("seed", range(4))
def test_the_live_blocks_are_those_of_the_fold_s_own_state(seed: int) -> None:
    chance = np.random.default_rng(seed)
    closes = 1000 + np.cumsum(chance.integers(-9, 10, 4_000))
    rows = [
        (
            before,
            max(before, close) + chance.integers(0, 5),
            min(before, close) - chance.integers(0, 5),
            close,
            1 + n % 7,
        )
        for n, (before, close) in enumerate(pairwise(closes))
    ]
    candles = candles_of(rows)
    params = parameters("1m", "5m", "15m", Grid(1, 1), **{"swings.left": 3, "swings.right": 2})
    state, out, blocks = new_state(params), new_out(params), LiveBlocks()
    most = 0
    for n in range(len(candles)):
        _, produced = advance(state, params, candles[n : n + 1], out)
        blocks.see(events_of(out[:produced], "binance", "BTCUSDT"))
        if n % 50 == 0:
            own = live_in(state)
            assert sorted(zones_of(blocks)) == sorted(own)
            most = max(most, len(own))
    assert most > 3


def zones_of(blocks: LiveBlocks) -> list[tuple[int, float, float, int]]:
    return [
        (side, block.top, block.bottom, block.formed.confirmed_at)
        for side, live in blocks._sides.items()
        for block in live.values()
    ]


def live_in(state: Records) -> list[tuple[int, float, float, int]]:
    return [
        (side, float(block["top"]), float(block["bottom"]), int(block["confirmed_at"]))
        for line in (state[0]["signal"], state[0]["higher"])
        for side, name, count in ((1, "bulls", "bull_count"), (-1, "bears", "bear_count"))
        for block in line[name][: int(line[count])]
        if block["state"] != BlockState.MITIGATED
    ]
