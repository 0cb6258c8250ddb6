"""Every setting of the house with its default, in one place, and where a value may come from.

Defaults < ``.env`` < environment (``TRADING_*``; the seed's ``BUS_URL`` and ``DATABASE_URL`` unprefixed) < ``--set``.
A value that cannot be is refused when the settings are made, in one sentence.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSourceError

from trading_system.rules.intervals import INTERVALS

Interval = str
DETECTION_GROUPS = ("swings", "blocks", "flags")


class SettingsError(ValueError):
    """A setting that is unknown or cannot have the value given."""


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


class Settings(BaseSettings):
    """All settings of one run, frozen."""

    model_config = SettingsConfigDict(
        env_prefix="TRADING_",
        env_nested_delimiter="__",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    exchange: Literal["binance_usdm"] = Field(default="binance_usdm", description="the venue of the line")
    signal_interval: Interval = Field(default="15m", description="candles on which setups are looked for")
    higher_interval: Interval = Field(default="4h", description="candles whose trend filters signals; empty = none")
    language: Literal["en", "ar"] = Field(default="en", description="what alerts, pictures, reports and notes are in")
    data_folder: Path = Field(default=Path("data"), description="where runs and stores lie")
    bus_url: str = Field(default="memory://", validation_alias="BUS_URL", description="the doorbell")
    database_url: str = Field(
        default="", validation_alias="DATABASE_URL", description="the letterbox; empty: in the run's folder"
    )
    account: AccountSettings = AccountSettings()
    venue: VenueSettings = VenueSettings()
    plans: PlanSettings = PlanSettings()
    detection: dict[str, float | int | str] = Field(default_factory=dict, description="swings.*, blocks.*, flags.*")


def settings_with(overrides: Sequence[str] = (), **values: Any) -> Settings:
    """Return the settings of a run; ``overrides`` are the ``key=value`` texts of ``--set``.

    A key is ``group.name`` or, where only one group has the name, the bare name.
    Raises: SettingsError naming the key, what was expected and what was given.
    """
    nested: dict[str, Any] = {key: value for key, value in values.items() if value is not None}
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals:
            raise SettingsError(f"--set {text}: expected key=value, was a key without a value")
        _put(nested, key.strip(), value.strip())
    try:
        settings = Settings(**nested)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None
    except UnreadableSourceError as error:  # a group or a list in the environment or in .env is JSON
        raise SettingsError(
            f"{error}: expected JSON such as [1.0, 2.0], was something else; correct the value"
        ) from None
    for name in ("signal_interval", "higher_interval"):
        interval = getattr(settings, name)
        if interval not in INTERVALS and not (name == "higher_interval" and not interval):
            raise SettingsError(f"{name}: expected one of {' '.join(INTERVALS)}, was {interval!r}")
    return settings


def setting_keys() -> Mapping[str, tuple[Any, str]]:
    """Return every key of ``--set`` with its default and its meaning."""
    keys: dict[str, tuple[Any, str]] = {}
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, BaseModel):
            for inner, inner_field in type(field.default).model_fields.items():
                keys[f"{name}.{inner}"] = (inner_field.default, inner_field.description or "")
        elif name != "detection":
            keys[name] = (field.default, field.description or "")
    return keys


def _put(nested: dict[str, Any], key: str, value: str) -> None:
    group = key.partition(".")[0]
    if group in DETECTION_GROUPS:
        nested.setdefault("detection", {})[key] = _number_or_text(value)
        return
    known = setting_keys()
    matches = [name for name in known if name == key or name.partition(".")[2] == key]
    if len(matches) != 1:
        raise SettingsError(f"--set {key}: no such setting{_hint(key)}")
    group, _, name = matches[0].partition(".")
    listed: Any = [part.strip() for part in value.split(",")] if _is_list(known[matches[0]][0]) else value
    if name:
        nested.setdefault(group, {})[name] = listed
    else:
        nested[_alias(group)] = listed


def _hint(key: str) -> str:
    known = setting_keys()
    close = difflib.get_close_matches(key, [*known, *(name.partition(".")[2] for name in known)], n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _alias(name: str) -> str:
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else name


def _is_list(default: object) -> bool:
    return isinstance(default, tuple)


def _number_or_text(value: str) -> float | int | str:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{where}: no such setting{_hint(where)}"
    wanted = first["msg"].removeprefix("Input should be ")
    return f"{where}: expected {wanted[0].lower()}{wanted[1:]}, was {first['input']!r}"
