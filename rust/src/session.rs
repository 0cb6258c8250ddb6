//! One connection's conversation, without socket and without clock: what to send, what a frame means, when the other
//! side must be given up. Opening, closing and waiting are left to whoever owns the socket; repairing what was lost is
//! left to the data feed service.

use std::collections::{HashMap, VecDeque};

use crate::event::{Cut, Event, Output};
use crate::scan::shortened;
use crate::venue::{BadArgument, BadFrame, Frame, Venue, INTERVAL_MS};

const SECOND_MS: i64 = 1_000;

/// When patience ends.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A subscribed connection without any candle for so long is given up; 0 waits for ever (a market that stands still
    /// between steps is no dead line).
    pub silence_ms: i64,
    /// A SUBSCRIBE without an answer for so long ends the connection; 0 waits for ever.
    pub ack_timeout_ms: i64,
}

/// The state of one connection after the other; symbols and patience stay.
#[derive(Debug)]
pub struct Session {
    venue: Venue,
    symbols: Vec<String>,
    places: HashMap<String, usize>,
    patience: Patience,
    open: bool,
    next_id: u64,
    /// Where the part of `symbols` begins that no SUBSCRIBE has named yet.
    unasked_from: usize,
    /// SUBSCRIBE ids without an answer, with the time each was sent.
    unanswered: Vec<(u64, i64)>,
    /// When the last few messages left, oldest first.
    sent_at: VecDeque<i64>,
    signed_life_at: i64,
    subscribed_at: Option<i64>,
    last_data: Option<i64>,
    /// Per symbol: when it was last heard.
    heard_at: Vec<Option<i64>>,
    /// Per symbol: whether its present silence was already reported.
    told: Vec<bool>,
}

impl Session {
    /// `symbols` as the venue spells them in frames (`BTCUSDT`), each once. Errors: `BadArgument` naming the argument.
    pub fn new(venue: Venue, symbols: Vec<String>, patience: Patience) -> Result<Session, BadArgument> {
        let limit = venue.streams_per_connection();
        if symbols.is_empty() || symbols.len() > limit {
            let expected = format!("1 to {limit} symbols on one connection (share more over several feeds)");
            return Err(BadArgument { name: "symbols", expected, was: symbols.len().to_string() });
        }
        for (name, ms) in [("silence_ms", patience.silence_ms), ("ack_timeout_ms", patience.ack_timeout_ms)] {
            if ms < 0 {
                return Err(BadArgument { name, expected: "0 (off) or milliseconds".into(), was: ms.to_string() });
            }
        }
        let mut places = HashMap::with_capacity(symbols.len());
        for (place, symbol) in symbols.iter().enumerate() {
            // Letters beyond ASCII exist in real symbols; what would need escapes or split a stream's name does not.
            let sound = |letter: char| letter.is_alphanumeric() || letter == '_';
            if symbol.is_empty() || !symbol.chars().all(sound) || symbol.chars().any(char::is_lowercase) {
                let expected = "capital letters, digits and '_'".to_owned();
                return Err(BadArgument { name: "symbols", expected, was: format!("{symbol:?}") });
            }
            if places.insert(symbol.clone(), place).is_some() {
                return Err(BadArgument {
                    name: "symbols",
                    expected: "each symbol once".into(),
                    was: format!("{symbol:?} twice"),
                });
            }
        }
        let count = symbols.len();
        Ok(Session {
            venue,
            symbols,
            places,
            patience,
            open: false,
            next_id: 1,
            unasked_from: count,
            unanswered: Vec::new(),
            sent_at: VecDeque::new(),
            signed_life_at: 0,
            subscribed_at: None,
            last_data: None,
            heard_at: vec![None; count],
            told: vec![false; count],
        })
    }

    pub fn symbols(&self) -> &[String] {
        &self.symbols
    }

    /// Between `on_open` and the first `Cut`.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Everything is acknowledged and at least one candle came.
    pub fn is_flowing(&self) -> bool {
        self.open && self.subscribed_at.is_some() && self.last_data.is_some()
    }

    /// A connection is open (after a handshake): subscribe to everything. Ids go on from earlier connections, so that a
    /// late answer of an old one answers nothing.
    pub fn on_open(&mut self, now_ms: i64, out: &mut Output) {
        self.open = true;
        self.unasked_from = 0;
        self.unanswered.clear();
        self.sent_at.clear();
        self.signed_life_at = now_ms;
        self.subscribed_at = None;
        self.last_data = None;
        self.heard_at.fill(None);
        self.told.fill(false);
        out.events.push(Event::Connected);
        self.ask(now_ms, out);
    }

    /// The connection is gone. A second report of the same end is not an event.
    pub fn on_close(&mut self, cut: Cut, out: &mut Output) {
        if self.open {
            self.open = false;
            out.events.push(Event::Cut(cut));
        }
    }

    /// One whole message arrived. After a `Cut` nothing is read any more: what was in flight is repaired, not trusted.
    pub fn on_bytes(&mut self, now_ms: i64, bytes: &[u8], out: &mut Output) {
        if !self.open {
            return;
        }
        match self.venue.read(bytes) {
            Ok(Frame::Kline { symbol, closed, candle }) => match self.places.get(symbol.as_ref()) {
                Some(&symbol) => {
                    self.last_data = Some(now_ms);
                    self.heard_at[symbol] = Some(now_ms);
                    self.told[symbol] = false;
                    let event =
                        if closed { Event::Candle { symbol, candle } } else { Event::Running { symbol, candle } };
                    out.events.push(event);
                }
                None => {
                    bad(BadFrame::field("k.s", "a subscribed symbol", format_args!("\"{}\"", shortened(&symbol))), out)
                }
            },
            Ok(Frame::Acknowledged { id }) => self.acknowledged(now_ms, id, out),
            // An error that names no request of ours still means that we are not getting what we asked for.
            Ok(Frame::Refused { id, code, message }) => self.on_close(Cut::Refused { id, code, message }, out),
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
        self.ask(now_ms, out);
        if let Some((sign, every_ms)) = self.venue.sign_of_life() {
            if now_ms - self.signed_life_at >= every_ms {
                self.signed_life_at = now_ms;
                out.sends.push(sign);
            }
        }
        let limit_ms = self.patience.ack_timeout_ms;
        if limit_ms > 0 {
            if let Some(&(id, _)) = self.unanswered.iter().find(|(_, sent_at)| now_ms - sent_at >= limit_ms) {
                return self.on_close(Cut::NotAcknowledged { id, limit_ms }, out);
            }
        }
        self.listen(now_ms, out);
    }

    /// Sends SUBSCRIBE messages as far as the venue's pace allows now.
    fn ask(&mut self, now_ms: i64, out: &mut Output) {
        while self.unasked_from < self.symbols.len() {
            while self.sent_at.front().is_some_and(|sent_at| now_ms - sent_at >= SECOND_MS) {
                self.sent_at.pop_front();
            }
            if self.sent_at.len() >= self.venue.messages_per_second() {
                return;
            }
            let end = self.symbols.len().min(self.unasked_from + self.venue.streams_per_message());
            out.sends.push(self.venue.subscribe(self.next_id, &self.symbols[self.unasked_from..end]));
            self.unanswered.push((self.next_id, now_ms));
            self.sent_at.push_back(now_ms);
            self.next_id += 1;
            self.unasked_from = end;
        }
    }

    fn acknowledged(&mut self, now_ms: i64, id: u64, out: &mut Output) {
        let Some(place) = self.unanswered.iter().position(|(waiting, _)| *waiting == id) else {
            return bad(BadFrame::field("id", "that of a subscription without an answer", id), out);
        };
        self.unanswered.remove(place);
        if self.unanswered.is_empty() && self.unasked_from == self.symbols.len() {
            self.subscribed_at = Some(now_ms);
            out.events.push(Event::Subscribed { streams: self.symbols.len() });
        }
    }

    /// Silence of the whole line ends it; silence of one symbol is only told, once: a thin market may simply not trade.
    fn listen(&mut self, now_ms: i64, out: &mut Output) {
        let limit_ms = self.patience.silence_ms;
        let Some(subscribed_at) = self.subscribed_at.filter(|_| limit_ms > 0) else {
            return;
        };
        let ms = now_ms - self.last_data.map_or(subscribed_at, |heard_at| heard_at.max(subscribed_at));
        if ms >= limit_ms {
            out.events.push(Event::Silent { symbol: None, ms });
            let cut = match self.last_data {
                None => Cut::AcknowledgedButSilent { ms, limit_ms },
                Some(_) => Cut::Silent { ms, limit_ms },
            };
            return self.on_close(cut, out);
        }
        // Each minute owes at least one frame, so a symbol gets a whole interval on top.
        for (symbol, heard_at) in self.heard_at.iter().enumerate() {
            let ms = now_ms - heard_at.unwrap_or(subscribed_at).max(subscribed_at);
            if ms >= INTERVAL_MS + limit_ms && !self.told[symbol] {
                self.told[symbol] = true;
                out.events.push(Event::Silent { symbol: Some(symbol), ms });
            }
        }
    }
}

fn bad(error: BadFrame, out: &mut Output) {
    out.events.push(Event::BadFrame { reason: error.reason });
}
