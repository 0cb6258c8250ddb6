//! What the fields of a frame must hold, one by one and together as a candle, for every venue's reader.

use std::borrow::Cow;

use crate::decimal;
use crate::event::Candle;
use crate::scan::{shortened, Scalar, Scanner};
use crate::venue::{BadFrame, INTERVAL_MS};

/// Times outside 2000..2100 are not times of candles.
const PLAUSIBLE_MS: std::ops::Range<i64> = 946_684_800_000..4_102_444_800_000;

/// Keeps the value of a field; a second value for the same field makes the frame ambiguous and hence bad.
pub fn fill<'a>(slot: &mut Scalar<'a>, name: &str, scanner: &mut Scanner<'a>) -> Result<(), BadFrame> {
    let value = scanner.value()?;
    if *slot != Scalar::Missing {
        return Err(BadFrame::field(name, "one value", "two"));
    }
    *slot = value;
    Ok(())
}

pub fn read_text<'s>(name: &str, value: &'s Scalar<'_>) -> Result<&'s str, BadFrame> {
    match value {
        Scalar::Text(Cow::Borrowed(text)) => Ok(text),
        Scalar::Text(Cow::Owned(text)) => Ok(text),
        other => Err(BadFrame::field(name, "a text", other.shown())),
    }
}

pub fn read_time(name: &str, value: &Scalar<'_>) -> Result<i64, BadFrame> {
    match value {
        Scalar::Integer(ms) if PLAUSIBLE_MS.contains(ms) => Ok(*ms),
        other => Err(BadFrame::field(name, "a time in ms", other.shown())),
    }
}

fn read_decimal(name: &str, value: &Scalar<'_>) -> Result<f64, BadFrame> {
    if let Scalar::Text(text) = value {
        if let Some(number) = decimal::parse(text) {
            return Ok(number);
        }
    }
    Err(BadFrame::field(name, "a text with a decimal number, not negative", value.shown()))
}

pub fn read_price(name: &str, value: &Scalar<'_>) -> Result<f64, BadFrame> {
    let price = read_decimal(name, value)?;
    if price > 0.0 {
        return Ok(price);
    }
    Err(BadFrame::field(name, "a price above zero", value.shown()))
}

/// The fields of a minute.
#[derive(Default)]
pub struct Kline<'a> {
    pub open_time: Scalar<'a>,
    pub close_time: Scalar<'a>,
    pub interval: Scalar<'a>,
    pub open: Scalar<'a>,
    pub high: Scalar<'a>,
    pub low: Scalar<'a>,
    pub close: Scalar<'a>,
    pub volume: Scalar<'a>,
    pub closed: Scalar<'a>,
}

/// How a venue calls them, and when it sent the frame; `minute` is what it writes as the interval of a minute.
pub struct Words {
    pub minute: &'static str,
    pub sent: &'static str,
    pub open_time: &'static str,
    pub close_time: &'static str,
    pub interval: &'static str,
    pub open: &'static str,
    pub high: &'static str,
    pub low: &'static str,
    pub close: &'static str,
    pub volume: &'static str,
    pub closed: &'static str,
}

/// Whether a minute is closed, and its candle. Errors: `BadFrame` naming the field in the venue's words.
pub fn read_candle(kline: &Kline<'_>, event_time: i64, words: &Words) -> Result<(bool, Candle), BadFrame> {
    let interval = read_text(words.interval, &kline.interval)?;
    if interval != words.minute {
        let expected = format!("\"{}\"", words.minute);
        return Err(BadFrame::field(words.interval, &expected, format_args!("\"{}\"", shortened(interval))));
    }
    let closed = match &kline.closed {
        Scalar::Boolean(closed) => *closed,
        other => return Err(BadFrame::field(words.closed, "true or false", other.shown())),
    };
    let open_time = read_time(words.open_time, &kline.open_time)?;
    if open_time % INTERVAL_MS != 0 {
        return Err(BadFrame::field(words.open_time, "the start of a minute", open_time));
    }
    let close_time = read_time(words.close_time, &kline.close_time)?;
    let last = open_time + INTERVAL_MS - 1;
    if close_time != last {
        return Err(BadFrame::field(words.close_time, &last.to_string(), close_time));
    }
    let candle = Candle {
        open_time,
        open: read_price(words.open, &kline.open)?,
        high: read_price(words.high, &kline.high)?,
        low: read_price(words.low, &kline.low)?,
        close: read_price(words.close, &kline.close)?,
        volume: read_decimal(words.volume, &kline.volume)?,
        event_time,
    };
    check_range(&candle, words)?;
    // A minute that is closed is said to be so after it, but for the second by which clocks may differ; otherwise it
    // would be taken for a whole one that it is not.
    let over = open_time + INTERVAL_MS - 1_000;
    if closed && event_time < over {
        return Err(BadFrame::field(words.sent, &format!("at least {over} with a closed minute"), event_time));
    }
    Ok((closed, candle))
}

/// No price of a candle lies outside its range.
fn check_range(candle: &Candle, words: &Words) -> Result<(), BadFrame> {
    let (top, bottom) = (candle.open.max(candle.close), candle.open.min(candle.close));
    if candle.high < top {
        return Err(BadFrame::field(words.high, &format!("at least {top}"), candle.high));
    }
    if candle.low > bottom {
        return Err(BadFrame::field(words.low, &format!("at most {bottom}"), candle.low));
    }
    Ok(())
}
