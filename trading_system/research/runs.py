"""A finished run: its record, its summary, and the folder that it leaves; and a backtest as such a run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trading_system.contracts import RejectionDTO
from trading_system.research.backtest import Series, backtest
from trading_system.research.candle_inputs import CandleInputs, InputError
from trading_system.research.run_folder import BACKTEST, RunRecord, fill_line, fingerprint, write_run
from trading_system.rules.events import Event
from trading_system.rules.facts import Closed, Declined, EquityPoint, Fact, Fill, Halted, Placed, Withdrawn
from trading_system.rules.grid import Instrument, text_of
from trading_system.rules.interval_table import interval_ms
from trading_system.rules.matching import MINUTE_MS
from trading_system.rules.risk import Rejection
from trading_system.rules.words import refusal_dto, rejection_dto
from trading_system.settings import Settings
from trading_system.terms import signal_rules_of, terms_of


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run: its record, its summary, and whether the wire and the account tell the same story."""

    record: RunRecord
    summary: dict[str, Any]


def run_backtest(
    inputs: CandleInputs,
    settings: Settings,
    funding: Mapping[str, Mapping[int, float]] | None = None,
    *,
    late: frozenset[str] = frozenset(),
) -> Run:
    """Trade ``inputs`` in a backtest; ``late`` are the ids of signals that a line had to refuse as too old.

    Raises: InputError when the intervals do not fit, or when a person would have to take each signal.
    """
    if settings.entries == "advisor":
        raise InputError(
            "expected entries=auto for a backtest, was advisor: each signal waits for a person's word, and a backtest "
            "has nobody to ask; give --set entries=auto to see what taking all of them would have brought"
        )
    if interval_ms(settings.signal_interval) % inputs.base:
        raise InputError(
            f"expected a signal interval that the file's candles make up, was {settings.signal_interval}; "
            "choose a longer --signal-interval"
        )
    began = time.perf_counter()
    rates = funding or {}
    series = [
        Series(one, inputs.candles[one.symbol], rates.get(one.symbol, {}), inputs.members.get(one.symbol))
        for one in inputs.instruments
    ]
    rules = [
        signal_rules_of(settings, inputs.origin if one.member is None else one.member.origin * MINUTE_MS)
        for one in series
    ]
    result = backtest(
        series,
        terms_of(settings, inputs.instruments),
        rules,
        higher=settings.higher_interval or None,
        overrides=settings.detection,
        equity=settings.account.equity,
        late=late,
    )
    seconds = time.perf_counter() - began
    events = [event for found in result.events for event in found]
    refused = [*map(refusal_dto, result.refusals), *rejections_of(result.facts)]
    record = record_of(inputs.instruments, [one.candles for one in series], events, result.facts, refused)
    summary = summary_of(record, result.facts, result.signals, inputs.instruments)
    extra = {"equity_final": result.account.equity, "seconds": round(seconds, 3)}
    return Run(record, {"kind": BACKTEST, **summary, **extra, "fingerprint": fingerprint(map(fill_line, record.fills))})


def summary_of(
    record: RunRecord, facts: Sequence[Fact], signals: int, instruments: Sequence[Instrument]
) -> dict[str, Any]:
    """Return the counts and results of a run, as ``--json`` prints them."""
    kinds = Counter(event.kind for event in record.events)
    earned = [closed.earned for closed in record.trades]
    withdrawn = Counter(fact.rule for fact in facts if isinstance(fact, Withdrawn | Declined))
    return {
        "candles": int(sum(np.count_nonzero(candles["gap"] == 0) for candles in record.candles)),
        "swings": kinds["swing_high"] + kinds["swing_low"],
        "order_blocks": kinds["ob_formed"],
        "flags": kinds["flag_breakout"],
        "signals": signals,
        "refused": len(record.refused),
        "refused_by": dict(sorted(Counter(row["rule"] for row in record.refused).items())),
        "refused_by_account": sum(1 for fact in facts if isinstance(fact, Rejection)),
        "withdrawn_by": dict(sorted(withdrawn.items())),
        "orders": len(record.orders),
        "fills": len(record.fills),
        "trades": len(record.trades),
        "won": sum(1 for money in earned if money > 0),
        "halted": [fact.rule for fact in facts if isinstance(fact, Halted)],
        "instrument": [instrument_row(one) for one in instruments],
    }


def instrument_row(instrument: Instrument) -> dict[str, Any]:
    """Return an instrument as an object for people and programs."""
    row = instrument._asdict()
    return {**row, "tick": text_of(instrument.tick.price(1)), "step": text_of(instrument.step.price(1))}


def rejections_of(facts: Iterable[Fact]) -> list[RejectionDTO]:
    """Return the signals that the account refused, as messages."""
    return [rejection_dto(fact) for fact in facts if isinstance(fact, Rejection)]


def record_of(
    instruments: Sequence[Instrument],
    candles: Sequence[Any],
    events: Sequence[Event],
    facts: Sequence[Fact],
    refused: Sequence[Any],
) -> RunRecord:
    """Return what happened in a run, sorted into the files of its folder."""
    return RunRecord(
        symbols=[one.symbol for one in instruments],
        candles=candles,
        events=events,
        orders=[fact for fact in facts if isinstance(fact, Placed)],
        fills=[fact for fact in facts if isinstance(fact, Fill)],
        equity=[fact for fact in facts if isinstance(fact, EquityPoint)],
        trades=[fact for fact in facts if isinstance(fact, Closed)],
        refused=[{**row, "confirmed_at": row["confirmed_at"].isoformat()} for row in refused],
    )


def write(folder: Path, run: Run) -> None:
    """Write a run's files."""
    write_run(folder, run.record, run.summary)
