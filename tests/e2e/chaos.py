"""Kills at named points: the line dies at one, is started again, and must end as if nothing had happened.

Run as a program it prints the table of all points and fails when one of them does.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from both_sides import assert_each_signal_entered_once, journal_of
from program import COMMAND, PATIENCE_S, exchange_process, line_words, started
from small_markets import QUICK, SMALL, small_market, write_candles

from trading_system.research.parity import compare
from trading_system.research.runs import run_backtest, write
from trading_system.services.execution_engine.points import KILL_AT, Point
from trading_system.settings import settings_with

WORDS = (*QUICK, *SMALL)
# The market has two trades: one ends at its stop, one climbs its ladder. The first kill of a single-kill case hits the
# first of them, that of a double-kill case mostly the second.
FIRST = {Point.DURING_RECONCILE: 2}  # the stop is out, its target is not
LATER = dict.fromkeys(Point, 2) | {Point.BETWEEN_OUTPUTS_AND_CHECKPOINT: 3, Point.DURING_RECONCILE: 5}

AT_ONCE = 2  # cases beside each other; more would only wait for each other on a small machine
HEALTHY_MS, OVER_A_KILL_MS = 2_000, 10_000


class Case(NamedTuple):
    """Where each life is killed, in the form of the environment variable."""

    point: Point
    deaths: tuple[str, ...]


CASES = [
    *[Case(point, (f"{point}:{FIRST.get(point, 1)}",)) for point in Point],
    *[Case(point, (f"{point}:{LATER[point]}", Point.DURING_RECONCILE)) for point in Point],
]


class Ground(NamedTuple):
    """What every case is measured by: the market as a file, and the backtest of it."""

    candles: Path
    backtest: Path
    fingerprint: str
    words: tuple[str, ...]  # the settings of line and exchange


class Played(NamedTuple):
    """What came of a case. ``waits_ms``: from the fill that opened a position to its stop, for each position."""

    waits_ms: list[int]


def prepare(folder: Path, venue: str) -> Ground:
    """Write the market and its backtest at ``venue`` into ``folder``."""
    words = (*WORDS, f"exchange={venue}")
    settings = settings_with(list(words))
    market = small_market(settings)
    backtest = run_backtest(market, settings)
    write(folder / "backtest", backtest)
    candles = write_candles(folder / "market.csv", market.candles["BTCUSDT"])
    return Ground(candles, folder / "backtest", str(backtest.summary["fingerprint"]), words)


def play(
    deaths: Sequence[str],
    ground: Ground,
    folder: Path,
    *,
    command: Sequence[str] = COMMAND,
) -> Played:
    """Let the line die at each of ``deaths``, one a life, and live once more; prove that nothing came of it.

    The exchange is a process of its own, which conducts the line by its reports.

    A death after the first must come before the market has moved: in the recovery from the death before it.
    Raises: AssertionError for whatever is not equal.
    """
    folder.mkdir(parents=True)
    line = folder / "line"
    with exchange_process(ground.candles, ground.words, folder) as exchange:
        words = line_words(exchange.url, line, ground.words)
        stood: Any = None
        for death in deaths:
            died = started(*words, cwd=folder, extra={KILL_AT: death}, command=command)
            said = died.communicate(timeout=PATIENCE_S)
            assert died.returncode == -9, f"expected a death at {death}, was an end with {died.returncode}: {said}"
            state = exchange.state()
            stands = (state["step"], state["trade"])
            assert stood in (None, stands), f"expected a second death in the recovery at {stood}, was one at {stands}"
            stood = stands
            named = {name for name in exchange.orders() if name}  # what the venue made of an attached stop has none
            unwritten = named - {row.client_id for row in journal_of(line)}
            assert not unwritten, f"expected every order in the journal before it is sent, was not: {unwritten}"
        last = started(*words, cwd=folder, command=command)
        said = last.communicate(timeout=PATIENCE_S)
        assert last.returncode == 0, said[1]
        state = exchange.state()
    fingerprint = json.loads(said[0])["fingerprint"]
    assert fingerprint == ground.fingerprint, f"expected {ground.fingerprint}, was {fingerprint}"
    difference = compare(line, ground.backtest).difference
    assert difference is None, difference.sentence()
    assert_each_signal_entered_once(line)
    protection = state["protection"]
    assert protection["gaps"] == protection["bare_moves"] == 0, f"a position stood without a stop: {protection}"
    assert state["open_orders"] == state["positions"] == 0
    longest = max(protection["waits_ms"], default=0)
    assert longest <= OVER_A_KILL_MS, f"a stop came {longest:,} ms after its entry, wanted: {OVER_A_KILL_MS:,} ms"
    return Played(protection["waits_ms"])


def main(venue: str = "binance_usdm") -> int:
    """Play every case at ``venue``, print the table, and return 1 when one did not end like the backtest."""
    began = time.monotonic()
    waits: list[int] = []
    failed = 0
    sys.stdout.write(f"{'point':<32}{'kills':>5}  {'outcome':<8}{'ms from entry fill to live stop':>32}\n")
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(AT_ONCE) as players:
        ground = prepare(Path(scratch), venue)
        playing = [
            (case, players.submit(play, case.deaths, ground, Path(scratch, str(n)))) for n, case in enumerate(CASES)
        ]
        for case, played in playing:
            try:
                waits_ms = played.result().waits_ms
            except AssertionError as error:
                failed += 1
                sys.stdout.write(f"{case.point:<32}{len(case.deaths):>5}  FAILED: {error}\n")
                continue
            waits += waits_ms
            shown = ", ".join(f"{wait:,}" for wait in waits_ms)
            sys.stdout.write(f"{case.point:<32}{len(case.deaths):>5}  {'equal':<8}{shown:>32}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(CASES) - failed} of {len(CASES)} equal their backtest; {time.monotonic() - began:.0f} s\n")
    if waits:
        ordered = sorted(waits)
        middle, longest = ordered[len(ordered) // 2], ordered[-1]
        sys.stdout.write(
            f"protection of {len(ordered)} positions: median {middle:,} ms (wanted: {HEALTHY_MS:,}), "
            f"longest {longest:,} ms with deaths and restarts in between (wanted: {OVER_A_KILL_MS:,})\n"
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
