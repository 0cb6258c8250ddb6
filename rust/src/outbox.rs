//! The bounded queue between the feed's thread and Python. It decides what may be lost when Python is slow: only running
//! candles, of which the newest per symbol and minute is enough. Everything else waits, and the socket waits with it.

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::event::Event;
use crate::wake::Wake;

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
}

impl Outbox {
    /// A queue for `symbols` symbols that counts as full at `limit` events.
    pub fn new(symbols: usize, limit: usize) -> io::Result<Outbox> {
        let queue = Queue { events: VecDeque::new(), running: vec![None; symbols] };
        Ok(Outbox { queue: Mutex::new(queue), wake: Wake::new()?, space: Notify::new(), limit })
    }

    /// A poisoned lock means that a thread died between two whole changes: the queue itself is sound.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Readable while something waits.
    pub fn fileno(&self) -> RawFd {
        self.wake.fileno()
    }

    /// Appends events and rings once if nothing waited before. Takes more than the limit rather than lose a fact; the
    /// caller asks `is_full` before it reads on.
    pub fn push(&self, events: impl IntoIterator<Item = Event>) {
        let mut queue = self.lock();
        let was_empty = queue.events.is_empty();
        for event in events {
            let Queue { events: waiting, running } = &mut *queue;
            if let Event::Running { symbol, candle } = &event {
                if running.len() <= *symbol {
                    running.resize(*symbol + 1, None);
                }
                match running[*symbol] {
                    Some((place, open_time)) if open_time == candle.open_time => {
                        waiting[place] = event;
                        continue;
                    }
                    _ if waiting.len() >= self.limit => continue,
                    _ => running[*symbol] = Some((waiting.len(), candle.open_time)),
                }
            } else if let Event::Candle { symbol, .. } = &event {
                // A running candle that comes after this close must not be written in front of it.
                if let Some(place) = running.get_mut(*symbol) {
                    *place = None;
                }
            }
            waiting.push_back(event);
        }
        let rings = was_empty && !queue.events.is_empty();
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
        let events = std::mem::take(&mut queue.events);
        drop(queue);
        self.space.notify_one();
        events
    }
}

#[cfg(test)]
mod tests {
    use super::Outbox;
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
}
