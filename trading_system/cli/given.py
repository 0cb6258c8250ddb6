"""What the words of a command line give: settings, the language to speak, bounds of time, candles, a folder, faults."""

from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trading_system.languages.speech import Speech
    from trading_system.settings import Settings

language: ContextVar[str | None] = ContextVar("language", default=None)
"""What ``--lang`` named."""
config_file: ContextVar[Path | None] = ContextVar("config_file", default=None)
"""What ``--config`` named; set anew by each start of the command line."""

Bounds = tuple[int | None, int | None]


def settings_of(
    overrides: list[str] | None,
    signal_interval: str | None = None,
    exchange: str | None = None,
    venue: str | None = None,
) -> "Settings":
    """Return the settings that count, their secrets hidden from now on. Raises: SettingsError.

    exchange, venue: the same setting under the names of two options, by which a refusal calls it.
    """
    from trading_system.redaction import PROCESS, passwords_in
    from trading_system.settings import secret_keys, settings_with

    settings = settings_with(
        overrides or [],
        config_file.get(),
        signal_interval=signal_interval,
        language=language.get(),
        exchange=exchange,
        venue=venue,
    )
    PROCESS.hide(getattr(settings, key) for key in secret_keys())
    PROCESS.hide(passwords_in(settings.bus_url, settings.database_url or ""))
    return settings


def account_settings_of(
    overrides: list[str] | None, signal_interval: str | None = None, exchange: str | None = None
) -> "Settings":
    """Return the settings of who needs an account at the exchange. Raises: SettingsError; NoAccountError."""
    from trading_system.venues.known import venue_of

    settings = settings_of(overrides, signal_interval, exchange)
    venue_of(settings.exchange)
    return settings


def speech_of(settings: "Settings") -> "Speech":
    """Return how the terminal speaks in the language of the settings."""
    from trading_system.terminal_words import terminal_in

    return terminal_in(settings.language)


def bounds_of(from_: str | None, to: str | None) -> Bounds:
    """Return the bounds of ``--from`` and ``--to`` in ms UTC. Raises: BoundError."""
    from trading_system.research.history_bounds import bound_ms

    return None if from_ is None else bound_ms(from_, "--from"), None if to is None else bound_ms(to, "--to")


def candles_of(
    files: list[Path], symbols: list[str], settings: "Settings", instrument: Path | None, bounds: Bounds
) -> Any:
    """Read candle files, and say what of them is dropped or missing. Raises: InputError, HistoryError."""
    from trading_system.research.candle_inputs import read_inputs

    inputs = read_inputs(files, symbols, settings, instrument, first=bounds[0], last=bounds[1])
    _say_what_lacks(inputs, settings)
    return inputs


def fetched_of(symbols: list[str], settings: "Settings", instrument: Path | None, bounds: Bounds) -> Any:
    """Read fetched minutes, and say what of them is missing. Raises: FetchedError, InputError, HistoryError."""
    from trading_system.cli.said import say
    from trading_system.research.fetched.desk import shelf_of
    from trading_system.research.fetched.errors import written
    from trading_system.research.fetched.reading import fetched_market

    market = fetched_market(shelf_of(settings), symbols, settings, instrument, first=bounds[0], until=bounds[1])
    speech = speech_of(settings)
    for name, first in market.begins.items():
        say(speech.say("note.begins", symbol=name, first=written(first)))
    for name in market.other_grid:
        say(speech.say("note.other_grid", symbol=name))
    _say_what_lacks(market.inputs, settings)
    return market.inputs


def _say_what_lacks(inputs: Any, settings: "Settings") -> None:
    from trading_system.cli.said import say

    speech = speech_of(settings)
    for name, dropped in inputs.dropped.items():
        if dropped:
            say(speech.counted("note.dropped", dropped, symbol=name))
    for name, gaps in inputs.gaps.items():
        if gaps:
            missing = speech.counted("note.gaps.missing", sum(gap.missing for gap in gaps))
            places = speech.counted("note.gaps.places", len(gaps))
            say(speech.say("note.gaps", symbol=name, missing=missing, gaps=places))


def faults_of(path: Path | None, inputs: Any, settings: "Settings") -> Any:
    """Read a script of faults for the market of ``inputs`` after its warm-up, if one is named. Raises: FaultError."""
    from trading_system.rules.interval_table import interval_ms
    from trading_system.simulator.fault_file import read_faults
    from trading_system.simulator.faults import FaultScript

    if path is None:
        return None
    first = (inputs.origin + settings.plans.warm_up * interval_ms(settings.signal_interval)) // 60_000 + 1
    last = inputs.origin // 60_000 + inputs.minutes
    return FaultScript(read_faults(path, first, last, [one.symbol for one in inputs.instruments]))


def new_folder(settings: "Settings", *words: str) -> Path:
    """Return the folder of a new run, named by the time and ``words``."""
    from datetime import UTC, datetime

    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    return settings.data_folder / "runs" / "-".join([now, *words])
