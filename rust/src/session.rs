//! One connection's conversation, without socket and without clock: what to send, what a frame means, when the other
//! side must be given up. Opening, closing and waiting are left to whoever owns the socket; repairing what was lost is
//! left to the data feed service.

use std::collections::HashMap;

use crate::event::{Cut, Event, Output};
use crate::requests::{blamed, Requests};
use crate::scan::{one_line, shortened};
use crate::venue::{BadArgument, BadFrame, Frame, Refusal, Venue};

/// When patience ends.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A subscribed connection without any candle for so long is given up, and a symbol is told of; 0 waits for ever (a
    /// market that stands still between steps is no dead line). Once a candle has come, mark prices are a line's life
    /// as well: a thin market has them while nobody trades.
    pub silence_ms: i64,
    /// A SUBSCRIBE without an answer for so long ends the connection; 0 waits for ever.
    pub ack_timeout_ms: i64,
    /// A PING after which nothing at all was heard for so long ends the connection; 0 waits for ever. Where markets may
    /// be quiet, only this tells a dead line from a quiet one.
    pub pong_timeout_ms: i64,
}

/// A symbol as the venue spells it in frames, and the number by which events speak of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    pub number: usize,
    pub name: String,
}

/// Numbers names in their order.
pub fn numbered(names: Vec<String>) -> Vec<Symbol> {
    names.into_iter().enumerate().map(|(number, name)| Symbol { number, name }).collect()
}

/// Errors: `BadArgument` unless every name can stand in a stream's name, and each stands there once.
pub fn check_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(), BadArgument> {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        // Letters beyond ASCII exist in real symbols; what would need escapes or split a stream's name does not.
        let sound = |letter: char| letter.is_alphanumeric() || letter == '_';
        if name.is_empty() || !name.chars().all(sound) || name.chars().any(char::is_lowercase) {
            let expected = "capital letters, digits and '_'".to_owned();
            return Err(BadArgument { name: "symbols", expected, was: format!("{name:?}") });
        }
        if !seen.insert(name) {
            let expected = "each symbol once".to_owned();
            return Err(BadArgument { name: "symbols", expected, was: format!("{name:?} twice") });
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Listening {
    symbol: Symbol,
    /// When it was last heard on this connection.
    heard_at: Option<i64>,
    /// Whether its present silence was already reported.
    told: bool,
}

/// The state of one connection after the other; symbols and patience stay.
#[derive(Debug)]
pub struct Session {
    venue: Venue,
    marks: bool,
    symbols: Vec<Listening>,
    places: HashMap<String, usize>,
    patience: Patience,
    open: bool,
    requests: Requests,
    signed_life_at: i64,
    /// When the first PING left after the last sign of the other side.
    pinged_at: Option<i64>,
    /// Whether something was asked for that `Subscribed` has not told of.
    asks: bool,
    subscribed_at: Option<i64>,
    /// When a candle came, or after the first one a mark price.
    last_data: Option<i64>,
}

impl Session {
    /// `names` as the venue spells them in frames (`BTCUSDT`), each once. Errors: `BadArgument` naming the argument.
    pub fn new(venue: Venue, names: Vec<String>, patience: Patience) -> Result<Session, BadArgument> {
        Session::of(venue, numbered(names), patience, false)
    }

    /// The same with numbers of the caller's; `marks` asks for mark prices as well, where the venue has any.
    pub fn of(venue: Venue, symbols: Vec<Symbol>, patience: Patience, marks: bool) -> Result<Session, BadArgument> {
        let marks = marks && venue.has_marks();
        let limit = venue.symbols_per_connection(marks);
        if symbols.is_empty() || symbols.len() > limit {
            let expected = format!("1 to {limit} symbols on one connection (share more over several feeds)");
            return Err(BadArgument { name: "symbols", expected, was: symbols.len().to_string() });
        }
        let Patience { silence_ms, ack_timeout_ms, pong_timeout_ms } = patience;
        for (name, ms) in
            [("silence_ms", silence_ms), ("ack_timeout_ms", ack_timeout_ms), ("pong_timeout_ms", pong_timeout_ms)]
        {
            if ms < 0 {
                return Err(BadArgument { name, expected: "0 (off) or milliseconds".into(), was: ms.to_string() });
            }
        }
        check_names(symbols.iter().map(|symbol| symbol.name.as_str()))?;
        let mut session = Session {
            venue,
            marks,
            symbols: Vec::new(),
            places: HashMap::with_capacity(symbols.len()),
            patience,
            open: false,
            requests: Requests::new(venue),
            signed_life_at: 0,
            pinged_at: None,
            asks: false,
            subscribed_at: None,
            last_data: None,
        };
        session.take_in(symbols);
        Ok(session)
    }

    pub fn symbols(&self) -> Vec<String> {
        self.symbols.iter().map(|listening| listening.symbol.name.clone()).collect()
    }

    /// Between `on_open` and the first `Cut`.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Everything is acknowledged and at least one candle came.
    pub fn is_flowing(&self) -> bool {
        self.open && self.subscribed_at.is_some() && self.last_data.is_some()
    }

    /// A connection is open (after a handshake): subscribe to everything.
    pub fn on_open(&mut self, now_ms: i64, out: &mut Output) {
        self.open = true;
        self.requests.begin();
        self.signed_life_at = now_ms;
        self.pinged_at = None;
        self.subscribed_at = None;
        self.last_data = None;
        for listening in &mut self.symbols {
            (listening.heard_at, listening.told) = (None, false);
        }
        out.events.push(Event::Connected);
        let names = self.symbols();
        self.request(true, &names);
        self.requests.send(now_ms, &mut out.sends);
    }

    /// The connection is gone. A second report of the same end is not an event.
    pub fn on_close(&mut self, cut: Cut, out: &mut Output) {
        if self.open {
            self.open = false;
            out.events.push(Event::Cut(cut));
        }
    }

    /// More symbols, at once if the connection is open; one that is known already is left as it is.
    pub fn add(&mut self, now_ms: i64, symbols: Vec<Symbol>, out: &mut Output) {
        let names = self.take_in(symbols);
        if self.open {
            self.request(true, &names);
            self.requests.send(now_ms, &mut out.sends);
        }
    }

    /// Fewer symbols; what is on its way of them is no stranger's candle, it is forgotten.
    pub fn remove(&mut self, now_ms: i64, names: &[String], out: &mut Output) {
        let known: Vec<String> = names.iter().filter(|name| self.forget(name)).cloned().collect();
        if self.open && !known.is_empty() {
            self.request(false, &known);
            self.requests.send(now_ms, &mut out.sends);
        }
    }

    /// Whether the market's time passes by itself: one that stands still between steps may close a minute at any moment.
    pub fn is_in_time(&self) -> bool {
        self.patience.silence_ms > 0
    }

    /// A PING leaves, of the socket's or of the venue's own kind: something must be heard now.
    pub fn on_ping(&mut self, now_ms: i64) {
        self.pinged_at.get_or_insert(now_ms);
    }

    /// The other side gave a sign of life: any frame, a pong or a ping as well.
    pub fn on_sign(&mut self) {
        self.pinged_at = None;
    }

    /// One whole message arrived. After a `Cut` nothing is read any more: what was in flight is repaired, not trusted.
    pub fn on_bytes(&mut self, now_ms: i64, bytes: &[u8], out: &mut Output) {
        if !self.open {
            return;
        }
        self.on_sign();
        self.venue.read(bytes, |said| self.take(now_ms, said, out));
    }

    fn take(&mut self, now_ms: i64, said: Result<Frame<'_>, BadFrame>, out: &mut Output) {
        match said {
            Ok(Frame::Kline { symbol, closed, candle }) => match self.places.get(symbol.as_ref()) {
                Some(&place) => {
                    let listening = &mut self.symbols[place];
                    self.last_data = Some(now_ms);
                    (listening.heard_at, listening.told) = (Some(now_ms), false);
                    let symbol = listening.symbol.number;
                    let event =
                        if closed { Event::Candle { symbol, candle } } else { Event::Running { symbol, candle } };
                    out.events.push(event);
                }
                None if self.requests.takes_back(&symbol) => {}
                None => {
                    bad(BadFrame::field("k.s", "a subscribed symbol", format_args!("\"{}\"", shortened(&symbol))), out)
                }
            },
            Ok(Frame::Mark { symbol, time, price }) => {
                if let Some(&place) = self.places.get(symbol.as_ref()) {
                    // Marks without any candle are the way a retired endpoint dies, not life.
                    self.last_data = self.last_data.map(|_| now_ms);
                    out.events.push(Event::Mark { symbol: self.symbols[place].symbol.number, time, price });
                }
            }
            Ok(Frame::BadMark(BadFrame { reason })) => out.events.push(Event::BadMark { reason }),
            Ok(Frame::Acknowledged { id }) => self.acknowledged(now_ms, id, out),
            Ok(Frame::Refused(refusal)) => self.refused(now_ms, refusal, out),
            Ok(Frame::ShutdownNotice) => out.events.push(Event::Leaving),
            Ok(Frame::Unrelated) => {}
            Err(error) => bad(error, out),
        }
    }

    /// Time passed: send what pacing held back, and see whether patience ends.
    pub fn on_tick(&mut self, now_ms: i64, out: &mut Output) {
        if !self.open {
            return;
        }
        self.requests.send(now_ms, &mut out.sends);
        if let Some((sign, every_ms)) = self.venue.sign_of_life() {
            if now_ms - self.signed_life_at >= every_ms {
                self.signed_life_at = now_ms;
                self.on_ping(now_ms);
                out.sends.push(sign);
            }
        }
        let limit_ms = self.patience.pong_timeout_ms;
        if self.pinged_at.is_some_and(|pinged_at| limit_ms > 0 && now_ms - pinged_at >= limit_ms) {
            return self.on_close(Cut::HalfOpen { limit_ms }, out);
        }
        let limit_ms = self.patience.ack_timeout_ms;
        if limit_ms > 0 {
            if let Some(id) = self.requests.overdue(now_ms, limit_ms) {
                return self.on_close(Cut::NotAcknowledged { id, limit_ms }, out);
            }
        }
        self.listen(now_ms, out);
    }

    fn take_in(&mut self, symbols: Vec<Symbol>) -> Vec<String> {
        let mut names = Vec::with_capacity(symbols.len());
        for symbol in symbols {
            if !self.places.contains_key(&symbol.name) {
                names.push(symbol.name.clone());
                self.places.insert(symbol.name.clone(), self.symbols.len());
                self.symbols.push(Listening { symbol, heard_at: None, told: false });
            }
        }
        names
    }

    fn forget(&mut self, name: &str) -> bool {
        let Some(place) = self.places.remove(name) else { return false };
        self.symbols.swap_remove(place);
        if let Some(moved) = self.symbols.get(place) {
            self.places.insert(moved.symbol.name.clone(), place);
        }
        true
    }

    fn request(&mut self, subscribes: bool, names: &[String]) {
        let streams: Vec<(String, String)> = names
            .iter()
            .flat_map(|name| self.venue.streams_of(name, self.marks).into_iter().map(|stream| (stream, name.clone())))
            .collect();
        self.requests.want(subscribes, &streams);
        self.asks |= subscribes;
    }

    fn acknowledged(&mut self, now_ms: i64, id: u64, out: &mut Output) {
        if self.requests.answered(id).is_none() {
            return bad(BadFrame::field("id", "that of a subscription without an answer", id), out);
        }
        self.settle(now_ms, out);
    }

    /// The symbol whose stream is refused goes, the others are asked for again and stay. An error that names no message
    /// of ours still means that we do not get what we asked for.
    fn refused(&mut self, now_ms: i64, refusal: Refusal, out: &mut Output) {
        let Refusal { id, code, message, streams: repeated } = refusal;
        let told = one_line(&message);
        let Some(request) = self.requests.refused(id, &repeated, &message) else {
            return self.on_close(Cut::Refused { id, code, message: told }, out);
        };
        if !request.subscribes {
            return self.settle(now_ms, out);
        }
        // Who has left meanwhile is not asked for again.
        let mut streams = request.streams;
        streams.retain(|(_, name)| self.places.contains_key(name));
        let (bad, again) = blamed(streams, &message);
        for (stream, name) in bad {
            if self.venue.gives_already(&message) || self.venue.streams_of(&name, false).first() != Some(&stream) {
                continue; // its minutes come
            }
            let number = self.places.get(&name).map(|&place| self.symbols[place].symbol.number);
            if let (Some(symbol), true) = (number, self.forget(&name)) {
                if self.symbols.is_empty() {
                    return self.on_close(Cut::Refused { id, code, message: told }, out);
                }
                out.events.push(Event::Refused { symbol, message: told.clone() });
            }
        }
        for mut streams in again.into_iter().rev() {
            streams.retain(|(_, name)| self.places.contains_key(name));
            if !streams.is_empty() {
                self.requests.want_first(streams);
            }
        }
        self.requests.send(now_ms, &mut out.sends);
        self.settle(now_ms, out);
    }

    /// Tells once that everything that was asked for is answered.
    fn settle(&mut self, now_ms: i64, out: &mut Output) {
        if self.asks && self.requests.is_settled() {
            self.asks = false;
            self.subscribed_at = self.subscribed_at.or(Some(now_ms));
            let streams = self.symbols.len();
            out.events.push(Event::Subscribed { streams });
        }
    }

    /// Silence of the whole line ends it; silence of one symbol is only told, once: a thin market may simply not trade.
    fn listen(&mut self, now_ms: i64, out: &mut Output) {
        let limit_ms = self.patience.silence_ms;
        let Some(subscribed_at) = self.subscribed_at.filter(|_| limit_ms > 0) else {
            return;
        };
        let ms = now_ms - self.last_data.map_or(subscribed_at, |heard_at| heard_at.max(subscribed_at));
        if ms >= limit_ms && !self.symbols.is_empty() {
            out.events.push(Event::Silent { symbol: None, ms });
            let cut = match self.last_data {
                None => Cut::AcknowledgedButSilent { ms, limit_ms },
                Some(_) => Cut::Silent { ms, limit_ms },
            };
            return self.on_close(cut, out);
        }
        for listening in &mut self.symbols {
            let ms = now_ms - listening.heard_at.unwrap_or(subscribed_at).max(subscribed_at);
            if ms >= limit_ms && !listening.told {
                listening.told = true;
                out.events.push(Event::Silent { symbol: Some(listening.symbol.number), ms });
            }
        }
    }
}

fn bad(error: BadFrame, out: &mut Output) {
    out.events.push(Event::BadFrame { reason: error.reason });
}
