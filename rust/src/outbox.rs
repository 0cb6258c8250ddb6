//! The bounded queue between the feed's thread and Python. It decides what may be lost when Python is slow: of what is only
//! shown, running candles and mark prices, the newest per symbol is enough. Everything else waits, and the socket waits
//! with it. It decides as well when the bell rings: at once, but for what is only shown a few times a second.

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::event::Event;
use crate::wake::Wake;

/// How often the bell rings for what is only shown. Hundreds of symbols say a thousand such things a second, each of
/// which would wake Python by itself; a venue says them of one symbol no oftener than this.
const SHOWN_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub struct Outbox {
    queue: Mutex<Queue>,
    wake: Wake,
    space: Notify,
    limit: usize,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    /// Per symbol: where its newest running candle waits, and of which minute it is.
    running: Vec<Option<(usize, i64)>>,
    /// Per symbol: where its newest mark price waits.
    marks: Vec<Option<usize>>,
    /// Something waits that is not only shown.
    urgent: bool,
    /// The bell has rung for what waits.
    rung: bool,
    rung_at: Option<Instant>,
}

impl Queue {
    /// Whether the bell must ring now, and note that it does. A queue of `limit` events waits for nothing but a drain.
    fn rings(&mut self, now: Instant, limit: usize) -> bool {
        let due = self.rung_at.map_or(true, |at| now.saturating_duration_since(at) >= SHOWN_EVERY);
        if self.rung || self.events.is_empty() || !(self.urgent || due || self.events.len() >= limit) {
            return false;
        }
        self.rung = true;
        self.rung_at = Some(now);
        true
    }
}

/// The place of a symbol in a list that grows with the symbols.
fn place<T: Clone>(places: &mut Vec<Option<T>>, symbol: usize) -> &mut Option<T> {
    if places.len() <= symbol {
        places.resize(symbol + 1, None);
    }
    &mut places[symbol]
}

impl Outbox {
    /// A queue for `symbols` symbols that counts as full at `limit` events.
    pub fn new(symbols: usize, limit: usize) -> io::Result<Outbox> {
        let queue = Queue { running: vec![None; symbols], marks: vec![None; symbols], ..Queue::default() };
        Ok(Outbox { queue: Mutex::new(queue), wake: Wake::new()?, space: Notify::new(), limit })
    }

    /// A poisoned lock means that a thread died between two whole changes: the queue itself is sound.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Readable while something waits that is due.
    pub fn fileno(&self) -> RawFd {
        self.wake.fileno()
    }

    /// Appends events and rings once if what waits is due. Takes more than the limit rather than lose a fact; the
    /// caller asks `is_full` before it reads on. To be called now and then even without events, for what is due later.
    pub fn push(&self, events: impl IntoIterator<Item = Event>) {
        self.push_at(Instant::now(), events);
    }

    fn push_at(&self, now: Instant, events: impl IntoIterator<Item = Event>) {
        let mut queue = self.lock();
        for event in events {
            let Queue { events: waiting, running, marks, urgent, .. } = &mut *queue;
            match &event {
                Event::Running { symbol, candle } => match place(running, *symbol) {
                    Some((at, open_time)) if *open_time == candle.open_time => {
                        waiting[*at] = event;
                        continue;
                    }
                    _ if waiting.len() >= self.limit => continue,
                    empty => *empty = Some((waiting.len(), candle.open_time)),
                },
                Event::Mark { symbol, .. } => match place(marks, *symbol) {
                    Some(at) => {
                        waiting[*at] = event;
                        continue;
                    }
                    _ if waiting.len() >= self.limit => continue,
                    empty => *empty = Some(waiting.len()),
                },
                Event::Candle { symbol, .. } => {
                    // A running candle that comes after this close must not be written in front of it.
                    *place(running, *symbol) = None;
                    *urgent = true;
                }
                _ => *urgent = true,
            }
            waiting.push_back(event);
        }
        let rings = queue.rings(now, self.limit);
        drop(queue);
        if rings {
            self.wake.ring();
        }
    }

    pub fn is_full(&self) -> bool {
        self.lock().events.len() >= self.limit
    }

    /// Returns when a drain made room (at once if one has since the last wait).
    pub async fn space(&self) {
        self.space.notified().await;
    }

    /// Takes everything that waits, oldest first.
    pub fn drain(&self) -> VecDeque<Event> {
        // Hush first: an event that comes in between rings again, and the worst is a wake-up for nothing.
        self.wake.hush();
        let mut queue = self.lock();
        queue.running.fill(None);
        queue.marks.fill(None);
        (queue.urgent, queue.rung) = (false, false);
        let events = std::mem::take(&mut queue.events);
        drop(queue);
        self.space.notify_one();
        events
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Outbox, SHOWN_EVERY};
    use crate::event::{Candle, Event};

    fn candle(minute: i64, close: f64) -> Candle {
        let open_time = minute * 60_000;
        Candle { open_time, open: close, high: close, low: close, close, volume: 1.0, event_time: open_time }
    }

    fn running(symbol: usize, minute: i64, close: f64) -> Event {
        Event::Running { symbol, candle: candle(minute, close) }
    }

    fn closed(symbol: usize, minute: i64, close: f64) -> Event {
        Event::Candle { symbol, candle: candle(minute, close) }
    }

    fn mark(symbol: usize, price: f64) -> Event {
        Event::Mark { symbol, time: 0, price }
    }

    fn readable(outbox: &Outbox) -> bool {
        let mut poll = libc::pollfd { fd: outbox.fileno(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd for the length of the call.
        unsafe { libc::poll(&mut poll, 1, 0) == 1 }
    }

    #[test]
    fn running_candles_of_one_minute_are_merged_and_closed_ones_keep_their_place() {
        let outbox = Outbox::new(2, 100).unwrap();
        outbox.push([
            running(0, 1, 10.0),
            running(1, 1, 5.0),
            running(0, 1, 11.0),
            closed(0, 1, 12.0),
            running(0, 1, 13.0),
        ]);
        outbox.push([running(0, 2, 14.0), running(0, 2, 15.0), closed(0, 2, 16.0)]);
        let expected = vec![
            running(0, 1, 11.0),
            running(1, 1, 5.0),
            closed(0, 1, 12.0),
            running(0, 1, 13.0),
            running(0, 2, 15.0),
            closed(0, 2, 16.0),
        ];
        assert_eq!(Vec::from(outbox.drain()), expected);
        assert!(outbox.drain().is_empty());
    }

    #[test]
    fn a_full_queue_drops_running_candles_and_nothing_else() {
        let outbox = Outbox::new(1, 2).unwrap();
        outbox.push([closed(0, 1, 1.0), closed(0, 2, 1.0)]);
        assert!(outbox.is_full());
        outbox.push([running(0, 3, 2.0), closed(0, 3, 3.0), Event::Connected]);
        assert_eq!(
            Vec::from(outbox.drain()),
            vec![closed(0, 1, 1.0), closed(0, 2, 1.0), closed(0, 3, 3.0), Event::Connected]
        );
        assert!(!outbox.is_full());
    }

    #[test]
    fn the_descriptor_is_readable_exactly_while_something_waits() {
        let outbox = Outbox::new(1, 10).unwrap();
        assert!(!readable(&outbox));
        outbox.push([]);
        assert!(!readable(&outbox));
        outbox.push([Event::Connected]);
        outbox.push([Event::Connected]);
        assert!(readable(&outbox));
        assert_eq!(outbox.drain().len(), 2);
        assert!(!readable(&outbox));
    }

    #[test]
    fn of_mark_prices_the_newest_of_each_symbol_waits_and_none_where_the_queue_is_full() {
        let outbox = Outbox::new(1, 3).unwrap();
        outbox.push([mark(0, 1.0), mark(1, 2.0), closed(0, 1, 5.0), mark(0, 3.0), mark(2, 4.0)]);
        assert_eq!(Vec::from(outbox.drain()), vec![mark(0, 3.0), mark(1, 2.0), closed(0, 1, 5.0)]);
        outbox.push([mark(0, 6.0)]);
        assert_eq!(Vec::from(outbox.drain()), vec![mark(0, 6.0)]);
    }

    #[test]
    fn what_is_only_shown_rings_a_few_times_a_second_and_a_close_rings_at_once() {
        let outbox = Outbox::new(2, 100).unwrap();
        let began = Instant::now();
        outbox.push_at(began, [running(0, 1, 1.0)]);
        assert!(readable(&outbox), "the first is not held back");
        outbox.drain();
        let soon = began + SHOWN_EVERY - Duration::from_millis(1);
        outbox.push_at(soon, [running(0, 1, 2.0), mark(0, 2.0)]);
        assert!(!readable(&outbox));
        outbox.push_at(soon, [closed(1, 1, 3.0)]);
        assert!(readable(&outbox));
        assert_eq!(Vec::from(outbox.drain()), vec![running(0, 1, 2.0), mark(0, 2.0), closed(1, 1, 3.0)]);
        outbox.push_at(soon + SHOWN_EVERY / 2, [running(0, 2, 4.0)]);
        assert!(!readable(&outbox));
        outbox.push_at(soon + SHOWN_EVERY, []);
        assert!(readable(&outbox), "what was held back is rung without another word");
    }

    #[test]
    fn a_queue_that_is_full_of_what_is_only_shown_rings_at_once() {
        let outbox = Outbox::new(2, 2).unwrap();
        let began = Instant::now();
        outbox.push_at(began, [mark(0, 1.0)]);
        outbox.drain();
        outbox.push_at(began, [mark(0, 2.0)]);
        assert!(!readable(&outbox));
        outbox.push_at(began, [mark(1, 3.0)]);
        assert!(readable(&outbox), "the socket waits for this drain");
    }
}
