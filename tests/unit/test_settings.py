"""Where a setting comes from, which one wins, and the one sentence by which a wrong one is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from trading_system.database import DatabaseUrlError, open_bus
from trading_system.rules.parameters import ParameterError
from trading_system.rules.parameters import parameters as detection_parameters
from trading_system.settings import Settings, SettingsError, setting_keys, settings_with


@pytest.fixture(autouse=True)
def bare_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in an empty folder with no setting in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("TRADING_") or name in ("BUS_URL", "DATABASE_URL"):
            monkeypatch.delenv(name)


def dotenv(text: str) -> None:
    Path(".env").write_text(text)


def sentence(*overrides: str, **values: object) -> str:
    with pytest.raises(SettingsError) as caught:
        settings_with(overrides, **values)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_without_any_word_the_defaults_hold() -> None:
    settings = settings_with()
    assert (settings.signal_interval, settings.higher_interval, settings.exchange) == ("15m", "4h", "binance_usdm")
    assert settings.account.model_dump() == {
        "equity": 10_000.0,
        "risk_pct": 1.0,
        "leverage": 5.0,
        "max_positions": 3,
        "open_risk_pct": 3.0,
        "day_loss_pct": 3.0,
        "drawdown_pct": 15.0,
    }


def test_set_beats_the_environment_beats_dotenv_beats_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    dotenv("TRADING_SIGNAL_INTERVAL=5m\nTRADING_HIGHER_INTERVAL=1h\nTRADING_ACCOUNT__EQUITY=1000\n")
    settings = settings_with()
    assert (settings.signal_interval, settings.higher_interval, settings.account.equity) == ("5m", "1h", 1000.0)
    monkeypatch.setenv("TRADING_SIGNAL_INTERVAL", "30m")
    monkeypatch.setenv("TRADING_ACCOUNT__EQUITY", "2000")
    settings = settings_with()
    assert (settings.signal_interval, settings.higher_interval, settings.account.equity) == ("30m", "1h", 2000.0)
    settings = settings_with(["signal_interval=1h", "equity=3000", "higher_interval=1d"])
    assert (settings.signal_interval, settings.higher_interval, settings.account.equity) == ("1h", "1d", 3000.0)


def test_one_value_of_a_group_leaves_the_others_as_the_source_below_says(monkeypatch: pytest.MonkeyPatch) -> None:
    dotenv("TRADING_ACCOUNT__RISK_PCT=0.5\n")
    monkeypatch.setenv("TRADING_ACCOUNT__LEVERAGE", "3")
    account = settings_with(["account.max_positions=1"]).account
    assert (account.risk_pct, account.leverage, account.max_positions, account.equity) == (0.5, 3.0, 1, 10_000.0)


def test_the_seeds_words_have_no_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    dotenv("BUS_URL=memory://\nDATABASE_URL=sqlite:///a.db\n")
    assert settings_with().database_url == "sqlite:///a.db"
    monkeypatch.setenv("DATABASE_URL", "sqlite:///b.db")
    assert settings_with().database_url == "sqlite:///b.db"
    assert settings_with(["database_url=sqlite:///c.db", "bus_url=memory://x"]).bus_url == "memory://x"


def test_an_empty_line_in_dotenv_says_nothing() -> None:
    dotenv("BUS_URL=\nTRADING_SIGNAL_INTERVAL=\nTELEGRAM_TOKEN=\nSOMETHING_ELSE=1\n")
    assert settings_with() == settings_with()
    assert settings_with().bus_url == "memory://"


def test_a_value_of_the_command_line_that_was_not_given_says_nothing() -> None:
    assert settings_with((), signal_interval=None).signal_interval == "15m"
    assert settings_with((), signal_interval="1h").signal_interval == "1h"


def test_every_key_can_be_set_to_its_own_default() -> None:
    for key, (default, meaning) in setting_keys().items():
        assert meaning, key
        text = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
        assert settings_with([f"{key}={text}"]) == settings_with(), key
    groups = {key.partition(".")[0] for key in setting_keys() if "." in key}
    assert groups == {"account", "venue", "plans", "market"}


def test_a_list_is_given_with_commas() -> None:
    plans = settings_with(["block_multiples=1, 2", "plans.block_weights=70,30", "setups=flag"]).plans
    assert (plans.block_multiples, plans.block_weights, plans.setups) == ((1.0, 2.0), (70.0, 30.0), ("flag",))


def test_no_higher_interval_is_an_empty_word() -> None:
    assert settings_with(["higher_interval="]).higher_interval == ""


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("leverge=5", "--set leverge: no such setting; did you mean leverage?"),
        ("account.risk_pc=1", "--set account.risk_pc: no such setting; did you mean account.risk_pct?"),
        ("zzz=1", "--set zzz: no such setting"),
        ("account=1", "--set account: no such setting"),
        ("=1", "--set : no such setting"),
        ("leverage", "--set leverage: expected key=value, was a key without a value"),
        ("risk_pct=0", "account.risk_pct: expected greater than 0, was '0'"),
        ("risk_pct=much", "account.risk_pct: expected a valid number, unable to parse string as a number, was 'much'"),
        ("leverage=126", "account.leverage: expected less than or equal to 125, was '126'"),
        ("leverage=2.5", "account.leverage: expected a multiple of 1, was '2.5'"),
        ("equity=inf", "account.equity: expected a finite number, was 'inf'"),
        ("min_notional=nan", "venue.min_notional: expected a finite number, was 'nan'"),
        ("max_positions=1.5", "account.max_positions: expected a valid integer"),
        ("walk=kind", "venue.walk: expected 'unkind' or 'nearest', was 'kind'"),
        ("setups=triangle", "plans.setups.0: expected 'order_block' or 'flag', was 'triangle'"),
        ("block_multiples=1,x", "plans.block_multiples.1: expected a valid number"),
        ("exchange=kraken", "exchange: expected 'binance_usdm', was 'kraken'"),
        ("signal_interval=7m", "signal_interval: expected one of 1m 3m 5m"),
        ("signal_interval=", "signal_interval: expected one of 1m 3m 5m"),
        ("higher_interval=1y", "higher_interval: expected one of 1m 3m 5m"),
    ],
)
def test_what_cannot_be_is_refused_with_key_expected_and_was(override: str, expected: str) -> None:
    assert sentence(override).startswith(expected)


def test_a_wrong_value_in_the_environment_is_refused_in_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_ACCOUNT__LEVERAGE", "0")
    assert sentence() == "account.leverage: expected greater than or equal to 1, was '0'"
    monkeypatch.delenv("TRADING_ACCOUNT__LEVERAGE")
    monkeypatch.setenv("TRADING_ACCOUNT__LEVERGE", "3")
    assert sentence() == "account.leverge: no such setting; did you mean account.leverage?"


def test_a_list_in_the_environment_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_PLANS__SETUPS", '["flag"]')
    assert settings_with().plans.setups == ("flag",)
    monkeypatch.setenv("TRADING_PLANS__SETUPS", "flag")
    sentence()
    monkeypatch.setenv("TRADING_PLANS", "flag")
    assert "expected JSON" in sentence()


def test_settings_are_frozen_in_every_group() -> None:
    settings = settings_with()
    for part, name in ((settings, "signal_interval"), (settings.account, "leverage"), (settings.plans, "ttl")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, name, "1m")


def test_keys_of_detection_are_kept_as_they_are_and_judged_when_they_are_used() -> None:
    settings = settings_with(["swings.left=3", "blocks.zone=body", "flags.tol=0.5"])
    assert settings.detection == {"swings.left": 3, "blocks.zone": "body", "flags.tol": 0.5}
    detection_parameters("15m", "15m", None, **settings.detection)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("swings.lef=3", "did you mean swings.left"),
        ("swings.left=0", "swings.left: expected a number from 1 to 1000, was 0"),
        ("blocks.zone=wick", "blocks.zone: expected one of range, body, was 'wick'"),
        ("flags.order=2.5", "flags.order: expected a whole number, was 2.5"),
    ],
)
def test_a_wrong_key_of_detection_is_named_when_it_is_used(override: str, expected: str) -> None:
    settings = settings_with([override])
    with pytest.raises(ParameterError, match=expected):
        detection_parameters("15m", "15m", None, **settings.detection)


def test_a_bus_that_cannot_be_is_refused_where_it_is_opened() -> None:
    with pytest.raises(DatabaseUrlError, match="BUS_URL: expected memory://"):
        open_bus(Settings(BUS_URL="nonsense").bus_url)
