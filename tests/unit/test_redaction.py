"""What leaves the program never carries a secret, in whatever form it got out."""

from __future__ import annotations

import base64
import io
import logging
import sys
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_system.redaction import RedactingFormatter, Redactor, forms_of, passwords_in
from trading_system.secret import Secret

CANARY = "Canary+/=7f 'q'&é"


@pytest.mark.parametrize(
    "written",
    [
        CANARY,
        quote(CANARY),
        quote(CANARY, safe=""),
        urlencode({"key": CANARY}),
        repr({"key": CANARY}),
        CANARY.encode().hex(),
        base64.b64encode(CANARY.encode()).decode(),
        base64.urlsafe_b64encode(CANARY.encode()).decode(),
    ],
)
def test_a_secret_is_hidden_in_every_form(written: str) -> None:
    said = Redactor([Secret(CANARY)])(f"before {written} behind")
    assert said.startswith("before ")
    assert said.endswith(" behind")
    assert "***" in said
    assert not any(form in said for form in forms_of(Secret(CANARY)))


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=8), st.binary(max_size=8), st.text(min_size=6, max_size=40))
def test_a_secret_is_found_in_base64_whatever_stands_round_it(before: bytes, behind: bytes, text: str) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        written = encode(before + text.encode() + behind).decode()
        assert "***" in Redactor([Secret(text)])(written)


def test_a_text_too_short_to_be_a_secret_makes_no_holes_and_other_texts_stay() -> None:
    redact = Redactor([Secret(""), Secret("a"), Secret("order")])
    assert redact("an order at 5") == "an order at 5"
    redact.hide([Secret("canary-1"), Secret("canary-12")])
    assert redact("canary-12 canary-1 canary") == "*** *** canary"


def test_a_log_line_and_its_traceback_are_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    redact = Redactor([Secret("canary-secret")])
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(RedactingFormatter(logging.Formatter("%(levelname)s: %(message)s"), redact))
    log = logging.Logger("alone")  # noqa: LOG001  nobody else is to hear it
    log.addHandler(handler)
    try:
        int("sent canary-secret")
    except ValueError:
        log.exception("header %s", {"key": "canary-secret"})
        redact.last_words(*sys.exc_info())  # type: ignore[arg-type]
    assert out.getvalue().startswith("ERROR: header {'key': '***'}\nTraceback")
    for text in (out.getvalue(), capsys.readouterr().err):
        assert "'sent ***'" in text
        assert "canary" not in text


@pytest.mark.parametrize(
    ("url", "passwords"),
    [
        ("redis://:canary-1@127.0.0.1:6379/0", {"canary-1"}),
        ("mongodb://user:canary%402@db:27017/name?x=a@b", {"canary%402", "canary@2"}),
        ("redis://127.0.0.1:6379/0", set()),
        ("sqlite:////var/lib/a@b:c/store.db", set()),
        ("memory://", set()),
        ("", set()),
    ],
)
def test_the_passwords_of_addresses_are_secrets_too(url: str, passwords: set[str]) -> None:
    assert {secret.reveal() for secret in passwords_in(url)} == passwords
    assert not any(password in Redactor(passwords_in(url))(f"opening {url}") for password in passwords)
