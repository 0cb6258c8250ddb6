"""Requests are signed as the venues document it, and the key never shows."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import pickle
from pathlib import Path

import pytest

from trading_system.secret import Secret
from trading_system.venues.binance_usdm.account import BinanceUsdm
from trading_system.venues.binance_usdm.signing import payload_of, signature_of, signed_payload
from trading_system.venues.bybit_linear.account import BybitLinear
from trading_system.venues.bybit_linear.signing import body_of, query_of, signed_headers, stream_signature
from trading_system.venues.errors import NotLoopbackError
from trading_system.venues.loopback import require_loopback

SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"


def test_the_documented_example_gives_the_documented_signature() -> None:
    payload = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
    )
    expected = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    assert signature_of(payload, Secret(SECRET)) == expected


@pytest.mark.shared
def test_every_recorded_binance_vector_is_reproduced(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "expected/signing/vectors.json").read_text())
    mine = [vector for vector in vectors if vector["exchange"] == "binance"]
    assert mine
    for vector in mine:
        assert signature_of(vector["payload"], Secret(vector["secret"])) == vector["signature"]


def test_the_signature_comes_last_and_covers_all_that_goes_before_it() -> None:
    text = signed_payload({"symbol": "BTCUSDT", "side": "BUY"}, Secret("k"), timestamp=123, recv_window=3000)
    payload, _, signature = text.rpartition("&signature=")
    assert payload == "symbol=BTCUSDT&side=BUY&recvWindow=3000&timestamp=123"
    assert signature == signature_of(payload, Secret("k"))


def test_a_payload_is_percent_encoded_before_it_is_signed() -> None:
    assert payload_of({"note": "a b&c=d"}) == "note=a+b%26c%3Dd"


@pytest.mark.shared
def test_every_recorded_bybit_vector_is_reproduced(shared_data: Path) -> None:
    vectors = json.loads((shared_data / "expected/signing/vectors.json").read_text())
    mine = [vector for vector in vectors if vector["exchange"] == "bybit"]
    assert mine
    for vector in mine:
        key, secret = Secret(vector["api_key"]), Secret(vector["secret"])
        stamp, window = int(vector["timestamp"]), int(vector["recv_window"])
        headers = signed_headers(vector["payload"], key, secret, timestamp=stamp, recv_window=window)
        assert headers == {
            "X-BAPI-API-KEY": vector["api_key"],
            "X-BAPI-TIMESTAMP": vector["timestamp"],
            "X-BAPI-RECV-WINDOW": vector["recv_window"],
            "X-BAPI-SIGN": vector["signature"],
        }


def test_bybit_signs_the_very_text_that_is_sent() -> None:
    assert query_of({"category": "linear", "cursor": "132766%3A2", "limit": 50}) == (
        "category=linear&cursor=132766%3A2&limit=50"
    )
    assert body_of({"symbol": "BTCUSDT", "reduceOnly": True}) == '{"symbol":"BTCUSDT","reduceOnly":true}'


def test_bybit_s_stream_is_opened_by_the_documented_text() -> None:
    expected = hmac.new(b"s", b"GET/realtime1662350400000", hashlib.sha256).hexdigest()
    assert stream_signature(1662350400000, Secret("s")) == expected


def test_a_secret_prints_as_stars_wherever_it_is_printed(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret("canary")
    logging.getLogger("test").warning("%s %r %s", secret, secret, {"key": secret})
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>5}", f"{[secret]}", caplog.text]
    assert "canary" not in "".join(shown)
    assert str(secret) == repr(secret) == "***"
    assert secret.reveal() == "canary"


def test_a_secret_equals_its_like_and_is_never_pickled() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert not Secret("")
    with pytest.raises(TypeError, match="Secret"):
        pickle.dumps(Secret("a"))


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://[::1]:9", "http://localhost:9", "ws://127.8.8.8/"])
def test_an_exchange_on_this_machine_is_accepted(url: str) -> None:
    require_loopback(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://fapi.binance.com",
        "http://10.0.0.1:9",
        "http://0.0.0.0:9",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1@evil.example",
        "not an address",
    ],
)
def test_every_other_exchange_is_refused_in_one_sentence(url: str) -> None:
    local = "http://127.0.0.1:9"
    for pair in ((url, local), (local, url)):
        for adapter in (BinanceUsdm, BybitLinear):
            with pytest.raises(NotLoopbackError, match=r"expected a loopback address .* was .*; start") as caught:
                adapter(*pair, Secret("k"), Secret("s"))
            assert "\n" not in str(caught.value)
