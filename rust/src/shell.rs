//! The life of the line: connect, answer a cut with the next attempt, and replace a connection that grows old before the
//! venue ends it. It decides when there is a connection and which one speaks; what a connection says is the session's.

use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until, Instant};

use crate::backoff::Backoff;
use crate::connection::{dial, Connection, Socket};
use crate::event::{Candle, Cut, Event};
use crate::outbox::Outbox;
use crate::session::{Patience, Session};
use crate::venue::{BadArgument, Venue};

#[derive(Clone, Debug)]
pub struct Settings {
    pub url: String,
    pub venue: Venue,
    pub symbols: Vec<String>,
    pub patience: Patience,
    /// The longest wait between two attempts.
    pub backoff_cap_ms: u64,
    /// The age at which a connection is replaced; the moment lies at random in the last seventh before it.
    pub rotate_ms: u64,
    /// How often a PING leaves.
    pub ping_ms: u64,
}

impl Settings {
    /// Errors: `BadArgument` for what no feed can be made of.
    pub fn check(&self) -> Result<(), BadArgument> {
        let bad = |name, expected: &str, was: String| Err(BadArgument { name, expected: expected.to_owned(), was });
        if !self.url.starts_with("ws://") && !self.url.starts_with("wss://") {
            return bad("url", "an address that begins with ws:// or wss://", format!("{:?}", self.url));
        }
        if self.rotate_ms == 0 {
            return bad("rotate_ms", "milliseconds above 0", "0".to_owned());
        }
        if self.ping_ms == 0 {
            return bad("ping_ms", "milliseconds above 0", "0".to_owned());
        }
        self.session().map(drop)
    }

    fn session(&self) -> Result<Session, BadArgument> {
        Session::new(self.venue, self.symbols.clone(), self.patience)
    }
}

/// Runs the line on this thread until `stop` rings. A defect is reported as a last `Cut` instead of a silent end.
pub fn run(settings: Settings, outbox: Arc<Outbox>, stop: Arc<Notify>) {
    let reporter = Arc::clone(&outbox);
    let life = std::panic::AssertUnwindSafe(move || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        runtime.block_on(Line::new(settings, outbox).live(&stop));
        // Without waiting: a name lookup in its own thread could hold up the end for many seconds.
        runtime.shutdown_background();
        Ok::<(), String>(())
    });
    let detail = match std::panic::catch_unwind(life) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(_) => "the feed's thread panicked (its message is on standard error); make the feed anew".to_owned(),
    };
    reporter.push([Event::Cut(Cut::Crashed(detail))]);
}

type Dial = Pin<Box<dyn Future<Output = Result<Box<Socket>, Cut>>>>;

enum Happening {
    Stop,
    Room,
    Lead,
    Next,
    Dialled(Result<Box<Socket>, Cut>),
    Old,
}

struct Line {
    settings: Settings,
    outbox: Arc<Outbox>,
    started: Instant,
    backoff: Backoff,
    connections: u64,
    /// The connection whose word counts.
    lead: Option<Connection>,
    rotate_at: Instant,
    /// Its successor, until it has proved that data flows; what it says about itself is held back so long.
    next: Option<Connection>,
    held: Vec<Event>,
    dial: Option<Dial>,
    /// Per symbol: the last closed candle, and which connection brought it.
    last: Vec<Option<(u64, Candle)>>,
}

impl Line {
    fn new(settings: Settings, outbox: Arc<Outbox>) -> Line {
        let now = Instant::now();
        Line {
            backoff: Backoff::new(settings.backoff_cap_ms),
            last: vec![None; settings.symbols.len()],
            settings,
            outbox,
            started: now,
            connections: 0,
            lead: None,
            rotate_at: now,
            next: None,
            held: Vec::new(),
            dial: None,
        }
    }

    async fn live(mut self, stop: &Notify) {
        self.start_dial();
        loop {
            match self.happening(stop).await {
                Happening::Stop => break,
                Happening::Room => {}
                Happening::Lead => self.hear_lead().await,
                Happening::Next => self.hear_next().await,
                Happening::Dialled(result) => self.dialled(result).await,
                Happening::Old => self.start_dial(),
            }
        }
        for connection in [self.lead.take(), self.next.take()].into_iter().flatten() {
            connection.close().await;
        }
    }

    async fn happening(&mut self, stop: &Notify) -> Happening {
        let full = self.outbox.is_full();
        let alone = self.lead.is_some() && self.next.is_none() && self.dial.is_none();
        // The branches take turns at random, so that a flood on one socket starves nobody.
        tokio::select! {
            () = stop.notified() => Happening::Stop,
            () = self.outbox.space(), if full => Happening::Room,
            () = step(&mut self.lead), if self.lead.is_some() && !full => Happening::Lead,
            () = step(&mut self.next), if self.next.is_some() && !full => Happening::Next,
            result = answer(&mut self.dial), if self.dial.is_some() => Happening::Dialled(result),
            () = sleep_until(self.rotate_at), if alone => Happening::Old,
        }
    }

    fn start_dial(&mut self) {
        let wait = Duration::from_millis(self.backoff.next(chance()));
        let url = self.settings.url.clone();
        self.dial = Some(Box::pin(async move {
            sleep(wait).await;
            dial(&url).await.map(Box::new)
        }));
    }

    async fn dialled(&mut self, result: Result<Box<Socket>, Cut>) {
        self.dial = None;
        let socket = match result {
            Ok(socket) => socket,
            Err(cut) => {
                self.outbox.push([if self.lead.is_some() { Event::RotationFailed(cut) } else { Event::Cut(cut) }]);
                return self.start_dial();
            }
        };
        let session = match self.settings.session() {
            Ok(session) => session,
            // Checked before the thread began; were it to happen, the panic is reported by `run`.
            Err(error) => unreachable!("{error}"),
        };
        self.connections += 1;
        let ping_every = Duration::from_millis(self.settings.ping_ms);
        let connection = Connection::new(self.connections, *socket, session, self.started, ping_every);
        if self.lead.is_some() {
            self.next = Some(connection);
            self.hear_next().await;
        } else {
            self.promote(connection);
            self.hear_lead().await;
        }
    }

    fn promote(&mut self, connection: Connection) {
        let whole = self.settings.rotate_ms;
        let age = whole - chance() % (whole / 7 + 1);
        // A century instead of an overflow: an age that nobody will see.
        let age = Duration::from_millis(age.min(3_155_760_000_000));
        self.rotate_at = Instant::now() + age;
        self.lead = Some(connection);
    }

    async fn hear_lead(&mut self) {
        let Some(lead) = &mut self.lead else { return };
        lead.flush().await;
        let (number, flowing, open) = (lead.number, lead.is_flowing(), lead.is_open());
        let mut events = lead.take_events();
        if flowing && self.next.is_none() && self.dial.is_none() {
            self.backoff.reset();
        }
        let leaving = events.contains(&Event::Leaving);
        events.retain(|event| self.is_news(number, event));
        self.outbox.push(events);
        if !open {
            self.lead = None;
            if let Some(next) = self.next.take() {
                self.promote(next);
                self.outbox.push(std::mem::take(&mut self.held));
            } else if self.dial.is_none() {
                self.start_dial();
            }
        } else if leaving && self.next.is_none() && self.dial.is_none() {
            self.start_dial();
        }
    }

    async fn hear_next(&mut self) {
        let Some(next) = &mut self.next else { return };
        next.flush().await;
        let (number, flowing, open) = (next.number, next.is_flowing(), next.is_open());
        let mut facts = Vec::new();
        for event in next.take_events() {
            match event {
                Event::Candle { .. } => facts.push(event),
                // The lead still speaks for the running minute.
                Event::Running { .. } => {}
                Event::Cut(cut) => facts.push(Event::RotationFailed(cut)),
                other => self.held.push(other),
            }
        }
        facts.retain(|event| self.is_news(number, event));
        if !open {
            self.next = None;
            self.held.clear();
            self.outbox.push(facts);
            self.start_dial();
        } else if flowing {
            // It introduces itself before it speaks.
            self.outbox.push(std::mem::take(&mut self.held));
            self.outbox.push(facts);
            let Some(next) = self.next.take() else { return };
            let old = self.lead.take();
            self.promote(next);
            self.backoff.reset();
            if let Some(old) = old {
                tokio::spawn(old.close());
            }
        } else {
            self.outbox.push(facts);
        }
    }

    /// A candle that another connection already brought with the same numbers is told once. A venue that repeats itself
    /// on one connection is passed on: what that means is the service's to say.
    fn is_news(&mut self, number: u64, event: &Event) -> bool {
        let Event::Candle { symbol, candle } = event else { return true };
        if let Some((bringer, known)) = &self.last[*symbol] {
            if *bringer != number && known.same_facts(candle) {
                return false;
            }
        }
        self.last[*symbol] = Some((number, *candle));
        true
    }
}

async fn step(connection: &mut Option<Connection>) {
    match connection {
        Some(connection) => connection.step().await,
        None => std::future::pending().await,
    }
}

async fn answer(dial: &mut Option<Dial>) -> Result<Box<Socket>, Cut> {
    match dial {
        Some(dial) => dial.await,
        None => std::future::pending().await,
    }
}

/// A number that differs from call to call and from process to process: enough to keep many feeds from knocking at once.
fn chance() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
