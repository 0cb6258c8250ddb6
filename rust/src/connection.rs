//! One socket with its session: bytes in, texts out, pings, and the clock that the session is given. It decides nothing
//! about candles (the session does) nor about what follows a cut (the shell does).

use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{interval_at, timeout, Instant, Interval, MissedTickBehavior};
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{client_async_tls_with_config, connect_async_with_config, MaybeTlsStream, WebSocketStream};

use crate::event::{Cut, Event, Output};
use crate::proxy::Proxy;
use crate::session::{Session, Symbol};
use crate::venue::Venue;

/// A kline frame has about 350 bytes; what is larger than this is no frame of a venue.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// The library fills its whole buffer with zeros before each read, and a busy market is a thousand reads a second.
const READ_BUFFER_BYTES: usize = 1 << 14;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
const CLOSE_TIMEOUT: Duration = Duration::from_millis(250);
const TICK: Duration = Duration::from_millis(50);
/// How long the thread sleeps after a reading while no minute can close: a wake-up costs more than the frame that it is
/// for, and hundreds of symbols cause a thousand a second.
const REST: Duration = Duration::from_millis(20);
/// Closes come when a minute is over, some of them seconds late: at these ages of a minute (ms) there are none.
const NONE_CLOSES: std::ops::Range<i64> = 10_000..59_000;
/// Messages read in one go before timers and the rest of the shell get their turn.
const BURST: usize = 256;

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Connects by TCP, perhaps through a proxy, TLS (for wss) and WebSocket handshake.
pub async fn dial(venue: Venue, url: &str, proxy: Option<&Proxy>) -> Result<Socket, Cut> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let connecting = async {
        let Some(proxy) = proxy else {
            let connected = connect_async_with_config(url, Some(config), true).await;
            return connected.map(|(socket, _)| socket).map_err(|error| not_connected(venue, &error));
        };
        let (host, port) = place_of(url).map_err(Cut::ConnectFailed)?;
        let stream = proxy.connect(&host, port).await.map_err(Cut::ConnectFailed)?;
        let connected = client_async_tls_with_config(url, stream, Some(config), None).await;
        connected.map(|(socket, _)| socket).map_err(|error| not_connected(venue, &error))
    };
    match timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(answer) => answer,
        Err(_) => Err(Cut::ConnectFailed(format!("no handshake within {} s", CONNECT_TIMEOUT.as_secs()))),
    }
}

/// Why the handshake failed: by a ban, or otherwise.
fn not_connected(venue: Venue, error: &Error) -> Cut {
    if let Error::Http(answer) = error {
        let status = answer.status().as_u16();
        let retry_after_s =
            answer.headers().get("Retry-After").and_then(|text| text.to_str().ok()?.trim().parse().ok());
        if let Some(wait_ms) = venue.ban_ms(status, retry_after_s) {
            return Cut::Banned { status, wait_ms };
        }
    }
    Cut::ConnectFailed(error.to_string())
}

/// Host and port of a ws:// or wss:// address.
fn place_of(url: &str) -> Result<(String, u16), String> {
    let uri: Uri = url.parse().map_err(|error| format!("the address: {error}"))?;
    let host = uri.host().ok_or("the address has no host")?;
    let usual = if uri.scheme_str() == Some("wss") { 443 } else { 80 };
    Ok((host.trim_matches(['[', ']']).to_owned(), uri.port_u16().unwrap_or(usual)))
}

pub struct Connection {
    /// Tells the connections of one feed apart.
    pub number: u64,
    socket: Socket,
    session: Session,
    started: Instant,
    output: Output,
    tick: Interval,
    ping: Interval,
    ping_due: bool,
    /// All that was there is read, and nothing can close for a while.
    rests: bool,
}

impl Connection {
    /// Takes over a fresh socket and subscribes. `started` is where the session's milliseconds begin.
    pub fn new(number: u64, socket: Socket, session: Session, started: Instant, ping_every: Duration) -> Connection {
        let timer = |every: Duration| {
            let mut timer = interval_at(Instant::now() + every, every);
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
            timer
        };
        let mut connection = Connection {
            number,
            socket,
            session,
            started,
            output: Output::default(),
            tick: timer(TICK),
            ping: timer(ping_every),
            ping_due: false,
            rests: false,
        };
        let now_ms = connection.now_ms();
        connection.session.on_open(now_ms, &mut connection.output);
        connection
    }

    fn now_ms(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    pub fn add(&mut self, symbols: Vec<Symbol>) {
        let now_ms = self.now_ms();
        self.session.add(now_ms, symbols, &mut self.output);
    }

    pub fn remove(&mut self, names: &[String]) {
        let now_ms = self.now_ms();
        self.session.remove(now_ms, names, &mut self.output);
    }

    pub fn is_open(&self) -> bool {
        self.session.is_open()
    }

    pub fn is_flowing(&self) -> bool {
        self.session.is_flowing()
    }

    /// Waits for the next thing to happen and lets the session see it. Safe to cancel: nothing is taken from the socket
    /// that the session does not get.
    pub async fn step(&mut self) {
        self.rests = false;
        tokio::select! {
            message = self.socket.next() => {
                let now_ms = self.now_ms();
                self.take(now_ms, message);
                let is_empty = self.take_ready(now_ms);
                self.rests = is_empty && self.session.is_in_time() && may_rest(&self.output.events);
            }
            _ = self.tick.tick() => {
                // What already lies in the socket was not silence: read it before time is judged.
                let now_ms = self.now_ms();
                self.take_ready(now_ms);
                self.session.on_tick(now_ms, &mut self.output);
            }
            _ = self.ping.tick() => self.ping_due = true,
        }
    }

    /// Takes what is there already, up to a burst; tells whether that was all.
    fn take_ready(&mut self, now_ms: i64) -> bool {
        for _ in 0..BURST {
            match self.socket.next().now_or_never() {
                Some(message) if self.session.is_open() => self.take(now_ms, message),
                _ => return true,
            }
        }
        false
    }

    fn take(&mut self, now_ms: i64, message: Option<Result<Message, Error>>) {
        let cut = match message {
            Some(Ok(Message::Text(text))) => return self.session.on_bytes(now_ms, text.as_bytes(), &mut self.output),
            Some(Ok(Message::Binary(bytes))) => return self.session.on_bytes(now_ms, &bytes, &mut self.output),
            // The library answers pings itself.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return self.session.on_sign(),
            Some(Ok(Message::Close(None))) => Cut::Closed("without a reason".to_owned()),
            Some(Ok(Message::Close(Some(frame)))) => Cut::Closed(frame.to_string()),
            Some(Err(error)) => Cut::Closed(error.to_string()),
            None => Cut::Closed("end of stream".to_owned()),
        };
        self.session.on_close(cut, &mut self.output);
    }

    /// Sends what the session and the ping timer want sent; a socket that does not take it is cut.
    pub async fn flush(&mut self) {
        let texts = std::mem::take(&mut self.output.sends);
        let ping = std::mem::take(&mut self.ping_due);
        if !self.session.is_open() || (texts.is_empty() && !ping) {
            return;
        }
        if ping {
            let now_ms = self.now_ms();
            self.session.on_ping(now_ms);
        }
        let sending = async {
            for text in texts {
                self.socket.feed(Message::text(text)).await?;
            }
            if ping {
                self.socket.feed(Message::Ping(Default::default())).await?;
            }
            self.socket.flush().await
        };
        let cut = match timeout(SEND_TIMEOUT, sending).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => Cut::Closed(error.to_string()),
            Err(_) => Cut::Closed(format!("nothing could be sent for {} s", SEND_TIMEOUT.as_secs())),
        };
        self.session.on_close(cut, &mut self.output);
    }

    /// Lets the whole thread sleep, if nothing that matters can come meanwhile: a task that only waited would leave the
    /// socket with the poller, which wakes the thread for each frame all the same.
    pub fn rest(&mut self) {
        if std::mem::take(&mut self.rests) {
            std::thread::sleep(REST);
        }
    }

    /// The events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.output.events)
    }

    /// Says goodbye and hangs up; an other side that does not listen costs a quarter of a second.
    pub async fn close(mut self) {
        // Whether the goodbye arrives changes nothing: the socket is dropped either way.
        let _ = timeout(CLOSE_TIMEOUT, self.socket.close(None)).await;
    }
}

/// Whether all of this is only shown, and the newest running candle says that its minute is far from a close.
fn may_rest(events: &[Event]) -> bool {
    let ages: Option<Vec<Option<i64>>> = events
        .iter()
        .map(|event| match event {
            Event::Running { candle, .. } => Some(Some(candle.event_time - candle.open_time)),
            Event::Mark { .. } => Some(None),
            _ => None,
        })
        .collect();
    ages.and_then(|ages| ages.into_iter().flatten().last()).is_some_and(|age| NONE_CLOSES.contains(&age))
}

#[cfg(test)]
mod tests {
    use super::may_rest;
    use crate::event::{Candle, Event};

    fn at(age_ms: i64) -> Candle {
        let open_time = 1_626_992_700_000;
        Candle { open_time, open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 1.0, event_time: open_time + age_ms }
    }

    fn running(age_ms: i64) -> Event {
        Event::Running { symbol: 0, candle: at(age_ms) }
    }

    #[test]
    fn reading_rests_within_a_minute_and_never_about_its_close() {
        assert!(may_rest(&[running(10_000)]));
        assert!(may_rest(&[running(58_999), Event::Mark { symbol: 0, time: 0, price: 1.0 }]));
        for age in [-1, 0, 9_999, 59_000, 60_000] {
            assert!(!may_rest(&[running(30_000), running(age)]), "{age}");
        }
    }

    #[test]
    fn reading_does_not_rest_after_anything_that_is_not_only_shown() {
        assert!(!may_rest(&[]));
        assert!(!may_rest(&[Event::Mark { symbol: 0, time: 0, price: 1.0 }]), "which tells no minute");
        assert!(!may_rest(&[Event::Candle { symbol: 0, candle: at(60_000) }, running(30_000)]));
        assert!(!may_rest(&[running(30_000), Event::Leaving]));
    }
}
