"""The command line: each command reads its words, calls the room that does the work, and prints what came of it.

What a command needs is imported inside it, so that ``--help`` answers at once. For the same reason annotations are not
deferred here: typer would have to evaluate the text of each of them at every start.
"""

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

gc.disable()  # the command line makes no garbage worth collecting before a command begins
import typer  # noqa: E402

from trading_system import read_commands, setup_commands  # noqa: E402

if TYPE_CHECKING:
    from trading_system.languages.speech import Speech
    from trading_system.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Bounds = tuple[int | None, int | None]

FAILED = 1
WRONG_INPUT = 2
INTERRUPTED = 130
EXIT_CODES = {
    0: "done, and as it should be",
    FAILED: "done, but the answer is no: two runs differ, or the demo was not equal to its backtest",
    WRONG_INPUT: "not done: an option, a setting, a file, a folder or an exchange was not as expected; the sentence on "
    "standard error says what was expected, what was found and what mends it",
    INTERRUPTED: "interrupted by Ctrl-C; what was not finished leaves no summary",
}

Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="change one setting; repeatable")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="where the run's folder goes")]
AsJson = Annotated[bool, typer.Option("--json", help="print one object on standard output, nothing else")]
Lang = Annotated[str | None, typer.Option("--lang", metavar="en|ar", help="language of what people read")]
SignalInterval = Annotated[str | None, typer.Option("--signal-interval", help="candles on which setups are looked for")]


def _symbols(names: list[str]) -> list[str]:
    return [_symbol(name) or name for name in names]


def _symbol(name: str | None) -> str | None:
    from trading_system.rules.symbols import SymbolError, checked_symbol

    try:
        return None if name is None else checked_symbol(name)
    except SymbolError as error:
        raise typer.BadParameter(str(error)) from None


Symbols = Annotated[
    list[str],
    typer.Option("--symbol", callback=_symbols, help="symbol of each file, in their order; repeatable"),
]
InstrumentFile = Annotated[
    Path | None, typer.Option("--instrument", metavar="FILE", help="JSON with tick, step, fees, min_notional")
]
From = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="first candle, UTC: 2025-01-31 or 2025-01-31T12:30Z")
]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="candles closed by then; a day is its beginning")]
Faults = Annotated[Path | None, typer.Option("--faults", metavar="FILE", help="JSON list of faults to cause")]


@app.callback()
def begin(
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="settings; default: trading.toml, if it is there")
    ] = None,
) -> None:
    """An event-driven trading system: closed candles in, facts out; backtest, paper and live by one source."""
    import logging

    from trading_system.redaction import PROCESS, RedactingFormatter

    gc.enable()
    setup_commands.config_file.set(config)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"), PROCESS))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


@app.command()
def demo(
    out: Out = None,
    lang: Lang = None,
    seed: Annotated[int, typer.Option(help="seed of the synthetic market")] = 20,
    days: Annotated[int, typer.Option(help="days traded after the warm-up", min=1)] = 7,
    set_: Sets = None,
) -> None:
    """Trade seven days of a synthetic market through the whole line, offline, and compare with the backtest."""
    from trading_system.demo import run_demo, say_verdict

    settings = _settings(set_, lang=lang)
    folder = out or _new_folder(settings, "demo")
    done = run_demo(settings, folder, seed=seed, days=days)
    speech = _speech(settings)
    say_verdict(done, speech)
    _say(speech.say("note.alerts", folder=folder / "run" / "alerts"))
    if not done.passed:
        raise typer.Exit(FAILED)


@app.command()
def run(
    replay: Annotated[
        list[Path] | None,
        typer.Option("--replay", metavar="FILE", help="1m candles (CSV, CSV.gz, zip, Parquet, Feather); repeatable"),
    ] = None,
    simulator: Annotated[
        str | None, typer.Option("--simulator", metavar="URL", help="a running `trading-system exchange`")
    ] = None,
    symbol: Symbols = [],  # noqa: B006  typer reads it as the default and never changes it
    signal_interval: SignalInterval = None,
    speed: Annotated[str, typer.Option(help="max: lockstep with the simulated market")] = "max",
    set_: Sets = None,
    out: Out = None,
    json: AsJson = False,
    alerts: Annotated[bool, typer.Option(help="a picture and a text for each signal")] = True,
    instrument: InstrumentFile = None,
    from_: From = None,
    to: To = None,
    faults: Faults = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="paper: end after the minute that closes then, UTC")
    ] = None,
    lang: Lang = None,
) -> None:
    """Trade the whole line: on paper over the venue's public feed, or candle files over a simulated exchange."""
    import asyncio

    if simulator is None and not replay and symbol:
        _paper(symbol, _settings(set_, signal_interval, lang), out, until, alerts=alerts, json=json)
        return
    from trading_system.research.runs import write
    from trading_system.simulated_run import run_replay, run_simulator

    if speed != "max":
        _refuse(f"--speed {speed}: expected max, the only speed at which a run can equal a backtest")
    if (simulator is None) == (not replay) or (simulator is not None and not symbol):
        _refuse(
            "expected --symbol for paper trading on the venue's public feed, --replay FILE with --symbol, or "
            "--simulator URL with --symbol"
        )
    settings = _settings(set_, signal_interval, lang)
    folder = out or _new_folder(settings, "run", *symbol)
    mode: Any = "PAPER" if alerts else None
    _refuse_kills_unless(simulator is not None)
    if simulator is not None:
        done = asyncio.run(run_simulator(simulator, symbol, settings, folder, alerts=mode, reached=_watcher()))
    else:
        from trading_system.console import progress

        inputs = _inputs(replay or [], symbol, settings, instrument, _bounds(from_, to))
        with progress("progress.lockstep", inputs.minutes, _speech(settings)) as stepped:
            first = inputs.origin // 60_000
            done = asyncio.run(
                run_replay(
                    inputs,
                    settings,
                    folder,
                    faults=_faults(faults),
                    alerts=mode,
                    stepped=lambda step: stepped(step - first),
                )
            )
    write(folder, done)
    _print(done.summary, folder, settings, json)


def _paper(
    symbols: list[str], settings: "Settings", out: Path | None, until: str | None, *, alerts: bool, json: bool
) -> None:
    """Trade on paper until --until or an interruption; the folder is the same each time, so a start goes on."""
    import asyncio
    import signal

    from trading_system.console import progress, say
    from trading_system.paper_run import paper_line, trade_paper
    from trading_system.research.history_bounds import bound_ms
    from trading_system.research.runs import write

    folder = out or settings.data_folder / "runs" / "-".join(["paper", *sorted(symbols)])
    speech = _speech(settings)
    end = None if until is None else bound_ms(until, "--until")

    async def trade() -> Any:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def end_it(number: int) -> None:
            stop.set()
            loop.remove_signal_handler(number)  # the second one does not wait

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end_it, number)
        line, missing = await paper_line(symbols, settings, folder, alerts="PAPER" if alerts else None)
        say(speech.say("note.paper", symbols=" ".join(symbols), url=settings.market.rest, folder=folder))
        with progress("progress.warm_up", missing, speech) as warmed:
            return await trade_paper(
                line,
                stop,
                until=end,
                warmed=warmed,
                trading=lambda: say(speech.say("note.paper_trading")),
            )

    done = asyncio.run(trade())
    if done is None:
        _say(speech.say("note.paper_interrupted", folder=folder))
        raise typer.Exit(INTERRUPTED)
    write(folder, done)
    _print(done.summary, folder, settings, json)


@app.command()
def backtest(
    candles: Annotated[
        list[Path] | None,
        typer.Option("--candles", metavar="FILE", help="CSV, CSV.gz, zip, Parquet or Feather; repeatable"),
    ] = None,
    symbol: Symbols = [],  # noqa: B006
    signal_interval: SignalInterval = None,
    set_: Sets = None,
    out: Out = None,
    json: AsJson = False,
    instrument: InstrumentFile = None,
    from_: From = None,
    to: To = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="FILE", help="one HTML page about it")] = None,
    funding: Annotated[
        list[Path] | None, typer.Option("--funding", metavar="FILE", help="funding rates of each file; repeatable")
    ] = None,
    store: Annotated[
        Path | None, typer.Option("--store", metavar="FOLDER", help="what a line stored, with its own terms, instead")
    ] = None,
    lang: Lang = None,
) -> None:
    """Trade candle files in a backtest: the same rules, the minutes without events jumped over."""
    from trading_system.research.funding import read_funding
    from trading_system.research.runs import run_backtest, write

    settings = _settings(set_, signal_interval, lang)
    speech = _speech(settings)
    folder = out or _new_folder(settings, "backtest", *symbol)
    if (store is None) == (not candles):
        _refuse("expected either --candles FILE with --symbol, or --store FOLDER")
    if (folder / "store.db").exists():
        _refuse(f"{folder}: expected a new folder or one of a backtest, was the folder of a line; give another --out")
    late: frozenset[str] = frozenset()
    if store is not None:
        import asyncio

        from trading_system.research.stored_candles import read_stored

        inputs, began, late = asyncio.run(read_stored(store))
        settings = began.model_copy(update={"language": settings.language})
    else:
        inputs = _inputs(candles or [], symbol, settings, instrument, _bounds(from_, to))
    if inputs.base != 60_000:
        _say(speech.say("note.base", minutes=inputs.base // 60_000))
    if funding and len(funding) != len(symbol):
        _refuse(f"expected one --funding file for each --symbol, was {len(funding)} for {len(symbol)}")
    rates = {name: read_funding(path) for name, path in zip(symbol, funding or [], strict=False)}
    done = run_backtest(inputs, settings, rates, late=late)
    write(folder, done)
    _print(done.summary, folder, settings, json)
    if report is not None:
        from trading_system.console import print_statistics_of
        from trading_system.research.report import write_report
        from trading_system.spoken import report_in

        write_report(report, done.record, done.summary, settings, report_in(settings.language))
        if not json:
            print_statistics_of(done.record, done.summary, settings)
        _say(speech.say("note.report", file=report))


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="a run's folder")],
    second: Annotated[Path, typer.Argument(metavar="B", help="another run's folder")],
    json: AsJson = False,
    lang: Lang = None,
) -> None:
    """Walk two run folders step by step; exit 1 and name the first difference."""
    from trading_system.console import print_json
    from trading_system.research.parity import compare as compare_folders
    from trading_system.terminal_words import counts_text

    speech = _speech(_settings(None, lang=lang))
    result = compare_folders(first, second)
    difference = result.difference
    if json:
        print_json(
            {"equal": difference is None, "counts": result.counts, "difference": difference and difference._asdict()}
        )
    elif difference is None:
        typer.echo(speech.say("compare.equal", counts=counts_text(result.counts, speech)))
    else:
        typer.echo(speech.say("compare.different", difference=difference.sentence()))
    if difference is not None:
        raise typer.Exit(FAILED)


@app.command()
def detect(
    candles: Annotated[Path, typer.Option("--candles", metavar="FILE", help="candle file of any interval")],
    interval: Annotated[str | None, typer.Option(help="interval to detect on; default: the file's own")] = None,
    symbol: Annotated[
        str | None, typer.Option(callback=_symbol, help="symbol of the file; default: from its name")
    ] = None,
    from_: From = None,
    to: To = None,
    set_: Sets = None,
    format_: Annotated[str, typer.Option("--format", help="jsonl: one object a line")] = "jsonl",
) -> None:
    """Print every event of a candle file: swings, structure breaks, order blocks and flags."""
    from trading_system.research.detect_file import events_of_file

    if format_ != "jsonl":
        _refuse(f"--format {format_}: expected jsonl")
    first, last = _bounds(from_, to)
    for line in events_of_file(candles, _settings(set_), interval, symbol, first=first, last=last):
        sys.stdout.write(line)


@app.command()
def chart(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", callback=_symbol, help="e.g. BTCUSDT")],
    candles: Annotated[Path | None, typer.Option("--candles", metavar="FILE", help="a candle file")] = None,
    store: Annotated[Path | None, typer.Option("--store", metavar="FOLDER", help="the folder of a run")] = None,
    interval: Annotated[str | None, typer.Option(help="candles to draw; default: the source's own")] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="the moment to show, UTC; default: the end")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="x.png or x.svg")] = None,
    light: Annotated[bool, typer.Option("--light", help="dark on white")] = False,
    set_: Sets = None,
    lang: Lang = None,
) -> None:
    """Draw candles with swings, live order blocks and flags, as they were known at a moment."""
    from trading_system.charts.theme import THEMES
    from trading_system.research.chart_file import draw_chart, source_of_file, source_of_run
    from trading_system.research.history_bounds import bound_ms
    from trading_system.spoken import look_in

    if (candles is None) == (store is None):
        _refuse("expected either --candles FILE or --store FOLDER")
    settings = _settings(set_, lang=lang)
    if candles is not None:
        source = source_of_file(candles, symbol)
    else:
        source = source_of_run(store or Path(), symbol, settings)
        interval = interval or settings.signal_interval
    path = out or Path(f"{symbol}.png")
    moment = None if at is None else bound_ms(at, "--at")
    look = look_in(settings.language, THEMES["light" if light else "dark"])
    draw_chart(source, path, settings, interval=interval, at=moment, look=look)
    _say(_speech(settings).say("note.chart", file=path))


@app.command()
def exchange(
    replay: Annotated[
        list[Path],
        typer.Option("--replay", metavar="FILE", help="1m candles (CSV, CSV.gz, zip, Parquet, Feather); repeatable"),
    ],
    symbol: Symbols = [],  # noqa: B006
    port: Annotated[int, typer.Option(help="port on 127.0.0.1; 0 takes a free one", min=0, max=65_535)] = 0,
    set_: Sets = None,
    signal_interval: SignalInterval = None,
    instrument: InstrumentFile = None,
    from_: From = None,
    to: To = None,
    faults: Faults = None,
) -> None:
    """Serve a simulated Binance USDT-M exchange whose market is the given candles; it moves when it is told to."""
    import asyncio

    from trading_system.simulated_run import serve_exchange

    settings = _settings(set_, signal_interval)
    inputs = _inputs(replay, symbol, settings, instrument, _bounds(from_, to))
    asyncio.run(serve_exchange(inputs, settings, port, _faults(faults), typer.echo))


for reader in (
    read_commands.status,
    read_commands.positions,
    read_commands.signals,
    read_commands.trades,
    read_commands.why,
):
    app.command()(reader)
app.add_typer(setup_commands.config, name="config")
app.command()(setup_commands.doctor)
app.command()(setup_commands.init)


def main() -> None:
    """Run the command line: known errors are one sentence, an interruption is one line."""
    from trading_system.known_errors import is_known, sentence_of

    try:
        # Not standalone, so that errors come here; an exit code, also that of Ctrl-C, then comes back as a value.
        code = app(_config_first(sys.argv[1:]), standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if type(error).__module__.startswith("click") or type(error).__module__.startswith("typer"):
            # No command at all: click's words are the whole help.
            helps = type(error).__name__ == "NoArgsIsHelpError"
            _say(_usage(error) if helps else f"error: {_usage(error)}")
            sys.exit(WRONG_INPUT)
        from trading_system.redaction import PROCESS

        if not is_known(error):
            sys.excepthook = PROCESS.last_words
            raise
        _say(PROCESS(f"error: {sentence_of(error)}"))
        sys.exit(WRONG_INPUT)
    if code == INTERRUPTED:
        _say("interrupted; what was not finished leaves no summary, start it again")
    sys.exit(code if isinstance(code, int) else 0)


def _config_first(words: list[str]) -> list[str]:
    """Let ``--config FILE`` stand behind the command too, where people write it."""
    for n, word in enumerate(words):
        if word == "--config" and n + 1 < len(words):
            return [word, words[n + 1], *words[:n], *words[n + 2 :]]
        if word.startswith("--config="):
            return [word, *words[:n], *words[n + 1 :]]
    return words


def _usage(error: Exception) -> str:
    shown: Callable[[], str] | None = getattr(error, "format_message", None)
    return shown() if shown is not None else str(error)


def _settings(overrides: list[str] | None, signal_interval: str | None = None, lang: str | None = None) -> "Settings":
    from trading_system.redaction import PROCESS
    from trading_system.settings import secret_keys, settings_with

    file = setup_commands.config_file.get()
    settings = settings_with(overrides or [], file, signal_interval=signal_interval, language=lang)
    PROCESS.hide(getattr(settings, key) for key in secret_keys())
    return settings


def _speech(settings: "Settings") -> "Speech":
    from trading_system.terminal_words import terminal_in

    return terminal_in(settings.language)


def _bounds(from_: str | None, to: str | None) -> Bounds:
    from trading_system.research.history_bounds import bound_ms

    return None if from_ is None else bound_ms(from_, "--from"), None if to is None else bound_ms(to, "--to")


def _inputs(
    files: list[Path], symbols: list[str], settings: "Settings", instrument: Path | None, bounds: Bounds
) -> Any:
    from trading_system.research.candle_inputs import read_inputs

    inputs = read_inputs(files, symbols, settings, instrument, first=bounds[0], last=bounds[1])
    speech = _speech(settings)
    for name, dropped in inputs.dropped.items():
        if dropped:
            _say(speech.counted("note.dropped", dropped, symbol=name))
    for name, gaps in inputs.gaps.items():
        if gaps:
            missing = speech.counted("note.gaps.missing", sum(gap.missing for gap in gaps))
            places = speech.counted("note.gaps.places", len(gaps))
            _say(speech.say("note.gaps", symbol=name, missing=missing, gaps=places))
    return inputs


def _faults(path: Path | None) -> Any:
    from trading_system.simulator.faults import FaultScript, read_faults

    return FaultScript(read_faults(path)) if path is not None else None


def _refuse_kills_unless(simulated: bool) -> None:
    from trading_system.services.execution_engine.points import KILL_AT

    if KILL_AT in os.environ and not simulated:
        _refuse(f"{KILL_AT}: expected it unset, as only `run --simulator` may be told to die; unset it")


def _watcher() -> Any:
    from trading_system.services.execution_engine.points import KILL_AT, killer, unwatched

    wish = os.environ.get(KILL_AT)
    return unwatched if wish is None else killer(wish)


def _new_folder(settings: "Settings", *words: str) -> Path:
    from datetime import UTC, datetime

    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    return settings.data_folder / "runs" / "-".join([now, *words])


def _print(summary: dict[str, Any], folder: Path, settings: "Settings", as_json: bool) -> None:
    from trading_system.console import print_json, print_summary

    if as_json:
        print_json({**summary, "folder": str(folder)})
    else:
        print_summary(summary, folder, _speech(settings))


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)


def _refuse(sentence: str) -> None:
    _say(f"error: {sentence}")
    raise typer.Exit(WRONG_INPUT)


if __name__ == "__main__":
    main()
