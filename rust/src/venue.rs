//! The closed set of venues a session can speak to, and the limits each one puts on subscriptions. Another venue joins
//! as one more variant here and one more file beside `binance` and `bybit`.

use std::borrow::Cow;
use std::fmt;

use crate::event::Candle;
use crate::{binance, bybit};

/// The length of a base candle; longer intervals are folded from it elsewhere.
pub const INTERVAL_MS: i64 = 60_000;

/// So long may candles keep away from a live line. No venue owes more than a frame a minute: Bybit pushes one every 1 to
/// 60 s, Binance spot at least the closed minute, USDT-M every 250 ms but only while there is something to tell. The
/// rest is grace. That the other side is gone is noticed sooner, by its missing pongs.
pub const SILENCE_MS: i64 = INTERVAL_MS + 30_000;

const MINUTE_MS: u64 = 60_000;
/// Binance bans for three days at most; what is said beyond is no longer believed.
const LONGEST_BAN_MS: u64 = 3 * 24 * 60 * MINUTE_MS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Venue {
    Binance,
    BinanceUsdm,
    Bybit,
    BybitLinear,
}

/// An argument that no session can be made of: which one, what was expected, what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadArgument {
    pub name: &'static str,
    pub expected: String,
    pub was: String,
}

impl fmt::Display for BadArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, was {}", self.name, self.expected, self.was)
    }
}

impl std::error::Error for BadArgument {}

impl Venue {
    /// Names as the settings spell them.
    pub fn named(name: &str) -> Result<Venue, BadArgument> {
        match name {
            "binance" => Ok(Venue::Binance),
            "binance_usdm" => Ok(Venue::BinanceUsdm),
            "bybit" => Ok(Venue::Bybit),
            "bybit_linear" => Ok(Venue::BybitLinear),
            other => {
                let expected = "binance, binance_usdm, bybit or bybit_linear".to_owned();
                Err(BadArgument { name: "venue", expected, was: format!("{other:?}") })
            }
        }
    }

    fn is_bybit(self) -> bool {
        matches!(self, Venue::Bybit | Venue::BybitLinear)
    }

    /// Streams in one message.
    pub fn streams_per_message(self) -> usize {
        match self {
            Venue::Binance | Venue::BinanceUsdm => 200,
            Venue::Bybit => 10,
            Venue::BybitLinear => 100,
        }
    }

    /// Symbols on one connection, of which each takes a stream, or two with mark prices.
    pub fn symbols_per_connection(self, marks: bool) -> usize {
        let streams = match self {
            Venue::Binance | Venue::BinanceUsdm => 1024,
            // 21,000 characters of topics, of which the longest have thirty.
            Venue::Bybit | Venue::BybitLinear => 700,
        };
        streams / if marks { 2 } else { 1 }
    }

    /// Messages that may leave within any one second; pongs and pings need the room that is left.
    pub fn messages_per_second(self) -> usize {
        3
    }

    /// Attempts to connect that the venue takes within five minutes; for USDT-M no figure is published.
    pub fn attempts_per_window(self) -> usize {
        match self {
            Venue::Binance | Venue::BinanceUsdm => 300,
            Venue::Bybit | Venue::BybitLinear => 500,
        }
    }

    /// How long (ms) a handshake that was answered with this HTTP status forbids another one; `retry_after_s` as the
    /// venue gave it. None: it is no ban, and may be tried again as after any failure.
    pub fn ban_ms(self, status: u16, retry_after_s: Option<u64>) -> Option<u64> {
        match status {
            // Bybit: too many connections from this address, or from this country.
            403 if self.is_bybit() => Some(10 * MINUTE_MS),
            403 | 418 | 429 => Some(retry_after_s.map_or(MINUTE_MS, |s| s.saturating_mul(1_000)).min(LONGEST_BAN_MS)),
            _ => None,
        }
    }

    /// Whether there are mark prices: spot has none.
    pub fn has_marks(self) -> bool {
        matches!(self, Venue::BinanceUsdm | Venue::BybitLinear)
    }

    /// The names of a symbol's streams: its minutes, and its mark price if wanted.
    pub fn streams_of(self, symbol: &str, marks: bool) -> Vec<String> {
        let (kline, mark) = if self.is_bybit() { bybit::streams(symbol) } else { binance::streams(symbol) };
        if marks {
            vec![kline, mark]
        } else {
            vec![kline]
        }
    }

    /// A message that asks for streams, or takes them back.
    pub fn ask(self, id: u64, subscribes: bool, streams: &[&str]) -> String {
        if self.is_bybit() {
            bybit::ask(id, subscribes, streams)
        } else {
            binance::ask(id, subscribes, streams)
        }
    }

    /// What a client must say, and how often (ms), so that it is not taken for dead; None where the server pings.
    pub fn sign_of_life(self) -> Option<(String, i64)> {
        self.is_bybit().then(|| (bybit::ping(), bybit::PING_EVERY_MS))
    }

    /// Whether a refusal says that the streams it names are subscribed already.
    pub fn gives_already(self, message: &str) -> bool {
        self.is_bybit() && message.contains(bybit::ALREADY)
    }

    /// Reads one message; `say` hears what it says, in order: nearly always one frame, never none.
    pub fn read<'a>(self, bytes: &'a [u8], mut say: impl FnMut(Result<Frame<'a>, BadFrame>)) {
        if self.is_bybit() {
            bybit::read(bytes, say);
        } else {
            say(binance::read(bytes));
        }
    }
}

/// What a message says, or one candle of it, in words that all venues share.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame<'a> {
    Kline {
        symbol: Cow<'a, str>,
        closed: bool,
        candle: Candle,
    },
    /// A price by which positions are valued; `time` in ms UTC.
    Mark {
        symbol: Cow<'a, str>,
        time: i64,
        price: f64,
    },
    /// A mark price that is none, and why. What a minute was is not in doubt.
    BadMark(BadFrame),
    Acknowledged {
        id: u64,
    },
    Refused(Refusal),
    ShutdownNotice,
    /// A well-formed event of a kind that nobody asked for.
    Unrelated,
}

/// The venue's no to a message of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub id: Option<u64>,
    pub code: Option<i64>,
    /// Whole and as it came: it may name the stream that is meant.
    pub message: String,
    /// The streams of the message, where the venue repeats them.
    pub streams: Vec<String>,
}

/// A frame that was refused: why, in words for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFrame {
    pub reason: String,
}

impl BadFrame {
    pub fn field(field: &str, expected: &str, was: impl fmt::Display) -> BadFrame {
        BadFrame { reason: format!("{field}: expected {expected}, was {was}") }
    }
}

impl From<crate::scan::NotJson> for BadFrame {
    fn from(error: crate::scan::NotJson) -> Self {
        BadFrame { reason: format!("not JSON at byte {}: expected {}", error.at, error.expected) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Venue, LONGEST_BAN_MS};

    #[test]
    fn a_status_that_bans_is_waited_out_as_long_as_the_venue_says() {
        assert_eq!(Venue::BinanceUsdm.ban_ms(429, Some(7)), Some(7_000));
        assert_eq!(Venue::Binance.ban_ms(418, None), Some(60_000));
        assert_eq!(Venue::Binance.ban_ms(418, Some(u64::MAX)), Some(LONGEST_BAN_MS));
        assert_eq!(Venue::BybitLinear.ban_ms(403, Some(1)), Some(600_000));
        assert_eq!(Venue::Binance.ban_ms(403, None), Some(60_000));
        for status in [200, 400, 404, 500, 502, 503] {
            assert_eq!(Venue::Bybit.ban_ms(status, Some(7)), None);
        }
    }
}
