//! The life of one line: connect, answer a cut with the next attempt, and replace a connection that grows old before the
//! venue ends it. It decides when there is a connection and which one speaks; what a connection says is the session's.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep_until, Instant};

use crate::backoff::Backoff;
use crate::budget::Budget;
use crate::connection::{dial, Connection, Socket};
use crate::event::{Candle, Cut, Event};
use crate::outbox::Outbox;
use crate::proxy::Proxy;
use crate::session::{check_names, Patience, Session, Symbol};
use crate::venue::{BadArgument, Venue};

#[derive(Clone, Debug)]
pub struct Settings {
    pub url: String,
    pub venue: Venue,
    pub symbols: Vec<Symbol>,
    pub patience: Patience,
    /// Whether mark prices are asked for as well.
    pub marks: bool,
    pub proxy: Option<Proxy>,
    /// Symbols on one connection; 0: as many as the venue takes.
    pub symbols_per_connection: usize,
    /// The longest wait between two attempts.
    pub backoff_cap_ms: u64,
    /// Between which ages (s) a connection is replaced; the moment is drawn, so that not all of them go at once.
    pub rotate_after_s: (f64, f64),
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
        let (low, high) = self.rotate_after_s;
        if !(low > 0.0 && low <= high && high.is_finite()) {
            return bad(
                "rotate_after_s",
                "two ages in seconds above 0, the lower one first",
                format!("{low} to {high}"),
            );
        }
        if self.ping_ms == 0 {
            return bad("ping_ms", "milliseconds above 0", "0".to_owned());
        }
        let most = self.venue.symbols_per_connection(self.marks);
        if self.symbols_per_connection > most {
            let was = self.symbols_per_connection.to_string();
            return bad("symbols_per_connection", &format!("at most {most}, or 0 for that"), was);
        }
        check_names(self.symbols.iter().map(|symbol| symbol.name.as_str()))?;
        // The patience is checked by the session; a feed without symbols gets its first one later.
        let first = self.symbols.first().cloned().unwrap_or(Symbol { number: 0, name: "NONE".to_owned() });
        Session::of(self.venue, vec![first], self.patience, self.marks).map(drop)
    }

    /// How many symbols one connection gets.
    pub fn share(&self) -> usize {
        match self.symbols_per_connection {
            0 => self.venue.symbols_per_connection(self.marks),
            wanted => wanted,
        }
    }

    fn session(&self) -> Result<Session, BadArgument> {
        Session::of(self.venue, self.symbols.clone(), self.patience, self.marks)
    }
}

type Dial = Pin<Box<dyn Future<Output = Result<Box<Socket>, Cut>>>>;

/// A change of what a line listens to.
#[derive(Debug)]
pub enum Command {
    Add(Vec<Symbol>),
    Remove(Vec<String>),
}

enum Happening {
    Told(Option<Command>),
    Room,
    Lead,
    Next,
    Dialled(Result<Box<Socket>, Cut>),
    Old,
}

pub struct Line {
    settings: Settings,
    outbox: Arc<Outbox>,
    commands: UnboundedReceiver<Command>,
    budget: Rc<RefCell<Budget>>,
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
    /// By the number of a symbol: the last closed candle, and which connection brought it.
    last: HashMap<usize, (u64, Candle)>,
}

impl Line {
    /// `settings.symbols` are those of this line; it ends when the other end of `commands` is gone.
    pub fn new(
        settings: Settings,
        outbox: Arc<Outbox>,
        commands: UnboundedReceiver<Command>,
        budget: Rc<RefCell<Budget>>,
    ) -> Line {
        let now = Instant::now();
        Line {
            backoff: Backoff::new(settings.backoff_cap_ms),
            last: HashMap::new(),
            settings,
            outbox,
            commands,
            budget,
            started: now,
            connections: 0,
            lead: None,
            rotate_at: now,
            next: None,
            held: Vec::new(),
            dial: None,
        }
    }

    pub async fn live(mut self) {
        self.start_dial();
        loop {
            match self.happening().await {
                Happening::Told(None) => break,
                Happening::Told(Some(command)) => self.change(command).await,
                Happening::Room => {}
                Happening::Lead => {
                    self.hear_lead().await;
                    self.rest();
                }
                Happening::Next => self.hear_next().await,
                Happening::Dialled(result) => self.dialled(result).await,
                Happening::Old => self.start_dial(),
            }
        }
        for connection in [self.lead.take(), self.next.take()].into_iter().flatten() {
            connection.close().await;
        }
    }

    async fn happening(&mut self) -> Happening {
        let full = self.outbox.is_full();
        let alone = self.lead.is_some() && self.next.is_none() && self.dial.is_none();
        // The branches take turns at random, so that a flood on one socket starves nobody.
        tokio::select! {
            command = self.commands.recv() => Happening::Told(command),
            () = self.outbox.space(), if full => Happening::Room,
            () = step(&mut self.lead), if self.lead.is_some() && !full => Happening::Lead,
            () = step(&mut self.next), if self.next.is_some() && !full => Happening::Next,
            result = answer(&mut self.dial), if self.dial.is_some() => Happening::Dialled(result),
            () = sleep_until(self.rotate_at), if alone => Happening::Old,
        }
    }

    /// The connection that is spoken to, and its successor, hear of a change at once; later ones begin with it.
    async fn change(&mut self, command: Command) {
        match command {
            Command::Add(symbols) => {
                for connection in [&mut self.lead, &mut self.next].into_iter().flatten() {
                    connection.add(symbols.clone());
                }
                self.settings.symbols.extend(symbols);
            }
            Command::Remove(names) => {
                for connection in [&mut self.lead, &mut self.next].into_iter().flatten() {
                    connection.remove(&names);
                }
                let last = &mut self.last;
                self.settings.symbols.retain(|symbol| {
                    let stays = !names.contains(&symbol.name);
                    if !stays {
                        last.remove(&symbol.number);
                    }
                    stays
                });
            }
        }
        self.hear_lead().await;
        self.hear_next().await;
    }

    fn start_dial(&mut self) {
        let wished = Instant::now() + Duration::from_millis(self.backoff.next(chance()));
        let budget = Rc::clone(&self.budget);
        let (venue, url, proxy) = (self.settings.venue, self.settings.url.clone(), self.settings.proxy.clone());
        self.dial = Some(Box::pin(async move {
            sleep_until(wished).await;
            let at = budget.borrow_mut().take(Instant::now());
            sleep_until(at).await;
            loop {
                let Some(until) = budget.borrow().banned_at(Instant::now()) else { break };
                sleep_until(until).await;
            }
            dial(venue, &url, proxy.as_ref()).await.map(Box::new)
        }));
    }

    async fn dialled(&mut self, result: Result<Box<Socket>, Cut>) {
        self.dial = None;
        let socket = match result {
            Ok(socket) => socket,
            Err(cut) => {
                if let Cut::Banned { wait_ms, .. } = cut {
                    self.budget.borrow_mut().ban(Instant::now() + Duration::from_millis(wait_ms));
                }
                self.outbox.push([if self.lead.is_some() { Event::RotationFailed(cut) } else { Event::Cut(cut) }]);
                return self.start_dial();
            }
        };
        if self.settings.symbols.is_empty() {
            return; // all of them went while it was dialled; the line is about to end
        }
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
        self.rotate_at = Instant::now() + age_between(self.settings.rotate_after_s, chance());
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

    /// Rests with the connection that speaks, while no other is under way.
    fn rest(&mut self) {
        if let (Some(lead), None, None) = (&mut self.lead, &self.next, &self.dial) {
            lead.rest();
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
                Event::Running { .. } | Event::Mark { .. } => {}
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
        if let Some((bringer, known)) = self.last.get(symbol) {
            if *bringer != number && known.same_facts(candle) {
                return false;
            }
        }
        self.last.insert(*symbol, (number, *candle));
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

/// An age from `low` to `high` seconds, uniformly for a uniform `chance`.
fn age_between((low, high): (f64, f64), chance: u64) -> Duration {
    let age = low + (high - low) * (chance as f64 / u64::MAX as f64);
    // A century instead of an overflow: an age that nobody will see.
    Duration::from_secs_f64(age.min(3_155_760_000.0))
}

/// A number that differs from call to call and from process to process: enough to keep many feeds from knocking at once.
fn chance() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::age_between;

    #[test]
    fn connections_are_replaced_after_20_to_23_hours_evenly_spread() {
        let hours = |chance| age_between((72_000.0, 82_800.0), chance).as_secs_f64() / 3_600.0;
        assert_eq!((hours(0), hours(u64::MAX / 2), hours(u64::MAX)), (20.0, 21.5, 23.0));
        assert_eq!(age_between((0.2, 0.2), 7).as_millis(), 200);
        assert!(age_between((1e300, 1e300), 7).as_secs() > 0);
    }
}
