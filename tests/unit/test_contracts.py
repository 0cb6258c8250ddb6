from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_messages import AT, MESSAGES, PLACE, SEED_CANDLE

from trading_system import contracts
from trading_system.contracts import ContractError, deserialize, from_ms, serialize, to_candle, to_ms, to_step

HOUSE = Path(__file__).parents[2]
READERS = sorted(MESSAGES)


def read(name: str, message: object) -> Any:
    return getattr(contracts, name)(message)


def refusal(name: str, message: object) -> ContractError:
    with pytest.raises(ContractError) as caught:
        read(name, message)
    return caught.value


@pytest.fixture(params=["Africa/Cairo", "America/New_York", "UTC"])
def local_zone(request: pytest.FixtureRequest) -> Iterator[str]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize("name", READERS)
def test_every_message_comes_back_equal_from_bytes_text_and_dictionary(name: str) -> None:
    message = MESSAGES[name]
    payload = serialize(message)
    assert read(name, payload) == message
    assert read(name, payload.decode()) == message
    assert read(name, deserialize(payload)) == message
    assert read(name, message) == message


@pytest.mark.parametrize("name", READERS)
def test_serializing_and_reading_leave_the_message_as_it_was(name: str) -> None:
    message = MESSAGES[name]
    before = repr(message)
    serialize(message)
    read(name, message)
    assert repr(message) == before


@pytest.mark.parametrize("name", READERS)
def test_a_missing_required_field_is_named(name: str) -> None:
    required = get_type_hints(_type_of(name)).keys() & _type_of(name).__required_keys__
    assert required
    for field in required:
        message = {key: value for key, value in MESSAGES[name].items() if key != field}
        for form in (message, serialize(message)):
            error = refusal(name, form)
            assert (error.field, error.was) == (field, "missing")


@pytest.mark.parametrize("name", READERS)
def test_a_field_of_the_wrong_type_and_a_null_are_named_with_what_came(name: str) -> None:
    for field in MESSAGES[name]:
        for wrong, was in ((None, "None"), ({"x": []}, "{'x': []}")):
            message = MESSAGES[name] | {field: wrong}
            for form in (message, serialize(message)):
                error = refusal(name, form)
                assert error.field.startswith(field)
                assert error.expected
                assert error.was in {was, "[]"}


@pytest.mark.parametrize("name", READERS)
def test_numbers_are_never_read_from_texts_or_truth_values(name: str) -> None:
    for field, value in MESSAGES[name].items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            for wrong in ("1.5", True):
                assert refusal(name, MESSAGES[name] | {field: wrong}).field == field


@pytest.mark.parametrize("name", READERS)
def test_unknown_fields_are_ignored_at_every_depth(name: str) -> None:
    message = MESSAGES[name] | {"unknown": {"deep": [1, None, {"x": "y"}]}}
    assert read(name, serialize(message)) == MESSAGES[name]
    assert read(name, message) == MESSAGES[name]


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_neither_written_nor_read(name: str, wrong: float) -> None:
    for field, value in MESSAGES[name].items():
        if isinstance(value, float):
            message = MESSAGES[name] | {field: wrong}
            assert refusal(name, message).field == field
            with pytest.raises(ContractError) as caught:
                serialize(message)
            assert (caught.value.field, caught.value.expected, caught.value.was) == (
                field,
                "a finite number",
                str(wrong),
            )
            with pytest.raises(ContractError):
                read(name, json.dumps(message, default=str))


def test_a_seed_candle_is_valid_and_its_time_is_written_in_utc() -> None:
    payload = serialize(SEED_CANDLE)
    assert json.loads(payload)["open_time"] == "2024-05-01T12:00:00Z"
    assert to_candle(deserialize(payload)) == SEED_CANDLE


def test_a_naive_datetime_means_local_time(local_zone: str) -> None:
    naive = datetime(2024, 5, 1, 12, 0)  # noqa: DTZ001
    candle = SEED_CANDLE | {"open_time": naive}
    instant = naive.astimezone(UTC)
    assert to_candle(deserialize(serialize(candle)))["open_time"] == instant
    read_back = to_candle(candle)["open_time"]
    assert (read_back, read_back.tzinfo) == (instant, UTC)
    assert to_ms(naive) == to_ms(instant)


def test_a_time_is_written_with_the_digits_that_it_needs_and_never_loses_any() -> None:
    for microsecond, text in ((0, "12:00:00Z"), (123_000, "12:00:00.123Z"), (123_456, "12:00:00.123456Z")):
        candle = SEED_CANDLE | {"open_time": AT.replace(microsecond=microsecond)}
        payload = serialize(candle)
        assert json.loads(payload)["open_time"] == f"2024-05-01T{text}"
        assert to_candle(payload) == candle


def test_other_zones_are_written_and_read_as_utc() -> None:
    east = timezone(timedelta(hours=3))
    candle = SEED_CANDLE | {"open_time": AT.astimezone(east)}
    assert json.loads(serialize(candle))["open_time"] == "2024-05-01T12:00:00Z"
    for form in (candle, json.dumps(SEED_CANDLE | {"open_time": "2024-05-01T15:00:00+03:00"})):
        assert to_candle(form)["open_time"].isoformat() == "2024-05-01T12:00:00+00:00"


@pytest.mark.parametrize("text", ["2024-05-01T12:00:00", "2024-05-01", "yesterday", "", "1714564800000"])
def test_a_text_without_zone_is_no_time(text: str) -> None:
    for form in (SEED_CANDLE | {"open_time": text}, json.dumps(SEED_CANDLE | {"open_time": text})):
        error = refusal("to_candle", form)
        assert (error.field, error.was) == ("open_time", repr(text))
        assert "RFC 3339" in error.expected


def test_a_time_that_no_calendar_holds_is_refused() -> None:
    edge = datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))
    with pytest.raises(ContractError, match="calendar") as caught:
        serialize(SEED_CANDLE | {"open_time": edge})
    assert caught.value.field == "open_time"
    assert "calendar" in str(refusal("to_candle", SEED_CANDLE | {"open_time": edge}))
    assert "calendar" in str(refusal("to_fill", MESSAGES["to_fill"] | {"time": edge}))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"high": 98.0}, "high"),
        ({"open": 101.5}, "open"),
        ({"open": 98.0}, "open"),
        ({"close": 101.5}, "close"),
        ({"close": 98.0}, "close"),
        ({"low": -1.0}, "low"),
        ({"volume": -0.5}, "volume"),
        ({"symbol": ""}, "symbol"),
        ({"symbol": "BTC USDT"}, "symbol"),
        ({"symbol": "BTC\n"}, "symbol"),
    ],
)
def test_a_crossed_negative_or_nameless_candle_is_refused_alone_and_inside_a_step(
    changes: dict[str, Any], field: str
) -> None:
    candle = MESSAGES["to_candle"] | changes
    step = MESSAGES["to_step"] | {"candles": [MESSAGES["to_candle"], candle]}
    for form in (lambda message: message, serialize):
        assert refusal("to_candle", form(candle)).field == field
        assert refusal("to_step", form(step)).field == f"candles[1].{field}"


def test_a_field_inside_a_list_is_named_with_its_place() -> None:
    signal = MESSAGES["to_signal"]
    for wrong, was in ((-1.0, "-1.0"), ("102", "'102'")):
        targets = [signal["take_profits"][0], {"price": wrong, "weight": 0.5}]
        for form in (lambda message: message, serialize):
            error = refusal("to_signal", form(signal | {"take_profits": targets}))
            assert (error.subject, error.field, error.was) == ("TradeSignalDTO", "take_profits[1].price", was)
            assert str(error).startswith(f"TradeSignalDTO.take_profits[1].price: expected {error.expected}, was {was}")


def test_a_word_outside_its_closed_set_is_answered_with_the_set() -> None:
    error = refusal("to_signal", serialize(MESSAGES["to_signal"] | {"side": "LONG"}))
    assert (error.field, error.expected, error.was) == ("side", "long or short", "'LONG'")
    error = refusal("to_step", MESSAGES["to_step"] | {"events": [MESSAGES["to_event"] | {"direction": 0}]})
    assert (error.field, error.expected, error.was) == ("events[0].direction", "-1 or 1", "0")


def test_a_wrong_number_among_named_values_is_named() -> None:
    for wrong in (math.nan, math.inf, None, [1.0], True):
        message = MESSAGES["to_event"] | {"values": {"close": 1.0, "atr": wrong}}
        assert refusal("to_event", message).field == "values.atr"


def test_a_block_upside_down_is_refused() -> None:
    error = refusal("to_order_block", serialize(MESSAGES["to_order_block"] | {"top": 100.0}))
    assert (error.field, error.was) == ("top", "100.0")


def test_only_a_gap_comes_without_candles() -> None:
    gap = {**PLACE, "step": 5, "candles": [], "gap": True}
    assert to_step(serialize(gap)) == gap
    assert refusal("to_step", gap | {"gap": False}).field == "candles"
    # The minute has no prices, yet a longer candle can end in it.
    assert to_step(gap | {"candles": [SEED_CANDLE]})["gap"] is True


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "nonsense",
        "[1]",
        "5",
        "null",
        "{} {}",
        '{"a":NaN}',
        '{"a":Infinity}',
        "[" * 100_000,
        '{"a":' * 100_000,
        b"\xff\xfe",
        b'{"a":"\xff"}',
        "\ud800",
        b" " * (4 * 1024 * 1024 + 1),
    ],
    ids=lambda payload: repr(payload[:12]),
)
def test_what_is_no_json_object_of_reasonable_size_is_refused_quickly(payload: bytes | str) -> None:
    with pytest.raises(ContractError):
        deserialize(payload)
    for name in READERS:
        refusal(name, payload)


def test_a_number_too_large_for_a_float_is_named() -> None:
    payload = serialize(MESSAGES["to_candle"]).replace(b"101.0", b"1e999")
    error = refusal("to_candle", payload)
    assert (error.field, error.expected) == ("high", "a finite number")


@pytest.mark.parametrize("value", [b"x", {1}, object(), 1j, "\ud800"])
def test_what_json_has_no_word_for_is_not_written(value: object) -> None:
    with pytest.raises(ContractError):
        serialize({"a": [value]})


def test_a_message_that_holds_itself_is_not_written() -> None:
    ring: list[object] = []
    ring.append(ring)
    with pytest.raises(ContractError):
        serialize({"a": ring})


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_contract_error(payload: bytes) -> None:
    for name in READERS:
        with pytest.raises(ContractError):
            read(name, payload)


PRICES = st.floats(min_value=0, max_value=1e300)


@given(st.tuples(PRICES, PRICES, PRICES, PRICES), st.integers(0, 4_000_000_000_000), PRICES)
def test_any_sound_candle_comes_back_to_the_last_digit(
    prices: tuple[float, float, float, float], ms: int, volume: float
) -> None:
    low, *between, high = sorted(prices)
    candle = {
        "symbol": "币安人生USDT",
        "open_time": from_ms(ms),
        "open": between[0],
        "high": high,
        "low": low,
        "close": between[1],
        "volume": volume,
    }
    assert to_candle(deserialize(serialize(candle))) == candle
    assert to_candle(serialize(candle)) == candle


@given(st.integers(-62_000_000_000_000, 250_000_000_000_000))
def test_milliseconds_and_datetimes_are_the_same_instant(ms: int) -> None:
    assert to_ms(from_ms(ms)) == ms
    assert to_ms(from_ms(ms) + timedelta(microseconds=999)) == ms


def test_channels_are_named_as_the_seed_names_them() -> None:
    named = {
        contracts.candle_close_channel: "BTCUSDT_Close_Candle",
        contracts.hl_updated_channel: "BTCUSDT_HL_Updated",
        contracts.trade_signal_channel: "BTCUSDT_Trade_Signal",
        contracts.strategy_step_channel: "BTCUSDT_Strategy_Step",
        contracts.order_updated_channel: "BTCUSDT_Order_Updated",
        contracts.position_updated_channel: "BTCUSDT_Position_Updated",
        contracts.signal_rejected_channel: "BTCUSDT_Signal_Rejected",
        contracts.real_time_channel: "BTCUSDT_RealTime",
        contracts.last_candle_key: "BTCUSDT_Last_Candle",
        contracts.last_hl_key: "BTCUSDT_Last_HL",
        contracts.position_key: "BTCUSDT_Position",
    }
    assert {name: name("BTCUSDT") for name in named} == named
    assert contracts.nearest_order_block_key("BTCUSDT", "long") == "BTCUSDT_Nearest_Order_Block_Long"
    assert contracts.nearest_order_block_key("BTCUSDT", "short") == "BTCUSDT_Nearest_Order_Block_Short"
    assert contracts.health_key("data_feed") == "Health:data_feed"
    assert (contracts.SYSTEM_HEALTH, contracts.SYSTEM_ALERT, contracts.SYSTEM_COMMAND, contracts.ACCOUNT_KEY) == (
        "System_Health",
        "System_Alert",
        "System_Command",
        "Account",
    )
    assert contracts.candle_close_channel("币安人生USDT") == "币安人生USDT_Close_Candle"


@pytest.mark.parametrize("symbol", ["", " ", "BTC USDT", "BTC\tUSDT", "BTC\n", "BTC\u00a0", "BTC\x00", None, 5])
def test_a_channel_needs_a_printable_symbol_without_white_space(symbol: Any) -> None:
    makers: list[Callable[[str], str]] = [contracts.candle_close_channel, contracts.position_key, contracts.health_key]
    for channel in makers:
        with pytest.raises(ContractError, match="printable name without white space"):
            channel(symbol)


def test_the_package_also_works_under_its_short_name_from_inside_its_folder() -> None:
    code = (
        "from contracts import CandleDTO, TradeSignalDTO, OrderDTO, HighLowDTO\n"
        "from contracts import candle_close_channel, hl_updated_channel, trade_signal_channel\n"
        "from contracts import serialize, deserialize, to_signal, to_candle\n"
        "from datetime import datetime\n"
        "candle = CandleDTO(symbol='B', open_time=datetime.now(), open=1.0, high=2.0, low=1.0, close=1.5)\n"
        "back = to_candle(deserialize(serialize(candle)))\n"
        "assert back['open_time'].timestamp() == candle['open_time'].timestamp()\n"
        "print(candle_close_channel('BTCUSDT'))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=HOUSE / "trading_system", capture_output=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"BTCUSDT_Close_Candle\n", b"")


TYPED_USE = """
from typing import assert_type
from trading_system.contracts import CandleDTO, StepDTO, TradeSignalDTO, candle_close_channel, deserialize, serialize
from trading_system.contracts import to_candle, to_signal, to_step

def use(candle: CandleDTO, payload: bytes) -> None:
    assert_type(serialize(candle), bytes)
    assert_type(to_candle(deserialize(payload)), CandleDTO)
    assert_type(to_step(payload), StepDTO)
    assert_type(to_signal(payload), TradeSignalDTO)
    assert_type(to_candle(payload)["open"], float)
    assert_type(to_signal(payload)["take_profits"][0]["price"], float)
    assert_type(candle_close_channel(candle["symbol"]), str)
    to_candle(payload)["opened"]  # type: ignore[typeddict-item]
    to_candle(5)  # type: ignore[arg-type]
"""


@pytest.mark.slow
def test_the_public_names_have_the_types_that_they_promise(tmp_path: Path) -> None:
    (tmp_path / "use.py").write_text(TYPED_USE)
    command = [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", "--config-file", os.devnull]
    environment = {**os.environ, "MYPYPATH": str(HOUSE)}
    ran = subprocess.run(
        [*command, "--cache-dir", str(tmp_path / "cache"), str(tmp_path / "use.py")],
        capture_output=True,
        check=False,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_word_has_a_reader_and_every_public_name_exists() -> None:
    words = {name for name in contracts.__all__ if name.endswith("DTO")} - {"TakeProfitDTO"}
    assert {_type_of(name).__name__ for name in READERS} == words
    assert all(hasattr(contracts, name) for name in contracts.__all__)
    assert contracts.__all__ == sorted(
        contracts.__all__, key=lambda name: (name.upper() != name, name.lower() == name, name)
    )


def _type_of(name: str) -> Any:
    return get_type_hints(getattr(contracts, name))["return"]
