//! The closed set of venues a session can speak to, and the limits each one puts on subscriptions. Another venue joins
//! as one more variant here and one more file beside `binance_usdm`.

use std::fmt;

use crate::{binance_usdm, bybit};

/// The length of a base candle; longer intervals are folded from it elsewhere.
pub const INTERVAL_MS: i64 = 60_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Venue {
    BinanceUsdm,
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
            "binance_usdm" => Ok(Venue::BinanceUsdm),
            "bybit_linear" => Ok(Venue::BybitLinear),
            other => Err(BadArgument {
                name: "venue",
                expected: "binance_usdm or bybit_linear".into(),
                was: format!("{other:?}"),
            }),
        }
    }

    /// Streams in one SUBSCRIBE.
    pub fn streams_per_message(self) -> usize {
        match self {
            Venue::BinanceUsdm => 200,
            Venue::BybitLinear => 100,
        }
    }

    /// Streams on one connection.
    pub fn streams_per_connection(self) -> usize {
        match self {
            Venue::BinanceUsdm => 1024,
            // 21,000 characters of topics; the longest names have some twenty letters.
            Venue::BybitLinear => 700,
        }
    }

    /// Messages that may leave within any one second; pongs and pings need the room that is left.
    pub fn messages_per_second(self) -> usize {
        match self {
            Venue::BinanceUsdm | Venue::BybitLinear => 3,
        }
    }

    pub fn subscribe(self, id: u64, symbols: &[String]) -> String {
        match self {
            Venue::BinanceUsdm => binance_usdm::subscribe(id, symbols),
            Venue::BybitLinear => bybit::subscribe(id, symbols),
        }
    }

    /// What a client must say, and how often (ms), so that it is not taken for dead; None where the server pings.
    pub fn sign_of_life(self) -> Option<(String, i64)> {
        match self {
            Venue::BinanceUsdm => None,
            Venue::BybitLinear => Some((bybit::ping(), bybit::PING_EVERY_MS)),
        }
    }

    pub fn read(self, bytes: &[u8]) -> Result<Frame<'_>, BadFrame> {
        match self {
            Venue::BinanceUsdm => binance_usdm::read(bytes),
            Venue::BybitLinear => bybit::read(bytes),
        }
    }
}

/// What one frame says, in words that all venues share.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame<'a> {
    Kline {
        symbol: std::borrow::Cow<'a, str>,
        closed: bool,
        candle: crate::event::Candle,
    },
    Acknowledged {
        id: u64,
    },
    Refused {
        id: Option<u64>,
        code: Option<i64>,
        message: String,
    },
    ShutdownNotice,
    /// A well-formed event of a kind that nobody asked for.
    Unrelated,
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
