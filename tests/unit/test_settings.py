"""Where a setting comes from, which one wins, and the one sentence by which a wrong one is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from trading_system.database import DatabaseUrlError, open_bus
from trading_system.rules.parameters import parameters as detection_parameters
from trading_system.secret import Secret
from trading_system.settings import Settings, SettingsError, load, setting_keys, settings_with


@pytest.fixture(autouse=True)
def bare_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in an empty folder with no setting in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("TRADING_") or name in ("BUS_URL", "DATABASE_URL", "TELEGRAM_TOKEN"):
            monkeypatch.delenv(name)


def dotenv(text: str) -> None:
    Path(".env").write_text(text)
    Path(".env").chmod(0o600)


def toml(text: str, name: str = "trading.toml") -> Path:
    Path(name).write_text(text)
    return Path(name)


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


def test_the_symbols_of_a_service_are_a_list_in_every_source(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_with().symbols == ()
    toml('symbols = ["BTCUSDT", "ETHUSDT"]\n')
    assert settings_with().symbols == ("BTCUSDT", "ETHUSDT")
    monkeypatch.setenv("TRADING_SYMBOLS", "SOLUSDT, BTCUSDT")
    assert settings_with().symbols == ("SOLUSDT", "BTCUSDT")
    assert settings_with(["symbols=XRPUSDT"]).symbols == ("XRPUSDT",)
    monkeypatch.setenv("TRADING_SYMBOLS", "btcusdt")
    assert sentence().startswith("environment TRADING_SYMBOLS: expected a symbol of capital letters")
    monkeypatch.setenv("TRADING_SYMBOLS", "BTCUSDT,BTCUSDT")
    assert sentence() == "environment TRADING_SYMBOLS: expected each symbol once, was BTCUSDT,BTCUSDT"


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
    assert groups == {"account", "venue", "plans", "market", "monitoring", "telegram"}


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
        ("risk_pct=0", "--set account.risk_pct: expected greater than 0, was '0'"),
        (
            "risk_pct=much",
            "--set account.risk_pct: expected a valid number, unable to parse string as a number, was 'much'",
        ),
        ("leverage=126", "--set account.leverage: expected less than or equal to 125, was '126'"),
        ("leverage=2.5", "--set account.leverage: expected a multiple of 1, was '2.5'"),
        ("equity=inf", "--set account.equity: expected a finite number, was 'inf'"),
        ("min_notional=nan", "--set venue.min_notional: expected a finite number, was 'nan'"),
        ("max_positions=1.5", "--set account.max_positions: expected a valid integer"),
        ("walk=kind", "--set venue.walk: expected 'unkind' or 'nearest', was 'kind'"),
        ("setups=triangle", "--set plans.setups: expected 'order_block' or 'flag', was 'triangle'"),
        ("block_multiples=1,x", "--set plans.block_multiples: expected a valid number"),
        (
            "exchange=kraken",
            "--set exchange: expected 'binance', 'binance_usdm', 'bybit' or 'bybit_linear', was 'kraken'",
        ),
        ("signal_interval=7m", "--set signal_interval: expected one of 1m 3m 5m"),
        ("signal_interval=", "--set signal_interval: expected one of 1m 3m 5m"),
        ("higher_interval=1y", "--set higher_interval: expected one of 1m 3m 5m"),
    ],
)
def test_what_cannot_be_is_refused_with_key_expected_and_was(override: str, expected: str) -> None:
    assert sentence(override).startswith(expected)


def test_a_wrong_value_in_the_environment_is_refused_in_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_ACCOUNT__LEVERAGE", "0")
    assert sentence() == "environment TRADING_ACCOUNT__LEVERAGE: expected greater than or equal to 1, was '0'"
    monkeypatch.delenv("TRADING_ACCOUNT__LEVERAGE")
    monkeypatch.setenv("TRADING_ACCOUNT__LEVERGE", "3")
    assert sentence() == (
        "environment TRADING_ACCOUNT__LEVERGE: no such setting; did you mean TRADING_ACCOUNT__LEVERAGE?"
    )


def test_a_list_in_the_environment_is_json_or_has_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_PLANS__SETUPS", '["flag"]')
    assert settings_with().plans.setups == ("flag",)
    monkeypatch.setenv("TRADING_PLANS__SETUPS", "flag, order_block")
    assert settings_with().plans.setups == ("flag", "order_block")
    monkeypatch.setenv("TRADING_PLANS__SETUPS", "[flag")
    assert "expected JSON" in sentence()


def test_a_group_is_set_by_its_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_PLANS", "flag")
    assert sentence().startswith("environment TRADING_PLANS: no such setting; did you mean TRADING_PLANS__")


def test_settings_are_frozen_in_every_group() -> None:
    settings = settings_with()
    for part, name in ((settings, "signal_interval"), (settings.account, "leverage"), (settings.plans, "ttl")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, name, "1m")


def test_keys_of_detection_come_from_every_source(monkeypatch: pytest.MonkeyPatch) -> None:
    toml("[swings]\nleft = 4\nright = 4\n[flags]\ntol = 0.5\n")
    monkeypatch.setenv("TRADING_SWINGS__LEFT", "6")
    settings = settings_with(["swings.right=3", "blocks.zone=body"])
    assert settings.detection == {"swings.left": 6, "swings.right": 3, "flags.tol": 0.5, "blocks.zone": "body"}
    detection_parameters("15m", "15m", None, **settings.detection)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("swings.lef=3", "--set swings.lef: no such setting; did you mean swings.left?"),
        ("swings.left=0", "--set swings.left: expected a number from 1 to 1000, was 0"),
        ("blocks.zone=wick", "--set blocks.zone: expected one of range, body, was 'wick'"),
        ("flags.order=2.5", "--set flags.order: expected a whole number, was 2.5"),
        ("swings.left=", "--set swings.left: expected a number, was ''"),
        ("stage=swings", "--set stage: no such setting"),
    ],
)
def test_a_wrong_key_of_detection_is_refused_with_the_settings(override: str, expected: str) -> None:
    assert sentence(override).startswith(expected)


# --- trading.toml


def test_dotenv_beats_the_file_and_the_file_beats_the_default() -> None:
    toml('signal_interval = "5m"\n\n[account]\nequity = 1000\nleverage = 2\n')
    dotenv("TRADING_ACCOUNT__EQUITY=2000\n")
    settings = settings_with()
    assert (settings.signal_interval, settings.account.equity, settings.account.leverage) == ("5m", 2000.0, 2.0)
    assert settings.account.risk_pct == 1.0


def test_the_file_may_lie_elsewhere_and_the_option_beats_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    toml("[account]\nequity = 1\n")
    toml("[account]\nequity = 2\n", "second.toml")
    toml("[account]\nequity = 3\n", "third.toml")
    assert settings_with().account.equity == 1.0
    monkeypatch.setenv("TRADING_CONFIG", "second.toml")
    assert settings_with().account.equity == 2.0
    assert settings_with(config=Path("third.toml")).account.equity == 3.0
    monkeypatch.setenv("TRADING_CONFIG", "nowhere.toml")
    assert sentence() == (
        "nowhere.toml: expected a settings file, was nothing at this path; `trading-system init` writes one"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# note\n[account]\nleverage = 200\n", "trading.toml:3 account.leverage: expected less than or equal to 125"),
        (
            "[account]\n\nlevrage = 2\n",
            "trading.toml:3 account.levrage: no such setting; did you mean account.leverage?",
        ),
        ("risk_pct = 2\n", "trading.toml:1 risk_pct: no such setting; did you mean account.risk_pct?"),
        ("[acount]\nequity = 2\n", "trading.toml:2 acount.equity: no such setting; did you mean account.equity?"),
        ("account = { leverage = 0 }\n", "trading.toml:1 account.leverage: expected greater than or equal to 1, was 0"),
        ("account.equity = true\n", "trading.toml:1 account.equity: expected a value like 10000.0, was true"),
        ("\nsignal_interval = 15\n", "trading.toml:2 signal_interval: expected one of 1m 3m"),
        ('[plans]\nsetups = ["flag",\n"kite"]\n', "trading.toml:2 plans.setups: expected 'order_block' or 'flag'"),
        ("[swings]\nleft = 0\n", "trading.toml:2 swings.left: expected a number from 1 to 1000, was 0"),
        ("[swings]\nleft = [1]\n", "trading.toml:2 swings.left: expected one value, was [1]"),
        ("[blocks]\nzon = 'body'\n", "trading.toml:2 blocks.zon: no such setting; did you mean blocks.zone?"),
        ("[detection]\nleft = 1\n", "trading.toml:2 detection.left: no such setting"),
        ("a = 1\nb\n", "trading.toml:2: expected TOML such as key = value, was: "),
        ("a = 1\na = 2\n", "trading.toml:2: expected TOML such as key = value, was: "),
        ("equity = [1,\n", "trading.toml:2: expected TOML such as key = value, was: "),
    ],
)
def test_an_error_in_the_file_names_file_line_key_expected_and_was(text: str, expected: str) -> None:
    toml(text)
    assert sentence().startswith(expected)


def test_a_file_that_is_no_text_is_one_sentence() -> None:
    Path("trading.toml").write_bytes(b"# caf\xe9\n")
    assert sentence() == "trading.toml:1: expected text in UTF-8, was another encoding; save it as UTF-8"
    Path("trading.toml").unlink()
    Path("trading.toml").mkdir()
    assert sentence().startswith("trading.toml: expected a settings file, was: ")


def test_every_problem_is_known_and_the_sentence_says_how_many() -> None:
    toml("[account]\nequity = -1\nleverge = 2\n[swings]\nleft = 0\n")
    with pytest.raises(SettingsError) as caught:
        settings_with(["walk=kind"])
    assert len(caught.value.problems) == 4
    assert str(caught.value).endswith(" (3 more: run `trading-system config check`)")


def test_every_key_can_stand_in_the_file_at_its_own_default() -> None:
    for key, (default, _) in setting_keys().items():
        value = list(default) if isinstance(default, tuple) else default if isinstance(default, int | float) else None
        toml(f"{key} = {json.dumps(str(default) if value is None else value)}\n")
        assert settings_with() == Settings(), key


def test_each_value_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    toml("# first\n[account]\nequity = 5\nleverage = 3\n")
    dotenv("\nTRADING_ACCOUNT__LEVERAGE=4\n")
    monkeypatch.setenv("TRADING_VENUE__WALK", "nearest")
    given = load(["ttl=3"], signal_interval="1h").given
    assert {key: one.place or one.name for key, one in given.items()} == {
        "account.equity": "trading.toml:3",
        "account.leverage": ".env:2",
        "venue.walk": "environment",
        "signal_interval": "--signal-interval",
        "plans.ttl": "--set",
    }


# --- .env and secrets


@pytest.mark.parametrize("name", ["TRADING_ACCOUNT__LEVERGE", "TRADING_LEVERAGE", "TRADING_API_KEYS", "TRADING_SETUPS"])
def test_an_unknown_name_with_the_prefix_is_refused_in_dotenv_and_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dotenv(f"# note\n{name}=canary\n")
    text = sentence()
    assert text.startswith(f".env:2 {name}: no such setting; did you mean TRADING_")
    assert "canary" not in text
    dotenv("")
    monkeypatch.setenv(name, "canary")
    assert sentence().startswith(f"environment {name}: no such setting; did you mean TRADING_")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_dotenv_that_others_may_read_is_refused_with_the_command_that_mends_it(mode: int) -> None:
    dotenv("TELEGRAM_TOKEN=canary\n")
    Path(".env").chmod(mode)
    assert sentence() == (
        f".env: expected a file that only its owner can read (mode 600), was mode {mode:o}; run `chmod 600 .env`"
    )


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("BUS_URL=memory://a", "memory://a"),
        ("export BUS_URL = 'memory://b'  # quoted", "memory://b"),
        ('BUS_URL="memory://#c"', "memory://#c"),
        ("BUS_URL=memory://d # a note", "memory://d"),
        ("BUS_URL= # nothing", "memory://"),
    ],
)
def test_a_line_of_dotenv_may_be_written_as_people_write_it(line: str, value: str) -> None:
    dotenv(f"{line}\n")
    assert settings_with().bus_url == value


@pytest.mark.parametrize("line", ["canary", "canary=1 2=3=", "BUS_URL='canary", "=canary"])
def test_a_line_of_dotenv_that_says_nothing_clear_is_refused_without_quoting_it(line: str) -> None:
    dotenv(f"BUS_URL=memory://\n{line}\n")
    if line.startswith("canary="):
        assert settings_with().bus_url == "memory://"  # another program's name
    else:
        text = sentence()
        assert text.startswith(".env:2: expected NAME=value, was ")
        assert "canary" not in text


def test_secrets_come_from_dotenv_environment_or_a_file_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("token").write_text("canary-t\n")
    dotenv("TRADING_API_KEY=canary-k\nTELEGRAM_TOKEN_FILE=token\n")
    monkeypatch.setenv("TRADING_API_SECRET", "canary-s")
    settings = settings_with()
    assert settings.api_key == Secret("canary-k")
    assert settings.api_secret == Secret("canary-s")
    assert settings.telegram_token == Secret("canary-t")
    for text in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert "canary" not in text
        assert "***" in text
    monkeypatch.setenv("TELEGRAM_TOKEN_FILE", "nowhere")
    assert sentence() == "environment TELEGRAM_TOKEN_FILE: expected a file with the secret, was: FileNotFoundError"


def test_a_secret_in_the_wrong_place_is_refused_without_quoting_it() -> None:
    text = sentence("api_key=canary")
    assert text == (
        "--set api_key: expected no secret where every process can read it; write it into .env as TRADING_API_KEY=..."
    )
    toml("telegram_token = 'canary'\n")
    text = sentence()
    assert text.startswith("trading.toml:1 telegram_token: expected no secret in this file")
    assert "canary" not in text


def test_a_bus_that_cannot_be_is_refused_where_it_is_opened() -> None:
    with pytest.raises(DatabaseUrlError, match="BUS_URL: expected memory://"):
        open_bus(Settings(BUS_URL="nonsense").bus_url)
