"""The page and the terminal's tables about a run: whole, self-contained, honest, and never a number made up."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from rich.console import Console
from sample_trades import DAY, START

from trading_system.research import report_plots as plots
from trading_system.research.candle_inputs import inputs_of, read_inputs
from trading_system.research.report import report_page, warnings_of, write_report
from trading_system.research.report_facts import ReportError, ReportFacts, facts_of
from trading_system.research.report_numbers import figure_text, plain, signed
from trading_system.research.report_terminal import print_funnel, print_statistics
from trading_system.research.report_trade import bars_between
from trading_system.research.report_words import ENGLISH, rule_sentence
from trading_system.research.run_folder import RunRecord
from trading_system.research.runs import Run, run_backtest
from trading_system.research.statistics import Undefined
from trading_system.rules.facts import WITHDRAWALS
from trading_system.rules.grid import Instrument
from trading_system.rules.records import CANDLE
from trading_system.rules.risk import REJECTIONS
from trading_system.rules.signals import SIGNAL_REFUSALS
from trading_system.settings import Settings, settings_with
from trading_system.simulator.market import DEMO_SYMBOLS, synthetic_candles
from trading_system.spoken import report_in

MINUTES = 4 * 1440
_VOID = {"meta", "link", "path", "br"}


def settings_of(*sets: str) -> Settings:
    given_sets = ("warm_up=50", "min_rr=0.5", "higher_interval=1h", *sets)
    return settings_with(given_sets, signal_interval="5m")


@cache
def finished_run() -> Run:
    """Return a backtest of four days of two synthetic symbols."""
    start = START - START % (7 * DAY)
    candles: dict[str, Any] = {}
    instruments = []
    for one in DEMO_SYMBOLS[:2]:
        candles[one.symbol] = synthetic_candles(4, one.symbol, start, MINUTES, one.tick, one.step, one.start_price)
        instruments.append(Instrument("binance_usdm", one.symbol, one.tick, one.step, 5.0, 0.0005, 0.0002, 0.004))
    return run_backtest(inputs_of(instruments, candles, settings_of()), settings_of())


def facts_with(*sets: str, **summary: Any) -> ReportFacts:
    run = finished_run()
    return facts_of(run.record, {**run.summary, **summary}, settings_of(*sets))


def bare_facts() -> ReportFacts:
    """Return the same candles without a single candidate."""
    run = finished_run()
    record = replace(run.record, events=[], orders=[], fills=[], equity=[], trades=[], refused=[])
    return facts_of(record, {**run.summary, "signals": 0, "withdrawn_by": {}, "equity_final": 10_000.0}, settings_of())


@cache
def whole_page() -> str:
    return report_page(facts_with())


class Reader(HTMLParser):
    """Reads a page as a browser would: open tags on a stack, and the text that a person sees."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.addresses: list[str] = []
        self.text: list[str] = []
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self.open.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "data"}]

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open[-1:]):
            self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def test_a_page_is_well_formed_and_asks_nothing_of_a_network() -> None:
    reader = read(whole_page())
    assert reader.open == []
    assert reader.wrong == []
    assert reader.addresses == ["data:,"]
    assert not re.search(r"https?:|url\(|@import|<img|<iframe", whole_page())
    assert "default-src 'none'" in whole_page()


def test_the_same_run_gives_the_same_page() -> None:
    assert report_page(facts_with()) == whole_page()


@pytest.mark.parametrize("facts", [facts_with, bare_facts])
def test_no_page_ever_prints_a_number_that_does_not_exist(facts: Callable[[], ReportFacts]) -> None:
    reader = read(report_page(facts()))
    words = re.findall(r"[A-Za-z]+", " ".join(reader.text))
    assert not {"nan", "NaN", "inf", "None", "Undefined"} & set(words)
    assert not [value for _, value in reader.attributes if re.search(r"\b(nan|inf)\b", value)]


def test_every_closed_trade_has_its_row_with_its_chart() -> None:
    page, trades = whole_page(), finished_run().record.trades
    assert len(trades) > 5
    assert page.count("<details data-number=") == len(trades)
    assert page.count('<div class="plot trade-plot">') == len(trades)
    for closed in trades:
        assert f'data-result="{round(closed.r, 6)}"' in page


def test_a_run_without_trades_says_so_and_why_each_dash_is_one() -> None:
    facts = bare_facts()
    page = report_page(facts)
    assert ENGLISH["warn.no_trades"] in page
    assert ENGLISH["no_trades_here"] in page
    assert page.count(ENGLISH["reason.no_trades"]) >= 4
    assert read(page).wrong == []


def test_a_run_that_ends_within_its_warm_up_has_a_page_too() -> None:
    run = finished_run()
    record = replace(run.record, events=[], orders=[], fills=[], equity=[], trades=[], refused=[])
    summary = {**run.summary, "signals": 0, "withdrawn_by": {}, "equity_final": 10_000.0}
    facts = facts_of(record, summary, settings_of("warm_up=100000"))
    assert facts.statistics.figures["exposure_pct"] == Undefined("no_time")
    assert ENGLISH["reason.no_time"] in report_page(facts)


def test_the_funnel_loses_nobody_on_the_way() -> None:
    run, stages = finished_run(), facts_with().funnel
    kept = {stage.code: stage.number for stage in stages if stage.kind == "kept"}
    assert kept["candidates"] == kept["order_blocks"] + kept["flags"]
    assert kept["signals"] == run.summary["signals"]
    assert kept["trades"] == len(run.record.trades)
    left = None
    for stage in stages[4:]:
        if stage.kind == "lost":
            assert left is not None
            left -= stage.number
        else:
            assert left is None or left == stage.number
            left = stage.number


def test_withdrawn_entries_are_named_by_their_rule_and_the_rest_still_waits() -> None:
    withdrawn = finished_run().summary["withdrawn_by"]
    rule, count = next(iter(withdrawn.items()))
    stages = {stage.code: stage.number for stage in facts_with().funnel}
    assert {code: stages[code] for code in withdrawn} == withdrawn
    one_less = {stage.code: stage.number for stage in facts_with(withdrawn_by={**withdrawn, rule: count - 1}).funnel}
    assert one_less["still_waiting"] == stages.get("still_waiting", 0) + 1
    assert WITHDRAWALS[rule][1:] in report_page(facts_with())


def test_money_on_the_page_is_the_money_of_the_run() -> None:
    run, figures = finished_run(), facts_with().statistics.figures
    assert figures["equity_end"] == run.summary["equity_final"]
    assert figures["net_profit"] == run.summary["equity_final"] - 10_000
    assert figures["trades"] == run.summary["trades"]
    assert figures["win_rate_pct"] == pytest.approx(run.summary["won"] / run.summary["trades"] * 100)
    assert figures["fees_paid"] == pytest.approx(sum(fill.fee for fill in run.record.fills))
    assert figures["funding_paid"] == 0.0


def test_each_group_holds_every_trade_once() -> None:
    statistics = facts_with().statistics
    for groups in statistics.groups.values():
        assert sum(group.trades for group in groups) == statistics.figures["trades"]


def test_a_reader_is_warned_of_few_trades_a_short_period_and_missing_minutes() -> None:
    facts = facts_with()
    said = " ".join(warnings_of(facts))
    assert f"{len(facts.trades)} closed trades are" in said
    assert "one kind of market" in said
    record = finished_run().record
    candles = record.candles[0].copy()
    candles["gap"][100:110] = 1
    gaps = replace(record, candles=[candles, *record.candles[1:]])
    assert "10 minutes are missing" in " ".join(warnings_of(facts_of(gaps, finished_run().summary, settings_of())))


def test_a_reader_is_told_when_a_limit_ended_the_entries() -> None:
    said = " ".join(warnings_of(facts_with(halted=["day_loss", "drawdown_stop", "day_loss"])))
    assert "drawdown limit" in said
    assert "On 2 days entries" in said


def test_no_page_claims_an_edge() -> None:
    facts = facts_with()
    figures = dict(facts.statistics.figures)
    for mean, error, expected in (
        (0.1, 0.2, "does not show an edge"),
        (0.5, 0.1, "proves nothing"),
        (-0.5, 0.1, "lost"),
    ):
        figures |= {"expectancy_r": mean, "expectancy_error_r": error}
        judged = replace(facts, statistics=replace(facts.statistics, figures=figures))
        assert expected in " ".join(warnings_of(judged))


def test_settings_that_name_machines_or_hold_passwords_are_not_on_the_page() -> None:
    run = finished_run()
    secret = settings_of("database_url=mongodb://me:canary@host", "bus_url=redis://:canary@host", "data_folder=/canary")
    page = report_page(facts_of(run.record, run.summary, secret))
    assert "canary" not in page
    assert "signal_interval" in page


def test_changed_settings_stand_out_and_change_their_hash() -> None:
    usual, changed = whole_page(), report_page(facts_with("risk_pct=0.25"))
    assert "<b>0.25</b>" in changed
    chips = [re.findall(r"settings ([0-9a-f]{8})", page) for page in (usual, changed)]
    assert chips[0] != chips[1]


def test_texts_from_outside_are_escaped() -> None:
    facts = bare_facts()
    names = ["<script>alert(1)</script>", "A&B"]
    page = report_page(replace(facts, record=replace(facts.record, symbols=names)))
    assert "alert(1)</script>" not in page
    assert "A&amp;B" in page


def test_a_table_of_another_language_turns_the_page_and_names_its_months() -> None:
    page = report_page(facts_with(), report_in("ar"))
    assert '<html lang="ar" dir="rtl">' in page
    assert "ديسمبر" in page
    assert " Dec" not in " ".join(read(page).text)


def test_a_text_that_is_missing_fails_loudly() -> None:
    table = {key: text for key, text in ENGLISH.items() if key != "section.funnel"}
    with pytest.raises(KeyError, match=r"section\.funnel"):
        report_page(facts_with(), table)


def test_every_rule_that_can_end_a_candidate_has_a_sentence() -> None:
    for code in (*SIGNAL_REFUSALS, *REJECTIONS, *WITHDRAWALS):
        assert rule_sentence(ENGLISH, code) != rule_sentence(ENGLISH, "unheard_of")
        assert "_" not in rule_sentence(ENGLISH, code).replace("min_rr", "")
    assert rule_sentence(ENGLISH, "unheard_of") == "Unheard of"


def test_every_figure_has_a_name_and_a_definition() -> None:
    for name in facts_with().statistics.figures:
        assert ENGLISH[name]
        assert ENGLISH[f"{name}.def"].endswith(".")


def test_writing_makes_the_folder_and_leaves_no_part(tmp_path: Path) -> None:
    run, path = finished_run(), tmp_path / "new" / "out.html"
    write_report(path, run.record, run.summary, settings_of())
    write_report(path, run.record, run.summary, settings_of())
    assert [entry.name for entry in path.parent.iterdir()] == ["out.html"]
    assert path.read_text(encoding="utf-8") == whole_page()


def test_a_run_without_candles_or_with_a_foreign_summary_is_refused(tmp_path: Path) -> None:
    run = finished_run()
    empty = RunRecord([], [], [], [], [], [], [], [])
    with pytest.raises(ReportError, match="at least two candles"):
        write_report(tmp_path / "out.html", empty, run.summary, settings_of())
    with pytest.raises(ReportError, match="fingerprint"):
        write_report(tmp_path / "out.html", run.record, {"equity_final": 1.0}, settings_of())
    assert list(tmp_path.iterdir()) == []


def test_the_terminal_shows_the_same_figures_with_the_reason_for_each_dash() -> None:
    facts, out = facts_with(), io.StringIO()
    console = Console(file=out, width=140, color_system=None)
    print_statistics(console, facts.statistics)
    print_funnel(console, facts)
    said = out.getvalue()
    figures = facts.statistics.figures
    assert figure_text(ENGLISH, "net_profit", figures["net_profit"]) in said
    assert re.search(r"CAGR +– +period shorter than 90 days", said)
    assert "Candidates" in said
    assert "nan" not in said


def test_numbers_have_true_minus_signs_and_zero_has_none() -> None:
    assert signed(-1234.5, 2) == "−1,234.50"
    assert signed(0.001, 2) == signed(-0.001, 2) == "0.00"
    assert plain(3.0, 1) == "3.0"
    assert figure_text(ENGLISH, "sharpe", float("nan")) == "–"
    assert figure_text(ENGLISH, "max_drawdown_pct", 12.34) == "−12.3%"


def test_bars_of_a_chart_are_folded_from_priced_minutes_only() -> None:
    minutes = np.zeros(6, CANDLE)
    minutes["open_time"] = START + 60_000 * np.arange(6)
    for name, first in (("open", 10), ("high", 20), ("low", 1), ("close", 11)):
        minutes[name] = range(first, first + 6)
        minutes[name][1] = 0.0
    minutes["gap"][1] = 1
    bars = bars_between(minutes, START, START + 6 * 60_000, 3 * 60_000)
    assert bars.time.tolist() == [START, START + 180_000]
    assert bars.open.tolist() == [10, 13]
    assert bars.high.tolist() == [22, 25]
    assert bars.low.tolist() == [1, 4]
    assert bars.close.tolist() == [13, 16]
    assert len(bars_between(minutes, START - DAY, START, 60_000).time) == 0


@given(some.lists(some.floats(-1e6, 1e6), min_size=1, max_size=400), some.integers(4, 60))
def test_thinning_keeps_the_ends_and_the_extremes(values: list[float], most: int) -> None:
    series = np.array(values)
    times, kept = plots.thinned(np.arange(len(series), dtype=float), series, most)
    assert len(kept) <= max(len(series) if len(series) <= most else 0, 2 * (most // 2) + 2)
    assert (kept[0], kept[-1]) == (series[0], series[-1])
    assert (kept.min(), kept.max()) == (series.min(), series.max())
    assert np.all(np.diff(times) > 0)


def test_a_text_is_placed_in_per_cent_and_a_shape_in_units() -> None:
    assert plots.label(500, 25, "a<b", "x") == '<span class="x" style="left:50%;top:25%">a&lt;b</span>'
    assert plots.path_of([(-0.001, 2.0), (3.25, 1e3)]) == "M0 2L3.25 1000"
    assert plots.boxes([], "body") == plots.strokes([], "wick") == plots.dots([], "won") == ""


@pytest.mark.parametrize("days", [0.5, 3, 20, 59, 61, 400, 4000])
def test_a_time_axis_of_any_length_has_a_handful_of_labels(days: float) -> None:
    axis = plots.Axis(START, START + days * DAY, plots.WIDTH)
    marks = plots.time_marks(axis, 10, ENGLISH["months"].split())
    assert 2 <= len(marks) <= 13


@pytest.mark.shared
def test_a_month_of_real_minutes_makes_a_small_page(shared_data: Path, tmp_path: Path) -> None:
    settings = settings_with()
    inputs = read_inputs([shared_data / "ohlcv" / "BINANCEUSDM_BTCUSDT_1m.csv.gz"], ["BTCUSDT"], settings)
    run = run_backtest(inputs, settings)
    write_report(tmp_path / "out.html", run.record, run.summary, settings)
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert page.count("<details data-number=") == run.summary["trades"] > 0
    assert len(page) < 400_000
    assert read(page).wrong == []
