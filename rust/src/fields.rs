//! What a single field of a frame must hold, for every venue's reader.

use std::borrow::Cow;

use crate::decimal;
use crate::event::Candle;
use crate::scan::{Scalar, Scanner};
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

pub fn read_decimal(name: &str, value: &Scalar<'_>) -> Result<f64, BadFrame> {
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

/// No price of a candle lies outside its range; `high` and `low` are the names of the fields.
pub fn check_range(candle: &Candle, high: &str, low: &str) -> Result<(), BadFrame> {
    let (top, bottom) = (candle.open.max(candle.close), candle.open.min(candle.close));
    if candle.high < top {
        return Err(BadFrame::field(high, &format!("at least {top}"), candle.high));
    }
    if candle.low > bottom {
        return Err(BadFrame::field(low, &format!("at most {bottom}"), candle.low));
    }
    Ok(())
}

/// A minute that is closed is said to be so after it, but for the second by which clocks may differ; otherwise it would
/// be taken for a whole one that it is not.
pub fn check_over(candle: &Candle, closed: bool, name: &str) -> Result<(), BadFrame> {
    let over = candle.open_time + INTERVAL_MS - 1_000;
    if closed && candle.event_time < over {
        return Err(BadFrame::field(name, &format!("at least {over} with a closed minute"), candle.event_time));
    }
    Ok(())
}
