from __future__ import annotations

from bot_api import read_html, units
from hypothesis import given
from hypothesis import strategies as st

from trading_system.services.telegram_engine.markup import as_html, length_of, pieces, sendable, shortened

ANY_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]) | st.just("\n") | st.sampled_from("<>&\"'")
)


def test_a_text_is_escaped_its_head_is_bold_and_prices_can_be_tapped() -> None:
    html = as_html("🟢 LONG <BTC&USDT>\nEntry: 68790\nStop: 67600.5 (−1.73%)\n3: x")
    assert html == (
        "<b>🟢 LONG &lt;BTC&amp;USDT&gt;</b>\nEntry: <code>68790</code>\nStop: <code>67600.5</code> (−1.73%)\n3: x"
    )
    assert as_html("") == ""


@given(ANY_TEXT)
def test_telegram_reads_of_the_html_what_the_text_says(text: str) -> None:
    assert read_html(as_html(text)) == text.strip()


@given(ANY_TEXT, st.integers(2, 40))
def test_pieces_are_short_enough_and_lose_nothing_but_line_breaks(text: str, longest: int) -> None:
    parts = pieces(text, longest)
    assert all(units(part) <= longest for part in parts)
    assert "".join(parts).replace("\n", "") == text.replace("\n", "")


def test_a_long_text_is_parted_between_lines() -> None:
    assert pieces("aaaa\nbb\ncc\ndddddddd", 5) == ["aaaa", "bb\ncc", "ddddd", "ddd"]
    assert pieces("🖼🖼🖼", 4) == ["🖼🖼", "🖼"]


def test_a_long_caption_ends_with_a_mark() -> None:
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdefg", 6) == "abcde…"
    assert length_of(shortened("🖼" * 4000)) <= 1024


def test_what_no_message_can_hold_is_left_out() -> None:
    assert sendable("a\x00b\ud83dc\nd\t\u202ee") == "abc\nd\u202ee"
