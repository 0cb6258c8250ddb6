//! All lines of one feed, on one thread: symbols are shared out over as many connections as they need, and who joins
//! later gets a place on one of them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver, UnboundedSender};
use tokio::task::{JoinHandle, LocalSet};

use crate::budget::Budget;
use crate::event::{Cut, Event};
use crate::outbox::Outbox;
use crate::session::Symbol;
use crate::shell::{Command, Line, Settings};

/// Runs the feed on this thread until the other end of `commands` is gone. A defect is reported as a last `Cut` instead
/// of a silent end.
pub fn run(settings: Settings, outbox: Arc<Outbox>, commands: UnboundedReceiver<Command>) {
    let reporter = Arc::clone(&outbox);
    let life = std::panic::AssertUnwindSafe(move || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        let defect = LocalSet::new().block_on(&runtime, Shards::new(settings, outbox).live(commands));
        // Without waiting: a name lookup in its own thread could hold up the end for many seconds.
        runtime.shutdown_background();
        defect
    });
    let detail = match std::panic::catch_unwind(life) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(_) => DEFECT.to_owned(),
    };
    reporter.push([Event::Cut(Cut::Crashed(detail))]);
}

const DEFECT: &str = "the feed's thread panicked (its message is on standard error); make the feed anew";

struct Shard {
    names: Vec<String>,
    commands: UnboundedSender<Command>,
    life: JoinHandle<()>,
}

struct Shards {
    settings: Settings,
    outbox: Arc<Outbox>,
    budget: Rc<RefCell<Budget>>,
    shards: Vec<Shard>,
}

impl Shards {
    fn new(settings: Settings, outbox: Arc<Outbox>) -> Shards {
        let budget = Rc::new(RefCell::new(Budget::new(settings.venue.attempts_per_window())));
        Shards { settings, outbox, budget, shards: Vec::new() }
    }

    async fn live(mut self, mut commands: UnboundedReceiver<Command>) -> Result<(), String> {
        let symbols = std::mem::take(&mut self.settings.symbols);
        self.add(symbols);
        let mut watch = tokio::time::interval(std::time::Duration::from_secs(1));
        loop {
            tokio::select! {
                command = commands.recv() => match command {
                    None => break,
                    Some(Command::Add(symbols)) => self.add(symbols),
                    Some(Command::Remove(names)) => self.remove(&names),
                },
                _ = watch.tick() => {
                    // A line ends only when it is told to: one that has is a defect.
                    if self.shards.iter().any(|shard| shard.life.is_finished()) {
                        return Err(DEFECT.to_owned());
                    }
                }
            }
        }
        for shard in self.shards {
            drop(shard.commands);
            if shard.life.await.is_err() {
                return Err(DEFECT.to_owned());
            }
        }
        Ok(())
    }

    /// Fills the places that are free, then opens lines as they are needed.
    fn add(&mut self, symbols: Vec<Symbol>) {
        let share = self.settings.share();
        let known = |shards: &[Shard], name: &String| shards.iter().any(|shard| shard.names.contains(name));
        let mut left: Vec<Symbol> = symbols.into_iter().filter(|symbol| !known(&self.shards, &symbol.name)).collect();
        for shard in &mut self.shards {
            let taken: Vec<Symbol> = left.drain(..left.len().min(share.saturating_sub(shard.names.len()))).collect();
            if !taken.is_empty() {
                shard.names.extend(taken.iter().map(|symbol| symbol.name.clone()));
                // A line that is gone is found by the watch.
                let _ = shard.commands.send(Command::Add(taken));
            }
        }
        for chunk in left.chunks(share) {
            self.open(chunk.to_vec());
        }
    }

    fn open(&mut self, symbols: Vec<Symbol>) {
        let (sender, receiver) = unbounded_channel();
        let names = symbols.iter().map(|symbol| symbol.name.clone()).collect();
        let settings = Settings { symbols, ..self.settings.clone() };
        let line = Line::new(settings, Arc::clone(&self.outbox), receiver, Rc::clone(&self.budget));
        let life = tokio::task::spawn_local(line.live());
        self.shards.push(Shard { names, commands: sender, life });
    }

    /// Takes symbols off their lines; one that has none left hangs up.
    fn remove(&mut self, names: &[String]) {
        for shard in &mut self.shards {
            let gone: Vec<String> = names.iter().filter(|name| shard.names.contains(name)).cloned().collect();
            shard.names.retain(|name| !gone.contains(name));
            if !gone.is_empty() && !shard.names.is_empty() {
                let _ = shard.commands.send(Command::Remove(gone));
            }
        }
        self.shards.retain(|shard| !shard.names.is_empty());
    }
}
