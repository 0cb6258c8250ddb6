"""From a signal and the facts around it to the values of its picture, and from its trade's end to those of the next.

Pure: it picks the window, the swings, the block and the flag that the signal speaks about and finds the words; the
layout is ``charts.scene``'s. Facts later than the signal's own moment are never shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from trading_system.charts.picture import ClosedPicture, PictureFill
from trading_system.charts.scene import (
    AlertPicture,
    PictureCandle,
    PictureFlag,
    PictureSwing,
    PictureTarget,
    PictureZone,
    Segment,
)
from trading_system.contracts import CandleDTO, EventDTO, HighLowDTO, PositionDTO, TradeSignalDTO, to_ms
from trading_system.languages.speech import Speech
from trading_system.services.telegram_engine.messages import money_text, r_multiple, setup_text, short_id, signed
from trading_system.services.telegram_engine.wording import IN_ENGLISH

WINDOW = 60


def alert_picture(
    signal: TradeSignalDTO,
    candles: Sequence[CandleDTO],
    swings: Iterable[HighLowDTO],
    *,
    interval_ms: int,
    tick_decimals: int,
    mode: Literal["DEMO", "PAPER", "LIVE"],
    zone: EventDTO | None = None,
    flag: PictureFlag | None = None,
    risk_percent: float | None = None,
    quantity: str | None = None,
    speech: Speech = IN_ENGLISH,
) -> AlertPicture:
    """Return what the picture of ``signal`` shows.

    candles: of the signal's interval, ascending; those up to ``confirmed_at`` count and the newest ``WINDOW`` are
    shown. swings: any; those of another symbol or interval, or confirmed later, are left out, and so are the ones that
    a shown swing replaces. zone: the ``ob_formed`` event that the signal names, if it names one.
    Raises: PictureError when no candle is left or the levels contradict the side.
    """
    confirmed_at = to_ms(signal["confirmed_at"])
    known = [candle for candle in candles if to_ms(candle["open_time"]) + interval_ms <= confirmed_at][-WINDOW:]
    return AlertPicture(
        symbol=signal["symbol"],
        interval=signal["interval"],
        interval_ms=interval_ms,
        side=signal["side"],
        setup=setup_text(signal, speech),
        reasons=tuple(speech.named("reason", code) for code in signal["reasons"]),
        candles=tuple(_candle(candle) for candle in known),
        swings=_swings(signal, swings, confirmed_at),
        zones=() if zone is None else (_zone(zone, speech),),
        flag=flag,
        entry=signal["entry_price"],
        stop=signal["stop_loss"],
        targets=tuple(
            PictureTarget(target["price"], target["weight"], r_multiple(signal, target["price"]))
            for target in signal["take_profits"]
        ),
        rr_net=signal["rr_net"],
        risk_percent=risk_percent,
        quantity=quantity,
        score=round(signal["score"]),
        venue=speech.named("venue", signal["exchange"]),
        confirmed_at=confirmed_at,
        signal_id=short_id(signal["id"]),
        mode=mode,
        tick_decimals=tick_decimals,
    )


def closed_picture(
    alert: AlertPicture, candles: Sequence[CandleDTO], fills: Sequence[PictureFill], position: PositionDTO
) -> ClosedPicture:
    """Return what the picture of a closed trade shows.

    alert: the picture of its signal. candles: of the signal's interval, ascending, from the alert's window to the
    exit; earlier ones are left out. fills: as they were heard, each at the minute that brought it; the last one gets
    the position's own time. position: flat, with the trade's ``r``.
    Raises: KeyError without ``r``; PictureError when there is no entry or nothing that closed it.
    """
    ended = to_ms(position["time"])
    first = alert.candles[0].open_time
    *before, last = sorted(fills, key=lambda fill: fill.time)
    return ClosedPicture(
        alert=alert,
        candles=tuple(_candle(candle) for candle in candles if first <= to_ms(candle["open_time"]) <= ended),
        fills=(*before, last._replace(time=max(ended, last.time))),
        r=position["r"],
        money=None if "realized" not in position else money_text(signed(position["realized"], 2), alert.symbol),
    )


def flag_of_breakout(event: EventDTO, interval_ms: int) -> PictureFlag:
    """Return the pole and the two lines of a ``flag_breakout`` event, from its tip to the candle that broke out.

    Raises: KeyError when the event lacks one of its values.
    """
    values, tip = event["values"], to_ms(event["time"])
    end = to_ms(event["confirmed_at"]) - interval_ms

    def line(name: str) -> Segment:
        return Segment(tip, float(values[f"{name}_start"]), end, float(values[f"{name}_end"]))

    pole = Segment(int(values["base_time"]), float(values["base_price"]), tip, float(values["tip_price"]))
    return PictureFlag(pole, line("resist"), line("support"))


def _candle(candle: CandleDTO) -> PictureCandle:
    prices = (candle["open"], candle["high"], candle["low"], candle["close"])
    return PictureCandle(to_ms(candle["open_time"]), *prices, candle.get("volume", 0.0))


def _swings(signal: TradeSignalDTO, swings: Iterable[HighLowDTO], confirmed_at: int) -> tuple[PictureSwing, ...]:
    line = (signal["symbol"], signal["interval"])
    known = [
        swing
        for swing in swings
        if (swing["symbol"], swing["interval"]) == line and to_ms(swing["confirmed_at"]) <= confirmed_at
    ]
    replaced = {swing["replaces"] for swing in known if "replaces" in swing}
    return tuple(
        PictureSwing(to_ms(swing["time"]), swing["price"], swing["kind"], swing["label"])
        for swing in known
        if swing["id"] not in replaced
    )


def _zone(event: EventDTO, speech: Speech) -> PictureZone:
    values, direction = event["values"], event["direction"]
    label = speech.say("zone.long" if direction > 0 else "zone.short")
    return PictureZone(to_ms(event["time"]), float(values["top"]), float(values["bottom"]), direction, label)
