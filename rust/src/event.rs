//! The facts a feed can report. What to do about them (repair, store, publish, alarm) is left to the data feed service.

use std::fmt;

/// One minute of one symbol, prices in quote currency, volume in base currency, times in ms UTC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candle {
    pub open_time: i64,
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
    pub volume: f64,
    /// When the venue says it sent the frame.
    pub event_time: i64,
}

impl Candle {
    /// Whether both speak of the same minute with the same numbers, whenever they were sent.
    pub fn same_facts(&self, other: &Candle) -> bool {
        Candle { event_time: 0, ..*self } == Candle { event_time: 0, ..*other }
    }
}

/// Why a connection is over. The text form begins with one word of a closed set, then says the detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// No connection came about: name, TCP, TLS or WebSocket handshake.
    ConnectFailed(String),
    /// The venue answered the handshake with a status by which it wants to be left alone for so long.
    Banned { status: u16, wait_ms: u64 },
    /// The other side closed, or the socket broke.
    Closed(String),
    /// A SUBSCRIBE had no answer in time.
    NotAcknowledged { id: u64, limit_ms: i64 },
    /// The venue answered a SUBSCRIBE with an error.
    Refused { id: Option<u64>, code: Option<i64>, message: String },
    /// Every SUBSCRIBE was acknowledged and no candle followed: the way a retired endpoint dies.
    AcknowledgedButSilent { ms: i64, limit_ms: i64 },
    /// Candles came and then stopped, and mark prices with them.
    Silent { ms: i64, limit_ms: i64 },
    /// A PING was sent and nothing came back, not even a pong: the other side is gone without having said so.
    HalfOpen { limit_ms: i64 },
    /// The feed's own thread ended by a defect; the feed is over and must be made anew.
    Crashed(String),
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::ConnectFailed(detail) => write!(f, "connect_failed: {detail}"),
            Cut::Banned { status, wait_ms } => {
                write!(f, "banned: the venue answered with HTTP {status}; no attempt for {} s", wait_ms.div_ceil(1_000))
            }
            Cut::Closed(detail) => write!(f, "closed: {detail}"),
            Cut::NotAcknowledged { id, limit_ms } => {
                write!(f, "not_acknowledged: no answer to subscription {id} within {limit_ms} ms")
            }
            Cut::Refused { id, code, message } => {
                let id = id.map_or_else(|| "without id".to_owned(), |id| id.to_string());
                let code = code.map_or_else(|| "without code".to_owned(), |code| code.to_string());
                write!(f, "refused: subscription {id}, code {code}: {message}")
            }
            Cut::AcknowledgedButSilent { ms, limit_ms } => {
                write!(f, "acknowledged_but_silent: subscribed, but no candle for {ms} ms (limit {limit_ms})")
            }
            Cut::Silent { ms, limit_ms } => {
                write!(f, "silent: no candle and no mark price for {ms} ms (limit {limit_ms})")
            }
            Cut::HalfOpen { limit_ms } => {
                write!(f, "half_open: nothing heard, not even a pong, for {limit_ms} ms after a ping")
            }
            Cut::Crashed(detail) => write!(f, "crashed: {detail}"),
        }
    }
}

/// One fact, in the order in which it became known. `symbol` is the number of a symbol.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A closed minute.
    Candle { symbol: usize, candle: Candle },
    /// A minute that is still being traded; no decision may read it.
    Running { symbol: usize, candle: Candle },
    /// The price by which positions of a symbol are valued; no decision may read it.
    Mark { symbol: usize, time: i64, price: f64 },
    /// The venue does not give a symbol's streams; the others go on.
    Refused { symbol: usize, message: String },
    /// A connection is open; nothing is subscribed yet.
    Connected,
    /// Every subscription is acknowledged; so many streams.
    Subscribed { streams: usize },
    /// The connection is over, or must be closed now.
    Cut(Cut),
    /// A mark price was refused and skipped; the last one stays.
    BadMark { reason: String },
    /// A frame was refused and skipped; it may have been a closed minute.
    BadFrame { reason: String },
    /// Nothing for so long: from one symbol, or (None) from the whole connection, which is then cut.
    Silent { symbol: Option<usize>, ms: i64 },
    /// The venue announced that it will close this connection.
    Leaving,
    /// A successor for a connection that grew old could not be had; the old one goes on and it is tried again.
    RotationFailed(Cut),
}

/// What a session answers to one call: facts to report and texts to send, both in order.
#[derive(Debug, Default, PartialEq)]
pub struct Output {
    pub events: Vec<Event>,
    pub sends: Vec<String>,
}
