from __future__ import annotations

import dataclasses

import pytest
from sample_pictures import random_picture

from trading_system.charts.chart_scene import chart_scene
from trading_system.charts.closed_scene import closed_scene
from trading_system.charts.drawing import Layer, Scene, Text, reads_from_the_right
from trading_system.charts.look import Look
from trading_system.charts.picture import AlertPicture, ChartPicture, ClosedPicture, PictureFill
from trading_system.charts.png import shaped_width
from trading_system.charts.scene import scene
from trading_system.charts.theme import DARK, LIGHT, THEMES, Theme
from trading_system.charts.words import ENGLISH

MINUTE = 60_000
ARABIC = Look(
    words={
        **ENGLISH,
        "side.long": "شراء",
        "tile.rr": "العائد",
        "level.stop": "الوقف  {percent}",
        "fill.entry": "الدخول {price} · {time}",
    },
    measure=shaped_width,
    from_right=True,
)


def alert(**changes: object) -> AlertPicture:
    return dataclasses.replace(
        random_picture(8),
        symbol="BTCUSDT",
        interval="15m",
        setup="سلسلة",
        reasons=("سبب طويل", "سبب"),
        venue="Binance",
        mode="PAPER",
        **changes,
    )


def closed(picture: AlertPicture) -> ClosedPicture:
    begin = picture.candles[-1].open_time
    fills = (PictureFill(begin, picture.entry, "entry"), PictureFill(begin + MINUTE, picture.stop, "stop"))
    return ClosedPicture(picture, picture.candles, fills, -1.0, "−9.00 USDT")


def chart(picture: AlertPicture) -> ChartPicture:
    return ChartPicture(
        picture.symbol,
        picture.interval,
        picture.interval_ms,
        picture.candles,
        picture.swings,
        picture.zones,
        () if picture.flag is None else (picture.flag,),
        picture.venue,
        picture.confirmed_at,
        picture.tick_decimals,
    )


def texts(drawn: Scene) -> list[Text]:
    return [op for op in drawn.ops if isinstance(op, Text)]


def find(drawn: Scene, part: str) -> Text:
    return next(op for op in texts(drawn) if part in op.text)


def contrast(one: str, other: str) -> float:
    """The ratio of two colours' luminances as WCAG 2 counts it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_every_written_colour_is_readable_on_its_ground(theme: Theme) -> None:
    for name in ("ink", "text", "muted", "green", "red", "yellow", "blue", "violet"):
        assert contrast(getattr(theme, name), theme.background) >= 4.5, name
    for name in ("ink", "green", "red"):
        assert contrast(theme.on_pill, getattr(theme, name)) >= 4.5, name
    assert contrast(theme.watermark, theme.background) < 1.2


def test_a_light_picture_says_the_same_in_other_colours() -> None:
    for layout, picture in ((scene, alert()), (closed_scene, closed(alert())), (chart_scene, chart(alert()))):
        dark, light = layout(picture), layout(picture, Look(theme=LIGHT))  # type: ignore[operator]
        assert [op._replace(colour="") for op in light.ops] == [op._replace(colour="") for op in dark.ops]
        used = {op.colour[:7] for op in light.ops}
        assert not used & {DARK.background, DARK.tile, DARK.green, DARK.red, DARK.ink, DARK.muted}


def test_every_word_of_a_picture_comes_from_the_table() -> None:
    # With every word replaced by its key, no English one may be left.
    keys = {key: key + "".join(f" {{{name}}}" for name in names_in(phrase)) for key, phrase in ENGLISH.items()}
    picture = alert(risk_percent=None, quantity=None)
    facts = {picture.symbol, picture.interval, picture.setup, *picture.reasons, "Bullish OB", "Bearish OB"}
    for layout, shown in ((scene, picture), (closed_scene, closed(picture)), (chart_scene, chart(picture))):
        for text in texts(layout(shown, Look(words=keys))):  # type: ignore[operator]
            words = text.text.rstrip("…")
            has_letters = any(letter.isalpha() for letter in words)
            known = words in facts or any(key in words or words in key for key in keys)
            is_number = words.endswith(("R", " USDT"))
            assert known or is_number or not has_letters, words


def names_in(phrase: str) -> list[str]:
    return [part.partition("}")[0] for part in phrase.split("{")[1:]]


def test_a_missing_word_fails_at_once() -> None:
    words = {key: phrase for key, phrase in ENGLISH.items() if key != "tile.score"}
    with pytest.raises(KeyError, match=r"tile\.score"):
        scene(alert(), Look(words=words))


def test_numbers_are_isolated_only_where_the_language_is_read_from_the_right() -> None:
    assert Look().say("level.stop", percent="−1.73%") == "SL  −1.73%"
    assert ARABIC.say("level.stop", percent="−1.73%") == "الوقف  \u2066−1.73%\u2069"
    assert ARABIC.isolated("0.083 BTC") == "\u20660.083\u00a0BTC\u2069"
    assert ARABIC.isolated(ARABIC.isolated("82")) == "\u206682\u2069"
    assert ARABIC.isolated("شراء") == "شراء"
    assert ARABIC.isolated("") == ""


def test_text_blocks_are_mirrored_and_the_chart_is_not() -> None:
    shown = alert()
    english, arabic = scene(shown, ARABIC._replace(from_right=False)), scene(shown, ARABIC)
    left, right = find(english, "سلسلة"), find(arabic, "سلسلة")
    assert (left.anchor, left.x, right.anchor, right.x) == ("left", 31, "right", 1024 - 31)
    assert find(english, "العائد").x < 300
    assert find(arabic, "العائد").x > 700
    reasons = [op for op in texts(arabic) if "سبب" in op.text]
    assert len({op.x for op in reasons}) == 1
    assert {op.anchor for op in reasons} == {"right"}
    dots = [op for op in arabic.ops if op.layer == Layer.CHIP and getattr(op, "width", 0) == 12]
    assert all(dot.x > reasons[0].x for dot in dots)  # type: ignore[union-attr]
    candles = [[op for op in drawn.ops if op.layer == Layer.CANDLE] for drawn in (english, arabic)]
    assert candles[0] == candles[1]


def test_which_side_a_text_is_read_from_is_told_by_its_letters() -> None:
    assert reads_from_the_right("الوقف −1.73%")
    assert reads_from_the_right("BTC שלום")
    assert not reads_from_the_right("SL −1.73% · Ångström")
    assert not reads_from_the_right("\u2066−1.73%\u2069")


def test_times_are_utc_and_spans_have_two_units() -> None:
    look = Look()
    assert look.day(1_763_424_000_000) == "18 Nov"
    assert look.moment(1_763_447_400_000) == "18 Nov 2025 06:30 UTC"
    assert [look.span(minutes * MINUTE) for minutes in (0, 45, 200, 3_120)] == ["0 m", "45 m", "3 h 20 m", "2 d 4 h"]
