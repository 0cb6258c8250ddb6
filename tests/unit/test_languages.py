"""The catalogues say everything that English says, with the same values in it, and nothing that nobody says."""

from __future__ import annotations

import re
import string
import subprocess
import sys
from collections.abc import Mapping
from datetime import date

import pytest
from babel import Locale
from babel.dates import format_date
from test_messages import fill, order, signal, summary

from trading_system import terminal_words
from trading_system.charts import words as pictures
from trading_system.languages.catalogue import (
    LANGUAGES,
    PLURAL_FORMS,
    CatalogueError,
    contexts,
    plural_form,
    stem_of,
    translated,
    untranslated,
)
from trading_system.languages.isolates import ISOLATE, POP, filled, isolated, with_marks
from trading_system.languages.speech import Speech
from trading_system.research import report_words
from trading_system.services import health_words, replies
from trading_system.services.telegram_engine import chat_wording, messages, wording
from trading_system.spoken import look_in, report_in

NO_BREAK_SPACE = "\u00a0"
TABLES: Mapping[str, Mapping[str, str]] = {
    wording.DOMAIN: wording.ENGLISH,
    chat_wording.DOMAIN: chat_wording.ENGLISH,
    "pictures": pictures.ENGLISH,
    "report": report_words.ENGLISH,
    terminal_words.DOMAIN: terminal_words.ENGLISH,
    replies.DOMAIN: replies.ENGLISH,
    health_words.DOMAIN: health_words.ENGLISH,
}
ARABIC = wording.alerts_in("ar")


def values_in(phrase: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(phrase) if name}


def outside_isolates(text: str) -> str:
    return re.sub(f"{ISOLATE}[^{POP}]*{POP}", "", text)


@pytest.mark.parametrize("domain", TABLES)
@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_phrase_is_translated_as_it_now_is_in_every_plural_form(domain: str, language: str) -> None:
    assert untranslated(domain, TABLES[domain], language) == []


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_a_catalogue_holds_nothing_that_nobody_says(language: str) -> None:
    said = {f"{domain}/{stem_of(key, table)[0]}" for domain, table in TABLES.items() for key in table}
    assert sorted(set(contexts(language)) - said) == []


@pytest.mark.parametrize("domain", TABLES)
@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_translation_has_the_values_of_its_english_phrase(domain: str, language: str) -> None:
    english = TABLES[domain]
    table = translated(domain, english, language)
    for key, phrase in table.items():
        stem, _, form = key.rpartition(".")
        wanted = values_in(english.get(key) or english[f"{stem}.other"])
        # "one trade" and "two trades" may be a word without its number.
        missing = wanted - values_in(phrase) - ({"count"} if form in {"zero", "one", "two"} else set())
        assert not missing, f"{domain}/{key}"
        assert values_in(phrase) <= wanted, f"{domain}/{key}"
        assert phrase.count(ISOLATE) == phrase.count(POP), f"{domain}/{key}"
        assert "⟦" not in phrase, f"{domain}/{key}"
        assert not re.search(r"[\u0660-\u0669\u06f0-\u06f9]", phrase), f"{domain}/{key}: Western digits are meant"


def test_a_phrase_that_changed_or_is_new_stays_english_and_is_named() -> None:
    table = {
        "side.long": "UP",
        "new": "New {thing}",
        "new.count.one": "{count} new",
        "new.count.other": "{count} newer",
        "buy": "buy",
    }
    assert untranslated("alerts", table, "ar") == ["side.long", "new", "new.count.one", "new.count.other"]
    spoken = Speech.of("alerts", table, "ar")
    assert (spoken.say("side.long"), spoken.say("buy")) == ("UP", "شراء")
    assert spoken.counted("new.count", 3) == "3 newer"


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural_forms_are_those_of_the_cldr(language: str) -> None:
    rule = Locale.parse(language).plural_form
    assert set(PLURAL_FORMS[language]) == set(rule.tags) | {"other"}
    for number in [*range(130), 1_000, 1_003, 1_011, 1_000_000]:
        assert plural_form(language, number) == rule(number)


def test_arabic_counts_in_six_ways() -> None:
    said = [ARABIC.counted("summary.trades", number) for number in (0, 1, 2, 3, 11, 100)]
    assert said == ["لا صفقات", "صفقة واحدة", "صفقتان", "3 صفقات", "11 صفقة", "100 صفقة"]


def test_an_unknown_language_is_refused_with_those_there_are() -> None:
    for ask in (lambda: translated("alerts", wording.ENGLISH, "fr"), lambda: plural_form("fr", 1)):
        with pytest.raises(CatalogueError, match="expected a catalogue out of ar, was 'fr'"):
            ask()


def test_months_are_those_of_the_cldr() -> None:
    words, report = look_in("ar").words, report_in("ar")["months"].split()
    for month in range(1, 13):
        name = format_date(date(2025, month, 1), "MMMM", locale="ar")
        assert (words[f"month.{month}"], report[month - 1]) == (name, name)


def test_what_is_written_from_the_left_is_isolated_and_plain_numbers_are_not() -> None:
    assert isolated("−1.73%") == f"{ISOLATE}−1.73%{POP}"
    assert isolated("0.083 BTC") == f"{ISOLATE}0.083{NO_BREAK_SPACE}BTC{POP}"
    for text in ("68790", "11,842.60", "شراء", "🟢", "", isolated("BTC")):
        assert isolated(text) == text


def test_inside_an_isolate_of_the_phrase_values_stand_bare() -> None:
    phrase = with_marks("الوقف ⟦−{percent}% of {what}⟧ {symbol}")
    said = filled(phrase, {"percent": "1.7", "what": "BTC USDT", "symbol": "ETH"})
    assert (
        said == f"الوقف {ISOLATE}−1.7%{NO_BREAK_SPACE}of{NO_BREAK_SPACE}BTC{NO_BREAK_SPACE}USDT{POP} {ISOLATE}ETH{POP}"
    )
    with pytest.raises(KeyError, match="percent"):
        filled(phrase, {"what": 1, "symbol": 2})


def test_an_arabic_signal_keeps_plain_prices_and_isolates_the_rest() -> None:
    text = messages.alert_text(
        signal(), mode="PAPER", risk_percent=1.0, quantity="0.083 BTC", leverage=3, speech=ARABIC
    )
    shown = text.replace(ISOLATE, "⟦").replace(POP, "⟧").replace(NO_BREAK_SPACE, " ")
    assert shown == (
        "🟢 شراء ⟦BTCUSDT · 15m⟧\n"
        "اختراق علم + كتلة أوامر · التقييم ⟦82/100⟧\n"
        "\n"
        "الدخول: 68790\n"
        "الوقف: 67600 (⟦−1.73%⟧)\n"
        "الهدف 1: 69980 (⟦1.0R⟧، ⟦50%⟧)\n"
        "الهدف 2: 71170 (⟦2.0R⟧، ⟦50%⟧)\n"
        "المخاطرة ⟦1.0%⟧ · الحجم ⟦0.083 BTC⟧ · الرافعة ⟦3x⟧\n"
        "تجريبي · ⟦Binance USDT-M⟧ · ⟦#A41F⟧"
    )


def test_no_arabic_message_leaves_letters_or_signs_where_they_could_turn_round() -> None:
    rejection = {
        "exchange": "binance_usdm",
        "symbol": "BTCUSDT",
        "rule": "max_positions",
        "confirmed_at": signal()["confirmed_at"],
        "numbers": {"positions": 3.0, "limit": 3.0},
    }
    sold = fill(69_980.0, 0.0415, side="sell", realized=49.33)
    texts = [
        messages.alert_text(signal(), mode="DEMO", refused=rejection, speech=ARABIC),  # type: ignore[arg-type]
        messages.order_text(signal(), order(), stop_armed=True, speech=ARABIC),
        messages.fill_text(signal(), fill(68_791.2, 0.083), ARABIC),
        messages.target_text(signal(), sold, 1, rest=0.5, stop_moved=True, speech=ARABIC),
        messages.target_text(signal(), sold, 2, rest=0.2, stop_moved=False, speech=ARABIC),
        messages.stop_text(signal(), sold, held_ms=12_000_000, speech=ARABIC),
        messages.summary_text(summary(), ARABIC),
    ]
    for text in texts:
        left = outside_isolates(text)
        assert not re.search(r"[A-Za-z%+−/#]", left.replace(" + ", " ")), left


def test_every_code_that_english_knows_is_known_in_arabic() -> None:
    assert {key for key in wording.ENGLISH if stem_of(key, wording.ENGLISH)[1] == ""} <= set(ARABIC.words)
    assert ARABIC.named("setup", "my_setup") == "my setup"


def test_english_loads_no_catalogue() -> None:
    code = (
        "import sys; from trading_system.services.telegram_engine.wording import alerts_in;"
        "assert alerts_in('en').counted('summary.trades', 2) == '2 trades'; assert 'babel' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
