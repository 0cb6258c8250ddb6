"""The sections of the report page: each takes the facts of a run and returns finished markup.

Which sections there are and in which order is ``report``'s; how they look is ``report_page``'s.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np

from trading_system.charts.scales import round_step
from trading_system.research import report_plots as plots
from trading_system.research import statistics as st
from trading_system.research.report_facts import ReportFacts, Stage
from trading_system.research.report_numbers import figure_text, plain, reason_text, signed, tone
from trading_system.research.report_page import card
from trading_system.research.report_words import Words, named, rule_sentence, say
from trading_system.settings import setting_keys

HEADLINE = (
    "return_pct",
    "cagr_pct",
    "max_drawdown_pct",
    "sharpe",
    "sortino",
    "profit_factor",
    "win_rate_pct",
    "expectancy_r",
    "trades",
    "sqn",
)
_BESIDE = {"sharpe": "sharpe_error", "expectancy_r": "expectancy_error_r"}
_SHOWN_GROUPS = ("setup", "side", "symbol", "exit")
_FOLDED_GROUPS = ("score", "hour")
_FULL_TINT_PCT = 6.0
_MOST_BARS = 36
_PRIVATE = ("bus_url", "database_url", "data_folder", "language", "symbols")
"""Settings that name machines and may carry passwords: never on a page that people pass on."""
_UNDECIDING = ("market", "monitoring", "telegram")
"""Groups that decide nothing: where candles come from, and who is told."""


def tiles(facts: ReportFacts, words: Words) -> str:
    """Return the headline figures; one that does not exist says why."""
    figures = facts.statistics.figures
    found = []
    for name in HEADLINE:
        value = figures[name]
        below = reason_text(words, value)
        beside = figures.get(_BESIDE.get(name, ""), st.NO_TRADES)
        if not isinstance(beside, st.Undefined):
            below = f"± {plain(beside, 2)}"
        elif name == "return_pct":
            held = _with_figure("hold", "buy_and_hold_pct", facts, words)
            below = f"{signed(_number(figures['net_profit']), 2)} · {held}"
        elif name == "max_drawdown_pct":
            longest = figure_text(words, "longest_drawdown_ms", figures["longest_drawdown_ms"])
            below = f"{words['longest_drawdown_ms']} {longest}"
        found.append(
            f'<div class="tile" title="{escape(words[name + ".def"])}"><span>{escape(words[name])}</span>'
            f'<b class="{tone(name, value)}"><bdi>{escape(figure_text(words, name, value))}</bdi></b>'
            f"<small>{_isolated(below)}</small></div>"
        )
    return f'<div class="tiles">{"".join(found)}</div>'


def equity_section(facts: ReportFacts, words: Words) -> str:
    """Return equity beside buy and hold, and the drawdown below on the same time axis."""
    period, start_equity = facts.period, facts.settings.account.equity
    if period.end <= period.start:
        return card(words["section.equity"], f"<p>{escape(words['reason.no_time'])}</p>")
    times = np.array([period.start, *(point.time for point in facts.points)], dtype=np.float64)
    values = np.array([start_equity, *(point.equity for point in facts.points)])
    across = plots.Axis(period.start, period.end, plots.WIDTH)
    held_times, held = _buy_and_hold(facts)
    up = plots.axis_of([*values, *held], plots.HEIGHT)
    grid, labels = plots.value_marks(up, 6)
    kept = plots.stairs(*plots.thinned(times, values))
    ours = [(across.at(time), up.down(value)) for time, value in zip(*kept, strict=True)]
    theirs = [(across.at(time), up.down(value)) for time, value in zip(held_times, held, strict=True)]
    css = "gain" if values[-1] >= start_equity else "loss"
    base = up.down(start_equity)
    shapes = [
        *grid,
        plots.line(theirs, "hold") if theirs else "",
        plots.area(ours, base, f"{css}-area"),
        plots.strokes([(0, base, plots.WIDTH, base)], "zero"),
        plots.line(ours, css),
    ]
    ends = [(ours[-1][1], _with_figure("strategy", "return_pct", facts, words), css)]
    if theirs:
        ends.append((theirs[-1][1], _with_figure("hold", "buy_and_hold_pct", facts, words), "hold"))
    labels += _end_labels(ends)
    months = words["months"].split()
    labels += plots.time_marks(across, 10, months)
    upper = plots.plot(shapes, labels, "equity-plot", words["section.equity"])
    return card(words["section.equity"], upper + _drawdown(times, values, across, words))


def months_section(facts: ReportFacts, words: Words) -> str:
    """Return the table of the months' returns, a year in a row."""
    period = facts.period
    if period.end <= period.start:
        return ""
    months = st.monthly_returns(facts.points, facts.settings.account.equity, period.start, period.end)
    rows = []
    for year in sorted({year for year, _ in months}):
        mine = {month: value for (of_year, month), value in months.items() if of_year == year}
        whole = (math.prod(1 + value / 100 for value in mine.values()) - 1) * 100
        cells = "".join(_tinted(mine[month]) if month in mine else "<td></td>" for month in range(1, 13))
        rows.append(f"<tr><td><b>{year}</b></td>{cells}{_tinted(whole, bold=True)}</tr>")
    heads = "".join(f"<th>{escape(name)}</th>" for name in [*words["months"].split(), words["year"]])
    table = f'<table class="months"><thead><tr><th></th>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return card(words["section.months"], f'<div class="scroll">{table}</div>')


def results_section(facts: ReportFacts, words: Words) -> str:
    """Return the histogram of the trades' results in R."""
    if not facts.trades:
        return card(words["section.results"], f"<p>{escape(words['no_trades_here'])}</p>", css="half")
    results = [closed.r for closed in facts.trades]
    span = max(results) - min(results)
    width = next((size for size in (0.25, 0.5, 1.0, 2.0) if span / size <= _MOST_BARS), span / _MOST_BARS)
    counts = Counter(math.floor(result / width + 0.5) for result in results)
    first, last = min(counts) - 1, max(counts) + 1
    across = plots.Axis((first - 0.5) * width, (last + 0.5) * width, plots.WIDTH)
    up = plots.Axis(0, max(counts.values()) * 1.12, plots.HEIGHT)
    bars: dict[str, list[tuple[float, float, float, float]]] = {"bar-down": [], "bar-even": [], "bar-up": []}
    labels = []
    for place, count in sorted(counts.items()):
        css = "bar-up" if place > 0 else "bar-down" if place < 0 else "bar-even"
        left, right, top = across.at((place - 0.44) * width), across.at((place + 0.44) * width), up.down(count)
        bars[css].append((left, top, right - left, plots.HEIGHT - top))
        labels.append(plots.label((left + right) / 2, top, str(count), "t"))
    every = max(1, math.ceil((across.high - across.low) / 12))
    wholes = [place for place in range(math.ceil(across.low), math.floor(across.high) + 1) if place % every == 0]
    labels += [plots.label(across.at(whole), plots.HEIGHT, f"{signed(whole, 0)}R", "x") for whole in wholes]
    shapes = [
        plots.strokes([(0, plots.HEIGHT, plots.WIDTH, plots.HEIGHT)], "grid"),
        *(plots.boxes(rectangles, css) for css, rectangles in bars.items()),
    ]
    return card(
        words["section.results"], plots.plot(shapes, labels, "results-plot", words["section.results"]), css="half"
    )


def excursions_section(facts: ReportFacts, excursions: list[tuple[float, float]], words: Words) -> str:
    """Return the scatter of worst against best excursion of each trade; ``excursions`` in the order of the trades."""
    title = words["section.excursions"]
    if not facts.trades:
        return card(title, f"<p>{escape(words['no_trades_here'])}</p>", css="half")
    across = plots.axis_of([0.0, 1.0, *(mae for mae, _ in excursions)], plots.WIDTH)
    up = plots.axis_of([0.0, 1.0, *(mfe for _, mfe in excursions)], plots.HEIGHT)
    dots: dict[bool, list[plots.Point]] = {True: [], False: []}
    for closed, (mae, mfe) in zip(facts.trades, excursions, strict=True):
        dots[closed.earned > 0].append((across.at(mae), up.down(mfe)))
    grid, labels = plots.value_marks(up, 5, "R")
    step = round_step(across.high - across.low, 6)
    places = [n * step for n in range(math.floor(across.high / step) + 1)]
    labels += [plots.label(across.at(x), plots.HEIGHT, f"{x:g}R", "x") for x in places]
    labels.append(plots.label(plots.WIDTH, plots.HEIGHT, words["excursion.x"], "b"))
    labels.append(plots.label(0, 0, words["excursion.y"], "s"))
    shapes = [*grid, plots.dots(dots[False], "lost"), plots.dots(dots[True], "won")]
    return card(title, plots.plot(shapes, labels, "scatter-plot", title), css="half")


def groups_section(facts: ReportFacts, words: Words) -> str:
    """Return the closed trades by setup, side, symbol and exit; by score and hour below a fold."""
    groups = facts.statistics.groups
    if not facts.trades:
        return card(words["section.groups"], f"<p>{escape(words['no_trades_here'])}</p>", css="half")
    shown = [name for name in _SHOWN_GROUPS if name != "symbol" or len(groups[name]) > 1]
    folded = ""
    for name in _FOLDED_GROUPS:
        folded += (
            f'<details class="more"><summary>{escape(words["group." + name])}</summary>'
            f"{_group_table([name], groups, words)}</details>"
        )
    body = _group_table(shown, groups, words) + folded
    return card(words["section.groups"], body, css="half wide groups", note=words["groups.note"])


def funnel_section(facts: ReportFacts, words: Words) -> str:
    """Return how many of each stage were left, and what each rule took."""
    most = max((stage.number for stage in facts.funnel if stage.number), default=1)
    rows = "".join(_stage(stage, most, words) for stage in facts.funnel)
    body = f'<div class="funnel">{rows}</div>'
    return card(words["section.funnel"], body, css="half wide", note=words["funnel.note"])


def figures_section(facts: ReportFacts, words: Words) -> str:
    """Return every figure, and below a fold how each is defined."""
    cells, definitions = [], []
    for name, value in facts.statistics.figures.items():
        reason = reason_text(words, value)
        small = f"<small>{escape(reason)}</small>" if reason else ""
        cells.append(
            f'<div title="{escape(words[name + ".def"])}"><span>{escape(words[name])}</span><b class="'
            f'{tone(name, value)}"><bdi>{escape(figure_text(words, name, value))}</bdi>{small}</b></div>'
        )
        definitions.append(f"<dt>{escape(words[name])}</dt><dd>{escape(words[name + '.def'])}</dd>")
    folded = f'<details class="more"><summary>?</summary><dl>{"".join(definitions)}</dl></details>'
    return card(words["section.figures"], f'<div class="figures">{"".join(cells)}</div>{folded}')


def fills_section(facts: ReportFacts, words: Words) -> str:
    """Return what the fills of this run assume, in sentences."""
    venue, base = facts.settings.venue, facts.period.base // 60_000
    interval = f"{base}m" if base < 60 else f"{base // 60}h"
    sentences = (
        say(words, "fills.minutes", interval=interval),
        words[f"fills.{venue.walk}"],
        words[f"fills.{venue.limit_fill}"],
        say(words, "fills.slippage", ticks=venue.slippage_ticks),
        words["fills.whole"],
        words["fills.reaction"],
        words["fills.candles"],
    )
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return card(words["section.fills"], f'<ul class="plain">{items}</ul>')


def settings_section(facts: ReportFacts, words: Words) -> str:
    """Return the settings of the run, those that differ from their default in bold, and the instruments."""
    rows = []
    for key, value, default, meaning in shown_settings(facts):
        text, usual = escape(_setting(value)), escape(_setting(default))
        changed = f"<b>{text}</b>" if value != default else text
        rows.append(
            f'<tr><td>{escape(key)}</td><td>{changed}</td><td>{usual}</td><td class="wide">{escape(meaning)}</td></tr>'
        )
    head = f"<tr><th>{words['setting']}</th><th>{words['value']}</th><th>{words['default']}</th><th></th></tr>"
    body = f'<div class="scroll"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'
    records = list(facts.summary["instrument"])
    names = list(records[0]) if records else []
    heads = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in names)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(str(row[name]))}</td>' for name in names)}</tr>" for row in records)
    body += f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>'
    return f'<details class="card"><summary>{escape(words["section.settings"])}</summary>{body}</details>'


def shown_settings(facts: ReportFacts) -> Iterable[tuple[str, Any, Any, str]]:
    """Return key, value, default and meaning of each setting that decides a result."""
    for key, (default, meaning) in setting_keys().items():
        group, _, name = key.partition(".")
        if key not in _PRIVATE and group not in _UNDECIDING:
            holder = getattr(facts.settings, group)
            yield key, getattr(holder, name) if name else holder, default, meaning
    for key, value in facts.settings.detection.items():
        yield key, value, None, ""


def _buy_and_hold(facts: ReportFacts) -> tuple[list[float], list[float]]:
    """Return the worth of the starting equity spread over the symbols, at about as many times as a screen has px."""
    period, equity = facts.period, facts.settings.account.equity
    series = []
    for candles in facts.record.candles:
        inside = candles[(candles["open_time"] >= period.start) & (candles["gap"] == 0)]
        if len(inside) == 0:
            return [], []
        series.append((inside["open_time"].astype(np.float64) + period.base, inside["close"]))
    if len(series) == 1:
        times, closes = plots.thinned(*series[0])
        return times.tolist(), (closes / series[0][1][0] * equity).tolist()
    times = np.linspace(period.start + period.base, period.end, plots.MOST_POINTS)
    worth = np.zeros(len(times))
    for closed_at, closes in series:
        places = np.maximum(np.searchsorted(closed_at, times, side="right") - 1, 0)
        worth += closes[places] / closes[0] * equity / len(series)
    return times.tolist(), worth.tolist()


def _drawdown(times: plots.Floats, values: plots.Floats, across: plots.Axis, words: Words) -> str:
    peaks = np.maximum.accumulate(values)
    falls = (values / peaks - 1) * 100
    deepest = float(falls.min())
    down = plots.Axis(min(deepest * 1.05, -0.5), 0.0, plots.HEIGHT)
    kept = plots.stairs(*plots.thinned(times, falls))
    points = [(across.at(time), down.down(value)) for time, value in zip(*kept, strict=True)]
    grid, labels = plots.value_marks(down, 3, "%")
    shapes = [*grid, plots.area(points, 0.0, "loss-area"), plots.line(points, "drop")]
    labels += plots.time_marks(across, 10, words["months"].split())
    title = words["section.drawdown"]
    return f"<h2>{escape(title)}</h2>" + plots.plot(shapes, labels, "drawdown-plot", title)


def _end_labels(ends: list[tuple[float, str, str]]) -> list[str]:
    """Return the names of the lines at their right ends, each above its line and apart from the others."""
    labels = []
    before = -math.inf
    for y, text, css in sorted(ends):
        place = max(y - 6.0, before + 8.0, 3.0)
        labels.append(plots.label(plots.WIDTH, place, text, f"e {css}"))
        before = place
    return labels


def _with_figure(key: str, figure: str, facts: ReportFacts, words: Words) -> str:
    """Return a phrase and a figure behind it, such as ``strategy +1.2%``."""
    value = figure_text(words, figure, facts.statistics.figures[figure])
    return say(words, "with_figure", name=words[key], value=value)


def _tinted(value: float, *, bold: bool = False) -> str:
    strength = min(abs(value) / _FULL_TINT_PCT, 1.0) * 0.65 + 0.12 if abs(value) >= 0.05 else 0.0
    text = f"<b>{signed(value, 1)}</b>" if bold else signed(value, 1)
    return f'<td class="n {"pos" if value > 0 else "neg"}" style="--a:{strength:.2f}">{text}</td>'


def _group_table(names: Iterable[str], groups: Any, words: Words) -> str:
    columns = ("trades", "win_rate", "expectancy", "profit_factor", "total_r")
    optional = {"profit_factor"}
    body = ""
    for name in names:
        heads = "".join(
            f'<th class="{"opt" if column in optional else ""}">{escape(words["column." + column])}</th>'
            for column in columns
        )
        body += f'<tr class="group"><th>{escape(words["group." + name])}</th>{heads}</tr>'
        for group in groups[name]:
            body += (
                f"<tr><td>{escape(named(words, name, group.name))}</td><td>{group.trades}</td>"
                f"<td>{figure_text(words, 'win_rate_pct', group.win_rate)}</td>"
                f'<td class="n {tone("expectancy_r", group.expectancy)}">'
                f"{figure_text(words, 'expectancy_r', group.expectancy).removesuffix(' R')}</td>"
                f'<td class="opt">{figure_text(words, "profit_factor", group.profit_factor)}</td>'
                f'<td class="n">{signed(group.total_r, 1)}</td></tr>'
            )
    return f'<div class="scroll"><table>{body}</table></div>'


def _stage(stage: Stage, most: int, words: Words) -> str:
    share = math.log1p(stage.number) / math.log1p(most) * 100
    if stage.kind == "kept":
        text, css = words[f"stage.{stage.code}"], ""
    else:
        text, css = rule_sentence(words, stage.code), "lost"
    return (
        f'<span class="{css}" title="{escape(stage.code)}">{escape(text)}</span>'
        f'<i class="{css}" style="inline-size:{share:.1f}%"></i><b class="n {css}">'
        f"{'−' if css else ''}{stage.number:,}</b>"
    )


def _isolated(text: str) -> str:
    """Return parts joined by a middle dot, each kept from turning round in a page that runs from right to left."""
    return " · ".join(f"<bdi>{escape(part)}</bdi>" if part[:1] in "+−±" else escape(part) for part in text.split(" · "))


def _setting(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "–" if value is None else str(value)


def _number(value: st.Figure) -> float:
    return 0.0 if isinstance(value, st.Undefined) else value
