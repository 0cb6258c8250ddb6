"""Every setting of the house with its default, in one place. How the files are read is for ``setting_sources``, and
which source wins for ``settings_with`` below: defaults < ``trading.toml`` < ``.env`` < environment < ``--set``.

A value that cannot be is refused when the settings are made, in one sentence with its place.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    field_validator,
)

from trading_system.rules.interval_table import INTERVALS
from trading_system.rules.parameters import ParameterError, checked_value
from trading_system.rules.parameters import defaults as detection_defaults
from trading_system.rules.symbols import SymbolError, selection_of
from trading_system.secret import Secret
from trading_system.setting_sources import (
    DOTENV_FILE,
    TOML_FILE,
    Given,
    SettingsError,
    dotenv_values,
    environment_values,
    toml_values,
)

__all__ = ["Loaded", "Settings", "SettingsError", "load", "setting_keys", "settings_with"]

Interval = str
DETECTION_GROUPS = ("swings", "blocks", "flags")
PREFIX, BETWEEN = "TRADING_", "__"
CONFIG_VARIABLE = "TRADING_CONFIG"
# Names with the prefix that are no settings: where the settings lie, where tests find real data, where a test kills.
NO_SETTINGS = (CONFIG_VARIABLE, "TRADING_SHARED", "TRADING_KILL_AT")
OPTIONS_OF_OTHER_NAME = {"--venue": "exchange"}  # an exchange that is served, not traded at
FILE_SUFFIX = "_FILE"  # a secret may lie in a file of its own, as containers hand secrets over


def _secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, str):
        return Secret(value)
    raise ValueError("expected a text")


SecretText = Annotated[
    Secret, PlainValidator(_secret), PlainSerializer(str, return_type=str), WithJsonSchema({"type": "string"})
]


class AccountSettings(BaseModel):
    """The account that a run starts with, and its limits; every ``_pct`` is in per cent of equity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    equity: float = Field(default=10_000.0, gt=0, description="starting equity in quote currency")
    risk_pct: float = Field(default=1.0, gt=0, le=100, description="risk of one trade, fees included")
    leverage: float = Field(default=5.0, ge=1, le=125, multiple_of=1, description="leverage of the isolated margin")
    max_positions: int = Field(default=3, ge=1, description="trades at one time; a waiting entry counts")
    open_risk_pct: float = Field(default=3.0, gt=0, description="open risk of all trades together")
    day_loss_pct: float = Field(default=3.0, gt=0, description="loss of one UTC day that ends its entries")
    drawdown_pct: float = Field(default=15.0, gt=0, description="fall from the peak that ends entries until `resume`")


class VenueSettings(BaseModel):
    """What an instrument that says nothing is taken to be, and how unkind fills are."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    taker_fee: float = Field(default=0.0005, ge=0, lt=1, description="taker fee as a fraction of the notional")
    maker_fee: float = Field(default=0.0002, ge=0, lt=1, description="maker fee as a fraction of the notional")
    maintenance_margin: float = Field(default=0.004, ge=0, lt=1, description="maintenance margin, a fraction")
    min_notional: float = Field(default=5.0, ge=0, description="smallest notional of an entry in quote currency")
    slippage_ticks: int = Field(default=1, ge=0, description="ticks against us on every taker fill")
    limit_fill: Literal["through", "touch"] = Field(default="through", description="when a resting limit is filled")
    walk: Literal["unkind", "nearest"] = Field(default="unkind", description="which extreme of a minute comes first")


PROXIES = frozenset({"http", "socks5", "socks5h"})


class MarketSettings(BaseModel):
    """Where a live market is heard, and how old a signal may be when it is acted on."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rest: str = Field(default="", description="public REST of the venue, without a path; empty: its own host")
    stream: str = Field(default="", description="its market streams, without a path; empty: its own host")
    archive: str = Field(default="", description="its archive of candle files, without a path; empty: its own host")
    signal_max_age: float = Field(default=60.0, ge=0, description="seconds after which a signal is stale; 0 = never")
    await_symbol: int = Field(default=10, ge=0, description="minutes that all wait for one symbol's; 0 = for ever")
    conductor: str = Field(
        default="", description="a simulated exchange to trade on in lockstep, as `trading-system exchange` prints it"
    )


class MonitoringSettings(BaseModel):
    """How the line is watched, and where its metrics are served."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    port: int = Field(default=0, ge=0, le=65_535, description="port of `/metrics` and `/healthz`; 0 = not served")
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="address to serve on; anyone who reaches it can read the account's numbers",
    )
    heartbeat: float = Field(default=5.0, gt=0, description="seconds between the heartbeats of a service")
    silent: float = Field(default=20.0, gt=0, description="seconds without a heartbeat that are an alert")
    behind: int = Field(default=5, ge=1, description="minutes behind the feed that are an alert")
    stuck: float = Field(default=60.0, gt=0, description="seconds without progress that fail a health check")
    feed_silent: float = Field(default=150.0, gt=0, description="seconds without a closed minute that are an alert")
    unprotected: float = Field(default=10.0, ge=0, description="seconds of a position without a stop that are an alert")
    unknown: float = Field(default=30.0, ge=0, description="seconds of an order without an answer that are an alert")
    disk_free_mb: float = Field(default=500.0, ge=0, description="megabytes left on the disk that are an alert")
    clock_off: float = Field(default=1.0, gt=0, description="seconds by which a wrong clock is an alert")


class PlanSettings(BaseModel):
    """How signals become plans."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    setups: tuple[Literal["order_block", "flag"], ...] = Field(
        default=("order_block", "flag"), description="what trades"
    )
    warm_up: int = Field(default=500, ge=1, description="signal candles that make events but no signals")
    trend: Literal["off", "with", "not_against"] = Field(default="not_against", description="higher interval's say")
    ttl: int = Field(default=20, ge=1, description="signal candles that an entry waits")
    min_rr: float = Field(default=1.0, ge=0, description="least weighted reward to loss, net of fees")
    entry_at: float = Field(default=0.0, ge=0, le=1, description="depth of a block's entry: 0 near edge, 1 far edge")
    stop_atr: float = Field(default=0.1, ge=0, description="ATR between the pattern and the stop")
    block_multiples: tuple[float, ...] = Field(default=(1.0, 2.0, 3.0), description="targets of a block in R")
    block_weights: tuple[float, ...] = Field(default=(50.0, 30.0, 20.0), description="shares of a block's targets")
    flag_targets: tuple[float, ...] = Field(default=(0.5, 1.0), description="targets of a flag in poles")
    flag_time_stop: int = Field(default=4, ge=0, description="time stop of a flag in widths; 0 = none")


class TelegramSettings(BaseModel):
    """Who is told on Telegram, once there is a token, and where its server is."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    chats: tuple[str, ...] = Field(
        default=(), description="allowed chats, each NUMBER, NUMBER:ROLE or NUMBER:ROLE:LANGUAGE; owner, trader, viewer"
    )
    pairing: bool = Field(default=True, description="show a code that pairs a chat while none is allowed")
    zone: str = Field(default="UTC", description="time zone whose midnights end the day of a summary, as Asia/Riyadh")
    base_url: str = Field(default="https://api.telegram.org", description="the server of the Bot API, without a path")
    own_server: bool = Field(default=False, description="the base_url is a server of your own; the token goes there")

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone != "UTC" and zone not in available_timezones():
            raise ValueError("expected a time zone such as Asia/Riyadh or UTC")
        return zone


class Settings(BaseModel):
    """All settings of one run, frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    exchange: Literal["binance", "binance_usdm", "bybit", "bybit_linear"] = Field(
        default="binance_usdm", description="whose market it is; binance and bybit are spot: market data, no account"
    )
    symbols: tuple[str, ...] = Field(
        default=(), description='what `run` trades when no --symbol is given; also "top 200 by volume", beside names'
    )
    signal_interval: Interval = Field(default="15m", description="candles on which setups are looked for")
    higher_interval: Interval = Field(default="4h", description="candles whose trend filters signals; empty = none")
    entries: Literal["auto", "advisor"] = Field(
        default="auto", description="who enters: auto = the account itself, advisor = a person takes each signal"
    )
    language: Literal["en", "ar"] = Field(
        default="en", description="language of alerts, pictures, reports and the terminal"
    )
    data_folder: Path = Field(default=Path("data"), description="where runs and stores lie")
    bus_url: str = Field(default="memory://", validation_alias="BUS_URL", description="the doorbell")
    database_url: str = Field(
        default="", validation_alias="DATABASE_URL", description="the letterbox; empty: in the run's folder"
    )
    account: AccountSettings = AccountSettings()
    venue: VenueSettings = VenueSettings()
    plans: PlanSettings = PlanSettings()
    market: MarketSettings = MarketSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    telegram: TelegramSettings = TelegramSettings()
    detection: dict[str, float | int | str] = Field(default_factory=dict, description="swings.*, blocks.*, flags.*")
    api_key: SecretText = Field(
        default=Secret(""), description="key of the exchange account; never allowed to withdraw"
    )
    api_secret: SecretText = Field(default=Secret(""), description="what signs its requests")
    proxy: SecretText = Field(
        default=Secret(""),
        description="way to the venue's market: http://user:password@host:port or socks5://user:password@host:port",
    )
    telegram_token: SecretText = Field(
        default=Secret(""), validation_alias="TELEGRAM_TOKEN", description="the token of your bot"
    )

    @field_validator("proxy")
    @classmethod
    def _address_of_a_proxy(cls, proxy: Secret) -> Secret:
        parts = urlsplit(proxy.reveal())
        if proxy.reveal() and not (parts.scheme in PROXIES and parts.hostname and parts.port):
            raise ValueError("expected http://host:port or socks5://host:port")
        return proxy


class Loaded(NamedTuple):
    """Settings, and for each key that was not left at its default the value as it was written, with its place."""

    settings: Settings
    given: Mapping[str, Given]


def settings_with(overrides: Sequence[str] = (), config: Path | None = None, **values: Any) -> Settings:
    """Return the settings of a run; ``overrides`` are the ``key=value`` texts of ``--set``.

    A key is ``group.name`` or, where only one group has the name, the bare name. config: the settings file; None: what
    ``TRADING_CONFIG`` names, else ``trading.toml`` in the working folder if there is one. values: options of the
    command line with names of their own; None is not given.
    Raises: SettingsError naming place, key, what was expected and what was given.
    """
    return load(overrides, config, **values).settings


def load(overrides: Sequence[str] = (), config: Path | None = None, **values: Any) -> Loaded:
    """Return the settings as ``settings_with`` does, each with its origin. Raises: SettingsError with all problems."""
    given: dict[str, Given] = {}
    problems: list[str] = []
    dotenv = dotenv_values(Path(DOTENV_FILE))
    environment = environment_values(os.environ)
    path = config or next((Path(one.value) for one in [*environment, *dotenv] if one.name == CONFIG_VARIABLE), None)
    if path is not None or Path(TOML_FILE).exists():
        _take(given, problems, toml_values(path or Path(TOML_FILE)), _key_in_toml)
    _take(given, problems, dotenv, _key_of_variable)
    _take(given, problems, environment, _key_of_variable)
    options = [Given(f"--{name.replace('_', '-')}", value, "") for name, value in values.items() if value is not None]
    _take(given, problems, options, _key_of_option)
    _take(given, problems, [_word_of_set(text) for text in overrides], _key_of_set)
    nested: dict[str, Any] = {}
    for key, one in given.items():
        try:
            _put(nested, key, one)
        except SettingsError as error:
            problems.extend(error.problems)
    try:
        settings = Settings(**nested)
    except ValidationError as error:
        problems.extend(_problem(one, given) for one in error.errors())
    if problems:
        raise SettingsError(*problems)
    return Loaded(settings, given)


def setting_keys() -> Mapping[str, tuple[Any, str]]:
    """Return every key outside detection and secrets with its default and its meaning."""
    keys: dict[str, tuple[Any, str]] = {}
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, BaseModel):
            for inner, inner_field in type(field.default).model_fields.items():
                keys[f"{name}.{inner}"] = (inner_field.default, inner_field.description or "")
        elif name != "detection" and not isinstance(field.default, Secret):
            keys[name] = (field.default, field.description or "")
    return keys


def detection_keys() -> Mapping[str, Any]:
    """Return every key of the detectors with its default; ``rules.parameters`` holds what each may be."""
    return {key: value for key, value in detection_defaults().items() if key.partition(".")[0] in DETECTION_GROUPS}


def secret_keys() -> Mapping[str, str]:
    """Return every secret with its meaning; secrets come from the environment, ``.env`` or a file of their own."""
    fields = Settings.model_fields.items()
    return {name: field.description or "" for name, field in fields if isinstance(field.default, Secret)}


def variable_of(key: str) -> str:
    """Return the name of a key in the environment and in ``.env``."""
    field = Settings.model_fields.get(key)
    alias = field.validation_alias if field is not None else None
    return alias if isinstance(alias, str) else PREFIX + key.replace(".", BETWEEN).upper()


def _take(given: dict[str, Given], problems: list[str], found: Iterable[Given], key_of: Any) -> None:
    """Lay the values of one source over those of the sources below it."""
    for one in found:
        try:
            key = key_of(one)
        except SettingsError as error:
            problems.extend(error.problems)
        else:
            if key is not None:
                given[key] = one


def _key_in_toml(one: Given) -> str | None:
    if one.value == {} and one.name in {key.partition(".")[0] for key in _all_keys() if "." in key}:
        return None  # a table in which nothing is set
    if one.name in secret_keys():
        raise SettingsError(
            one.problem(f"expected no secret in this file, was one; write it into .env as {variable_of(one.name)}=...")
        )
    known = _all_keys()
    if one.name not in known:
        raise SettingsError(one.problem(f"no such setting{_hint(one.name, known)}"))
    return one.name


def _key_of_variable(one: Given) -> str | None:
    keys = {variable_of(key): key for key in [*_all_keys(), *secret_keys()]}
    files = {variable_of(key) + FILE_SUFFIX: key for key in secret_keys()}
    name = one.name.upper()
    if name in keys or name in files:
        return keys.get(name) or files[name]
    if name.startswith(PREFIX) and name not in NO_SETTINGS:
        raise SettingsError(one.problem(f"no such setting{_hint(name, [*keys, *files])}"))
    return None


def _key_of_option(one: Given) -> str:
    return OPTIONS_OF_OTHER_NAME.get(one.name, one.name.removeprefix("--").replace("-", "_"))


def _key_of_set(one: Given) -> str:
    if one.name in secret_keys():
        raise SettingsError(
            one.problem(
                f"expected no secret where every process can read it; write it into .env as {variable_of(one.name)}=..."
            )
        )
    known = _all_keys()
    matches = [key for key in known if one.name in (key, key.partition(".")[2])]
    plain = [key for key in matches if key == one.name or key.partition(".")[0] not in DETECTION_GROUPS]
    if len(plain) != 1:
        raise SettingsError(one.problem(f"no such setting{_hint(one.name, [*known, *_bare_names()])}"))
    return plain[0]


def _word_of_set(text: str) -> Given:
    key, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"--set {text}: expected key=value, was a key without a value")
    return Given(key.strip(), value.strip(), "--set")


def _put(nested: dict[str, Any], key: str, one: Given) -> None:
    """Write one value where the model wants it. Raises: SettingsError for what the model would not say well."""
    group, _, name = key.partition(".")
    if group in DETECTION_GROUPS:
        value = _number_or_text(one.value) if isinstance(one.value, str) else one.value
        try:
            checked_value(key, value)
        except (ParameterError, TypeError) as error:
            said = str(error).removeprefix(f"{key}: ") if isinstance(error, ParameterError) else _expected_one(value)
            raise SettingsError(_at_key(key, one).problem(said)) from None
        nested.setdefault("detection", {})[key] = value
        return
    if key in secret_keys():
        nested[key] = _secret_of(one)
        return
    default = setting_keys()[key][0]
    value = one.value
    if isinstance(value, bool) and not isinstance(default, bool):
        raise SettingsError(_at_key(key, one).problem(f"expected a value like {default!r}, was {str(value).lower()}"))
    if isinstance(default, tuple) and isinstance(value, str):
        value = _listed(key, one)
    if key == "symbols" and isinstance(value, list):
        value = _symbols(value, _at_key(key, one))
    if key.endswith("_interval") and value not in INTERVALS and not (key == "higher_interval" and value == ""):
        raise SettingsError(_at_key(key, one).problem(f"expected one of {' '.join(INTERVALS)}, was {value!r}"))
    if name:
        nested.setdefault(group, {})[name] = value
    else:
        nested[key] = value


def _symbols(names: list[Any], one: Given) -> list[str]:
    words = [str(name) for name in names]
    try:
        selection_of(words)
    except SymbolError as error:
        raise SettingsError(one.problem(str(error))) from None
    return words


def _secret_of(one: Given) -> Secret:
    if not one.name.upper().endswith(FILE_SUFFIX):
        return Secret(one.value)
    try:
        return Secret(Path(one.value).read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(one.problem(f"expected a file with the secret, was: {type(error).__name__}")) from None


def _listed(key: str, one: Given) -> list[Any]:
    if not one.value:
        return []
    if not one.value.startswith("["):
        return [part.strip() for part in one.value.split(",")]
    try:
        parts = json.loads(one.value)
    except ValueError:
        raise SettingsError(_at_key(key, one).problem("expected JSON such as [1.0, 2.0], was something else")) from None
    return list(parts)


def _problem(error: Any, given: Mapping[str, Given]) -> str:
    """Return the sentence of one of pydantic's errors, with the place of the value."""
    where = [str(part) for part in error["loc"]]
    names = {variable_of(key): key for key in given}
    key = next((names.get(text, text) for n in (2, 1) if names.get(text := ".".join(where[:n]), text) in given), "")
    one = _at_key(key, given[key]) if key else Given(".".join(where), error["input"], "")
    wanted = error["msg"].removeprefix("Input should be ").removeprefix("Value error, expected ")
    wanted = wanted[0].lower() + wanted[1:]
    return one.problem(f"expected {wanted}, was {error['input']!r}")


def _at_key(key: str, one: Given) -> Given:
    """Name a short or dotted name in full; a variable and an option keep the name by which they were given."""
    return one._replace(name=key) if one.place == "--set" else one


def _expected_one(value: object) -> str:
    return f"expected one value, was {value!r}"


def _all_keys() -> list[str]:
    return [*setting_keys(), *detection_keys()]


def _bare_names() -> list[str]:
    return [key.partition(".")[2] for key in setting_keys() if "." in key]


def _hint(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1) or [key for key in known if key.partition(".")[2] == name][:1]
    return f"; did you mean {close[0]}?" if close else ""


def _number_or_text(value: str) -> float | int | str:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
